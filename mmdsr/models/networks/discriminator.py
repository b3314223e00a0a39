"""Discriminator of the adversarial training (Section 3.1)."""

from itertools import pairwise

from torch import Tensor, nn

from mmdsr.registry import MODELS


class DiscriminatorStage(nn.Sequential):
    """3x3 convolution, then 4x4 convolution of stride 2, with LeakyReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        groups: Groups of the normalization.
        norm_first: Whether to normalize after the first convolution, too.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        groups: int,
        norm_first: bool = True,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=not norm_first)
        ]
        if norm_first:
            layers.append(nn.GroupNorm(groups, out_channels))
        layers += [
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(out_channels, out_channels, 4, 2, 1, bias=False),
            nn.GroupNorm(groups, out_channels),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        super().__init__(*layers)


@MODELS.register_module()
class VGGStyleDiscriminator(nn.Module):
    """VGG-style critic for crops of any size.

    The paper gives no structure; this follows that of MASA-SR, which only
    takes 160x160 images: average pooling to the 5x5 map of such an image
    allows any size, and group instead of batch normalization allows a batch
    of one.

    Args:
        in_channels: Channels of the image.
        base_channels: Width of the first stage, a multiple of 16; the others
            have 2, 4, 8 and 8 times as many.

    Raises:
        ValueError: If ``base_channels`` is not a multiple of 16.
    """

    min_size = 32
    #: Side of the last map for the 160x160 images of MASA-SR.
    pooled_size = 5

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 64,
    ) -> None:
        super().__init__()
        groups = 16
        if base_channels % groups:
            raise ValueError(
                f'base_channels must be a multiple of {groups}, not '
                f'{base_channels}.'
            )
        widths = [base_channels * factor for factor in (1, 2, 4, 8, 8)]
        self.stages = nn.Sequential(
            DiscriminatorStage(in_channels, widths[0], groups, False),
            *(
                DiscriminatorStage(low, high, groups)
                for low, high in pairwise(widths)
            ),
            nn.AdaptiveAvgPool2d(self.pooled_size),
        )
        self.head = nn.Sequential(
            nn.Linear(widths[-1] * self.pooled_size**2, 100),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(100, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Rate images.

        Args:
            image: Images (N, in_channels, H, W) in [0, 1], H, W >= 32.

        Returns:
            Raw critic values C (N, 1), before any sigmoid.

        Raises:
            ValueError: If an image is smaller than 32x32.
        """
        if min(image.shape[-2:]) < self.min_size:
            raise ValueError(
                'the discriminator needs images of at least '
                f'{self.min_size}x{self.min_size} pixels, not '
                f'{tuple(image.shape[-2:])}.'
            )
        return self.head(self.stages(image).flatten(1))
