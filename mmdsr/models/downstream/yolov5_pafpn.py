"""Neck of YOLOv5, based on that of YOLOX."""

from collections.abc import Sequence

from mmdet.models.necks import YOLOXPAFPN
from torch import nn

from mmdsr.registry import MODELS


@MODELS.register_module()
class YOLOv5PAFPN(YOLOXPAFPN):
    """Path aggregation network without convolutions at its ends.

    It is mmdet's neck of YOLOX without the last 1x1 convolutions, which belong
    to the decoupled head of YOLOX. The outputs have as many channels as the
    inputs.

    Args:
        in_channels: Channels of each level.
        num_csp_blocks: Number of blocks of each CSP layer.
        **kwargs: For ``YOLOXPAFPN``, without ``out_channels``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_csp_blocks: int = 1,
        **kwargs: object,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels=in_channels[0],
            num_csp_blocks=num_csp_blocks,
            **kwargs,
        )
        self.out_convs = nn.ModuleList(nn.Identity() for _ in in_channels)
