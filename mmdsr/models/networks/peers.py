"""Compared networks taken from spandrel: RCAN, ATD, ATD-light.

The modules are part of the main spandrel package, which according to its
README contains only code under permissive licenses. They are imported when a
network is built, so that mmdsr works without them.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from mmdsr.extras import require
from mmdsr.models.networks.padding import SCALE
from mmdsr.models.networks.single_image import WrappedNet
from mmdsr.registry import MODELS


@MODELS.register_module()
class RCAN(WrappedNet):
    """Residual channel attention network (Zhang et al., ECCV 2018).

    Args:
        channels: Width of all features. Defaults to 64.
        num_groups: Residual groups. Defaults to 10.
        num_blocks: Blocks with channel attention per group. Defaults to 20.
        reduction: What the attention divides the width by. Defaults to 16.

    Raises:
        MissingExtraError: If spandrel is missing.
        ValueError: If the reduction leaves no channel.
    """

    def __init__(
        self,
        channels: int = 64,
        num_groups: int = 10,
        num_blocks: int = 20,
        reduction: int = 16,
    ) -> None:
        require('peers', 'spandrel')
        from spandrel.architectures.RCAN import RCAN as Net  # noqa: N811

        if channels < reduction:
            raise ValueError(
                f'channels={channels} divided by reduction={reduction} leaves '
                'no channels: use more channels or a smaller reduction.'
            )
        super().__init__(
            Net(
                scale=SCALE,
                n_feats=channels,
                n_resgroups=num_groups,
                n_resblocks=num_blocks,
                reduction=reduction,
            )
        )


@MODELS.register_module()
class ATD(WrappedNet):
    """Adaptive token dictionary (Zhang et al., CVPR 2024).

    Args:
        channels: Width of all tokens. Defaults to 210.
        depths: Attention layers of each group. Defaults to six times 6.
        num_heads: Heads of the window attention. Defaults to 6.
        window_size: Side of the windows. Defaults to 16.
        category_size: Tokens that attend to each other by category.
            Defaults to 256.
        num_tokens: Entries of the dictionary. Defaults to 128.
        reduced_channels: Width in which the dictionary is looked up.
            Defaults to 20.
        kernel_size: Kernel size of the convolution in the feed-forward layers.
            Defaults to 5.
        mlp_ratio: Width of these layers relative to ``channels``. Defaults
            to 2.
        direct: Enlarge in one step, as ATD-light does; otherwise in two.
            Defaults to False.

    Raises:
        MissingExtraError: If spandrel is missing.
    """

    def __init__(
        self,
        channels: int = 210,
        depths: Sequence[int] = (6,) * 6,
        num_heads: int = 6,
        window_size: int = 16,
        category_size: int = 256,
        num_tokens: int = 128,
        reduced_channels: int = 20,
        kernel_size: int = 5,
        mlp_ratio: float = 2.0,
        direct: bool = False,
    ) -> None:
        require('peers', 'spandrel')
        from spandrel.architectures.ATD import ATD as Net  # noqa: N811

        if channels % num_heads:
            raise ValueError(
                f'channels={channels} must be divisible by '
                f'num_heads={num_heads}.'
            )
        self.window_size = window_size
        super().__init__(
            Net(
                upscale=SCALE,
                embed_dim=channels,
                depths=tuple(depths),
                num_heads=(num_heads,) * len(depths),
                window_size=window_size,
                category_size=category_size,
                num_tokens=num_tokens,
                reducted_dim=reduced_channels,
                convffn_kernel_size=kernel_size,
                mlp_ratio=mlp_ratio,
                upsampler='pixelshuffledirect' if direct else 'pixelshuffle',
            )
        )

    def enlarge(self, lr: Tensor) -> Tensor:
        """Super-resolve; see :class:`SingleImageNet`."""
        # ATD pads by reflection to whole windows, which can at most double the
        # image.
        height, width = lr.shape[-2:]
        missing = [max(0, self.window_size - s) for s in (width, height)]
        padded = F.pad(lr, (0, missing[0], 0, missing[1]), mode='replicate')
        return super().enlarge(padded)[..., : height * SCALE, : width * SCALE]
