"""Evidence of references, and the fusion of several of them."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import conv3x3
from mmdsr.models.networks.flow import enlarge_flow, warp
from mmdsr.models.networks.padding import SCALE

#: Scales details and differences, a few hundredths, to the order of one.
_GAIN = 4.0
#: Exponent of the weights: how strongly the best reference dominates.
_SHARPNESS = 4
#: Channels of a full-size image that is folded to LR size.
FOLDED = 3 * SCALE**2


class Evidence(NamedTuple):
    """Evidence of a reference, on the grid of LR.

    Args:
        detail: The warped reference without its low pass, with its light
            matched to that of LR, folded: (N, 48, H, W).
        difference: Its low pass minus LR (N, 3, H, W). Where it is large, the
            flow is wrong.
    """

    detail: Tensor
    difference: Tensor


def local_gain(target: Tensor, source: Tensor, window: int = 7) -> Tensor:
    """Return the factor that gives an image the local light of another.

    Args:
        target: Image (N, 3, H, W) in [0, 1].
        source: Image of the same shape.
        window: Side of the neighborhood, odd.

    Returns:
        Factor (N, 1, H, W) in [0.25, 4].
    """
    light = [
        F.avg_pool2d(
            image.mean(1, keepdim=True),
            window,
            1,
            window // 2,
            count_include_pad=False,
        )
        for image in (target, source)
    ]
    return ((light[0] + 0.02) / (light[1] + 0.02)).clamp(0.25, 4.0)


def gather_evidence(lr: Tensor, ref: Tensor, flow: Tensor) -> Evidence:
    """Warp a reference at full resolution and split off its detail.

    Args:
        lr: LR images (N, 3, H, W), RGB in [0, 1].
        ref: References (N, 3, Hr, Wr).
        flow: Flow (N, 2, H, W) in LR pixels.

    Returns:
        Detail and difference.
    """
    warped = warp(ref, enlarge_flow(flow, SCALE))
    cells = F.pixel_unshuffle(warped, SCALE).unflatten(1, (3, SCALE**2))
    low = cells.mean(2)
    gain = local_gain(lr, low)
    detail = ((cells - low[:, :, None]) * gain[:, :, None]).flatten(1, 2)
    return Evidence(detail, low * gain - lr)


class ReferenceFusion(nn.Module):
    """Fuse the evidence of several references, in any order.

    Each reference k gets a weight ``w_k = c_k exp(g_k)`` per pixel, where c is
    the confidence of its flow and g is learned from its evidence. References
    together get the share ``W / (1 + W)``, where W is the largest weight and
    the 1 stands for no reference: with confidence 0 everywhere, no reference
    contributes. Reference k gets the part ``w_k^4 / sum_j w_j^4`` of it: a
    mean of two warped references, neither of them quite exact, is softer than
    the better one.

    Args:
        channels: Width of the features.
        cues: Number of planes of further evidence, see :meth:`forward`.
    """

    def __init__(self, channels: int, cues: int = 0) -> None:
        super().__init__()
        self.conv1 = conv3x3(FOLDED + 4 + cues, channels)
        self.conv2 = conv3x3(channels, channels + 1)

    def forward(
        self,
        evidence: Evidence,
        confidence: Tensor,
        count: int,
        cues: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Fuse the evidence.

        Args:
            evidence: Evidence of ``N * count`` references, those of one image
                side by side.
            confidence: Confidence of their flow (N * count, 1, H, W) in
                [0, 1].
            count: Number of references per image, K.
            cues: Further evidence (N * count, C, H, W), values near 0 to 1,
                if the module has inputs for it.

        Returns:
            Features (N, C, H, W), detail (N, 48, H, W), and the share of it
            that comes from references (N, 1, H, W) in [0, 1).
        """
        x = torch.cat(
            [
                _GAIN * evidence.detail,
                _GAIN * evidence.difference,
                confidence,
                *(() if cues is None else (cues,)),
            ],
            1,
        )
        x = self.conv2(F.relu(self.conv1(x), inplace=True))
        feat, logit = x[:, :-1], x[:, -1:]
        weight = confidence * logit.clamp(-10, 10).exp()
        weight, feat, detail = (
            part.unflatten(0, (-1, count))
            for part in (weight, feat, evidence.detail)
        )
        largest = weight.amax(1, keepdim=True)
        # If all weights are zero, the split among the references is arbitrary.
        # 1e-12 is 0 in half precision.
        least = max(1e-12, torch.finfo(largest.dtype).tiny)
        part = (weight / largest.clamp_min(least)) ** _SHARPNESS
        part = part / part.sum(1, keepdim=True).clamp_min(1)
        share = part * (largest / (1 + largest))
        return (
            (share * feat).sum(1),
            (share * detail).sum(1),
            share.sum(1),
        )
