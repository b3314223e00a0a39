"""The network of Xie et al. (2019), one for each level of two."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdsr.registry import MODELS


@MODELS.register_module()
class XieNet(BaseModule):
    """Three convolutions and two hidden layers, without the last layer.

    The paper of DSRNet names a network "IDCNN&NDCNN" and gives no reference.
    We follow Xie et al. 2019, "Automatic detection and classification of
    sewer defects via hierarchical deep learning", as the benchmark of
    Sewer-ML re-implemented it: both of its levels have this body, see
    :class:`~mmdsr.models.downstream.two_stage_classifier.TwoStageClassifier`.
    It has neither batch normalization nor pretrained weights, and the layers
    have torch's initialization.

    The convolutions reduce the sides by 32 and pooling maps any size to the
    same grid, so that the number of parameters does not depend on the input:
    9,159,168 without and 9,159,168 + 513 K with a last layer of K classes.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the three convolutions.
        hidden: Sizes of the hidden layers; the last one is the number of
            features.
        grid: Side of the grid after pooling.
        dropout: Probability of dropping a hidden value in training.
        init_cfg: See mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: Sequence[int] = (64, 128, 128),
        hidden: Sequence[int] = (1024, 512),
        grid: int = 8,
        dropout: float = 0.6,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        first, second, third = channels
        self.convs = nn.Sequential(
            nn.Conv2d(in_channels, first, 11, padding=5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(second, third, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(grid),
        )
        layers: list[nn.Module] = []
        size = third * grid**2
        for width in hidden:
            layers += [
                nn.Linear(size, width),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
            ]
            size = width
        self.hidden = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Compute the features that the last layer classifies.

        Args:
            images: ``(N, in_channels, H, W)``, normalized; H and W at least
                22.

        Returns:
            A tuple of one item, ``(N, hidden[-1])``, for mmpretrain's heads.
        """
        return (self.hidden(self.convs(images).flatten(1)),)
