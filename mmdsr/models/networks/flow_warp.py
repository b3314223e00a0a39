"""Baseline that adds the detail of a reference without learning."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.padding import SCALE, upscale
from mmdsr.models.networks.reference_fusion import gather_evidence
from mmdsr.models.networks.refsr_net import DSROutput
from mmdsr.registry import MODELS


@MODELS.register_module()
class FlowWarp(nn.Module):
    """Bicubic interpolation plus the detail of the aligned reference.

    It measures how much a reference contributes without learning. Detail is
    added where the low passes agree and the flow is trusted.

    Args:
        aligner: Config of an aligner. Defaults to
            ``dict(type='mmdsr.DISAligner')``.
        tolerance: Difference of the low passes, in the range [0, 1], at which
            1/e of the detail is left.
    """

    scale = SCALE
    needs_depth = False
    lr_multiple = 1

    def __init__(
        self, aligner: dict[str, Any] | None = None, tolerance: float = 0.03
    ) -> None:
        super().__init__()
        self.aligner = MODELS.build(aligner or dict(type='mmdsr.DISAligner'))
        self.tolerance = tolerance

    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
    ) -> Tensor:
        """Super-resolve images.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: References (N, 3, Hr, Wr).
            ref_down: References reduced by 4.

        Returns:
            Image (N, 3, 4H, 4W), not clamped.
        """
        return self.explain(lr, ref, ref_down).sr

    def explain(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        feature_level: str = 'scale',
    ) -> DSROutput:
        """Super-resolve images and return flow and confidence, too.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: References (N, 3, Hr, Wr).
            ref_down: References reduced by 4.
            feature_level: As for other networks; there are no features.

        Returns:
            Image, flow and confidence.
        """
        flow, confidence = self.aligner(lr, ref, ref_down)
        evidence = gather_evidence(lr, ref, flow)
        wrong = evidence.difference.abs().mean(1, keepdim=True)
        weight = confidence * torch.exp(-wrong / self.tolerance)
        enlarged = upscale(lr)
        own = F.pixel_unshuffle(enlarged, SCALE).unflatten(1, (3, SCALE**2))
        own = (own - own.mean(2, keepdim=True)).flatten(1, 2)
        detail = weight * (evidence.detail - own)
        sr = enlarged + F.pixel_shuffle(detail, SCALE)
        return DSROutput(sr, None, None, weight, (), None, flow)
