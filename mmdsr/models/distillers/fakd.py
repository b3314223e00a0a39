"""FAKD: distillation of feature affinities, an external baseline.

He et al., "FAKD: Feature-Affinity Based Knowledge Distillation for
Efficient Image Super-Resolution", ICIP 2020: teacher and student should agree
on which positions of a feature resemble each other.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.registry import MODELS


def affinity(feat: Tensor) -> Tensor:
    """Return the cosine similarity of every two positions of a feature.

    Args:
        feat: Feature (N, C, H, W).

    Returns:
        Affinity (N, H * W, H * W) in [-1, 1].
    """
    unit = F.normalize(feat.flatten(2), dim=1)
    return unit.transpose(1, 2) @ unit


def affinity_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """Return the mean absolute difference of two features' affinities.

    Args:
        teacher: Feature (N, C, H, W).
        student: Feature (N, C', H, W) of the same size.

    Returns:
        Scalar in [0, 2].
    """
    return (affinity(teacher) - affinity(student)).abs().mean()


def _common_size(
    height: int, width: int, max_positions: int | None
) -> tuple[int, int]:
    """Return the given size, reduced to at most ``max_positions``."""
    if max_positions is None or height * width <= max_positions:
        return height, width
    factor = math.sqrt(height * width / max_positions)
    return max(int(height / factor), 1), max(int(width / factor), 1)


@MODELS.register_module()
class FAKD(nn.Module):
    """Feature-affinity loss between corresponding features.

    Replaces :class:`mmdsr.ADM` in :class:`mmdsr.DSRDistiller`. It
    compares feature m of the teacher with feature m of the student, in fp32,
    and learns nothing.

    Args:
        teacher_channels: Widths of the teacher's features, which may differ
            from the student's.
        student_channels: Widths of the student's features, of the same number.
        max_positions: Larger maps are reduced to this many positions by
            average pooling, since the affinity has the square of them: 320 MB
            for a map of 80x112. The default is the 48x48 of the authors'
            crops. None for no limit.
        loss_weight: Weight of the loss.

    Raises:
        ValueError: If the numbers of features differ.
    """

    def __init__(
        self,
        teacher_channels: Sequence[int],
        student_channels: Sequence[int],
        max_positions: int | None = 2304,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if len(teacher_channels) != len(student_channels):
            raise ValueError(
                'FAKD compares features in pairs, but the teacher has '
                f'{len(teacher_channels)} and the student '
                f"{len(student_channels)}: use feature_level='scale'."
            )
        self.max_positions = max_positions
        self.loss_weight = loss_weight

    def forward(
        self, teacher_feats: Sequence[Tensor], student_feats: Sequence[Tensor]
    ) -> Tensor:
        """Compute the weighted loss, the mean over the pairs.

        Args:
            teacher_feats: Features (N, C_m, H_m, W_m).
            student_feats: The same number of features of the student; maps of
                another size are pooled to the teacher's.

        Returns:
            Scalar, fp32.
        """
        with torch.autocast(student_feats[0].device.type, enabled=False):
            losses = []
            for teacher, student in zip(
                teacher_feats, student_feats, strict=True
            ):
                height, width = teacher.shape[-2:]
                size = _common_size(height, width, self.max_positions)
                teacher, student = (
                    F.adaptive_avg_pool2d(feat.float(), size)
                    if feat.shape[-2:] != size
                    else feat.float()
                    for feat in (teacher.detach(), student)
                )
                losses.append(affinity_loss(teacher, student))
        return self.loss_weight * torch.stack(losses).mean()
