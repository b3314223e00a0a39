"""EDSR, as mmagic has it."""

from mmagic.models.editors.edsr.edsr_net import EDSRNet

from mmdsr.models.networks.padding import SCALE
from mmdsr.models.networks.single_image import WrappedNet
from mmdsr.registry import MODELS


@MODELS.register_module()
class EDSR(WrappedNet):
    """Enhanced deep residual network (Lim et al., CVPR Workshops 2017).

    Args:
        channels: Width of all features. Defaults to 64.
        num_blocks: Residual blocks. Defaults to 20, as in Table 2.
    """

    def __init__(self, channels: int = 64, num_blocks: int = 20) -> None:
        super().__init__(
            EDSRNet(
                in_channels=3,
                out_channels=3,
                mid_channels=channels,
                num_blocks=num_blocks,
                upscale_factor=SCALE,
            )
        )
