"""DSRNet-X as a graph for other runtimes.

It has the network's own layers in the same order. Everything that depends on
the size is computed inside the graph, and interpolation is a convolution.
Tests compare it with the network.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.deploy.resizing import EnlargeFolded, Reduce
from mmdsr.models.networks.dsrnet_x import DSRNetX, Shown
from mmdsr.models.networks.flow import (
    fit_reference,
    inside,
    pixel_grid,
    sample,
    warp,
    zoom_out,
)
from mmdsr.models.networks.flownet import FlowNet, Refine, prevail
from mmdsr.models.networks.padding import SCALE, pad_to_multiple
from mmdsr.models.networks.reference_fusion import (
    Evidence,
    ReferenceFusion,
    local_gain,
)

_CELL = SCALE**2


class GraphX(nn.Module):
    """DSRNet-X with references: LR and Ref in, image and confidence out.

    Args:
        network: A network whose aligner is a FlowNet without depth.
    """

    def __init__(self, network: DSRNetX) -> None:
        super().__init__()
        self.network = network
        self.reduce = Reduce()
        self.finer = EnlargeFolded(3, 2)
        self.finest = EnlargeFolded(2, SCALE)
        self.bicubic = EnlargeFolded(3, SCALE, cubic=True)

    def forward(self, lr: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
        """Super-resolve.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: References, K for each image (N, K, 3, Hr, Wr), RGB in
                [0, 1].

        Returns:
            The image (N, 3, 4H, 4W), not clamped, and the share of its
            detail that references showed (N, 1, H, W) in [0, 1).
        """
        network = self.network
        fusion = cast(ReferenceFusion, network.fusion)
        gate = cast(nn.Conv2d, network.gate)
        count = ref.shape[1]
        many = lr[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
        refs = ref.flatten(0, 1)
        flow, confidence = self.align(many, refs)
        evidence = self.gather(many, refs, flow)
        feat, detail, share = fusion(evidence, confidence, count)
        shown = Shown(feat, detail, share, flow)
        feat = network.trunk(network.embed(lr, shown))[-1]
        weight = torch.cat([gate(feat)] * 3, 1)
        folded = network.tail(feat) + weight * detail + self.bicubic(lr)
        return F.pixel_shuffle(folded, SCALE), share

    @property
    def aligner(self) -> FlowNet:
        """The network's aligner."""
        return cast(FlowNet, self.network.aligner)

    def align(self, lr: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
        """Find LR in a reference, like :meth:`FlowNet.forward`."""
        aligner = self.aligner
        ref_down = self.reduce(ref)
        size, ref_size = lr.shape[-2:], ref_down.shape[-2:]
        padded = pad_to_multiple(lr, 2 ** (len(aligner.levels) - 1))
        feats = aligner.features(padded)
        fitted, offset = fit_reference(ref_down, size, padded.shape[-2:])
        x, y, logit = self.search(feats, fitted).split(1, 1)
        flow = torch.cat([x + offset[0], y + offset[1]], 1)
        for zoom in aligner.zooms:
            here = pixel_grid(padded)
            place = zoom_out(here, size, ref_size, zoom)
            place = place.repeat(lr.shape[0], 1, 1, 1)
            state = self.search(feats, sample(ref_down, place))
            there = zoom_out(here + state[:, :2], size, ref_size, zoom)
            flow, logit = prevail(flow, logit, there - here, state[:, 2:])
        flow = flow[..., : size[0], : size[1]]
        logit = logit[..., : size[0], : size[1]]
        return flow, logit.sigmoid() * inside(flow, ref_size)

    def search(self, feats: list[Tensor], ref_down: Tensor) -> Tensor:
        """Search LR on a reference of its padded size: flow and logit."""
        aligner = self.aligner
        others = aligner.features(ref_down)
        state = torch.zeros_like(feats[-1][:, :1]).repeat(1, 3, 1, 1)
        for level in reversed(range(len(aligner.levels))):
            if level < len(aligner.levels) - 1:
                state = F.pixel_shuffle(self.finer(state), 2)
                state = torch.cat([state[:, :2] * 2, state[:, 2:]], 1)
            for _ in range(aligner.repeats[level]):
                refine = cast(Refine, aligner.refine[level])
                state = _refine(refine, feats[level], others[level], state)
        return state

    def gather(self, lr: Tensor, ref: Tensor, flow: Tensor) -> Evidence:
        """Warp a reference with folded cells, like ``gather_evidence``.

        The sub-pixels of a cell are read as separate rows, so that nothing has
        to be enlarged and folded again.
        """
        count, _, height, width = lr.shape
        fine = SCALE * self.finest(flow)
        fine = fine.view(count, 2, _CELL, height, width)
        cell = torch.arange(_CELL, device=lr.device).view(_CELL, 1, 1)
        x, y = (SCALE * pixel_grid(lr)).unbind(1)
        x = x + cell % SCALE + fine[:, 0]
        y = y + cell // SCALE + fine[:, 1]
        place = torch.stack([x, y], 1).view(count, 2, -1, width)
        warped = sample(ref, place)
        cells = warped.view(count, 3, _CELL, height, width)
        low = cells.mean(2)
        gain = local_gain(lr, low)
        detail = (cells - low[:, :, None]) * gain[:, :, None]
        return Evidence(detail.flatten(1, 2), low * gain - lr)


def _refine(
    refine: Refine, feat: Tensor, other: Tensor, state: Tensor
) -> Tensor:
    """Correct flow and confidence at one level, as the aligner does."""
    warped = warp(other, state[:, :2], 'zeros')
    costs = _correlate(feat, warped, refine.radius)
    return state + refine.head(refine.body(torch.cat([costs, feat, state], 1)))


def _correlate(feat: Tensor, other: Tensor, radius: int) -> Tensor:
    """Correlate like ``local_correlation``, one row at a time.

    One displacement at a time would give a graph of a thousand operators,
    which takes seconds to load and has much overhead.
    """
    height, width = feat.shape[-2:]
    count = 2 * radius + 1
    feat = F.normalize(feat, dim=1, eps=1e-4).unsqueeze(2)
    padded = F.pad(F.normalize(other, dim=1, eps=1e-4), (radius,) * 4)
    # (N, C, count, H + 2 * radius, W)
    spread = torch.stack([padded[..., x : x + width] for x in range(count)], 2)
    rows = [
        (feat * spread[:, :, :, y : y + height]).sum(1) for y in range(count)
    ]
    return torch.cat(rows, 1)


class GraphXAlone(nn.Module):
    """DSRNet-X without a reference: LR in, image and confidence out.

    Args:
        network: The network.
    """

    def __init__(self, network: DSRNetX) -> None:
        super().__init__()
        self.network = network
        self.bicubic = EnlargeFolded(3, SCALE, cubic=True)

    def forward(self, lr: Tensor) -> tuple[Tensor, Tensor]:
        """Super-resolve.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].

        Returns:
            The image (N, 3, 4H, 4W), not clamped, and zeros (N, 1, H, W).
        """
        network = self.network
        feat = network.trunk(network.embed(lr, None))[-1]
        folded = network.tail(feat) + self.bicubic(lr)
        return F.pixel_shuffle(folded, SCALE), torch.zeros_like(lr[:, :1])
