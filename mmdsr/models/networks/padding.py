"""The size contract of the reference-based networks.

LR and Ref may each have any size >= 16x16. LR is padded to multiples of the
block size and of 4 (the pyramid), Ref to multiples of 16 (so that Ref-down
has multiples of 4). The padding replicates the edge and is cropped from the
output again.
"""

import math

import torch.nn.functional as F
from torch import Tensor

#: The one scale factor of the architecture.
SCALE = 4
#: Shortest side of LR and Ref.
MIN_SIZE = 16
#: Ratio of level 1 to level 3 of the encoder.
PYRAMID = 4


def downscale(image: Tensor) -> Tensor:
    """Reduce an image by 4 with an antialiased bicubic filter.

    Args:
        image: Image (N, C, H, W).

    Returns:
        Image (N, C, ceil(H / 4), ceil(W / 4)).
    """
    image = pad_to_multiple(image, SCALE)
    return F.interpolate(
        image,
        size=[side // SCALE for side in image.shape[-2:]],
        mode='bicubic',
        align_corners=False,
        antialias=True,
    )


def upscale(image: Tensor) -> Tensor:
    """Enlarge an image by 4, bicubically.

    Args:
        image: Image (N, C, H, W).

    Returns:
        Image (N, C, 4H, 4W).
    """
    return F.interpolate(
        image, scale_factor=SCALE, mode='bicubic', align_corners=False
    )


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Replicate the last row and column up to a multiple.

    Args:
        image: Image (N, C, H, W).
        multiple: Required divisor of both sides.

    Returns:
        The padded image.

    Examples:
        >>> import torch
        >>> from mmdsr.models.networks.padding import pad_to_multiple
        >>> row = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
        >>> pad_to_multiple(row, 4).shape
        torch.Size([1, 1, 4, 4])
        >>> pad_to_multiple(row, 4)[0, 0, 0].tolist()
        [1.0, 2.0, 3.0, 3.0]
    """
    bottom, right = (-side % multiple for side in image.shape[-2:])
    return F.pad(image, (0, right, 0, bottom), mode='replicate')


def lr_multiple(block_size: int) -> int:
    """Return the divisor that the padded LR size must have.

    Args:
        block_size: Side of the matched blocks.

    Returns:
        Least common multiple of the block size and the pyramid.

    Examples:
        >>> from mmdsr.models.networks.padding import lr_multiple
        >>> lr_multiple(8), lr_multiple(6)
        (8, 12)
    """
    return math.lcm(block_size, PYRAMID)


def check_images(lr: Tensor, ref: Tensor, ref_down: Tensor | None) -> None:
    """Raise an error for images that the network cannot process.

    Args:
        lr: LR image.
        ref: Reference image.
        ref_down: Reduced reference image.

    Raises:
        ValueError: If the images do not fit the network.
    """
    for name, image in (('lr', lr), ('ref', ref)):
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(
                f'{name} must be RGB images of shape (N, 3, H, W), '
                f'not {tuple(image.shape)}.'
            )
        if min(image.shape[-2:]) < MIN_SIZE:
            raise ValueError(
                f'{name} must be at least {MIN_SIZE}x{MIN_SIZE} pixels, '
                f'not {tuple(image.shape[-2:])}.'
            )
    if len(lr) != len(ref):
        raise ValueError(
            f'lr and ref must have the same batch size, not {len(lr)} and '
            f'{len(ref)}.'
        )
    wanted = (len(ref), 3, *(-(-side // SCALE) for side in ref.shape[-2:]))
    if ref_down is not None and tuple(ref_down.shape) != wanted:
        raise ValueError(
            f'ref_down must be ref reduced by {SCALE}, shape {wanted}, not '
            f'{tuple(ref_down.shape)}: omit it to have it computed.'
        )


def reduced_reference(
    lr: Tensor, ref: Tensor, ref_down: Tensor | None
) -> Tensor:
    """Check the images of a network; compute Ref-down if it is missing.

    Args:
        lr: LR image (N, 3, H, W).
        ref: Reference image (N, 3, Hr, Wr).
        ref_down: Reference reduced by 4.

    Returns:
        Ref-down (N, 3, ceil(Hr / 4), ceil(Wr / 4)).

    Raises:
        ValueError: See :func:`check_images`.
    """
    check_images(lr, ref, ref_down)
    return downscale(ref) if ref_down is None else ref_down


def check_depth(name: str, depth: Tensor, image: Tensor) -> None:
    """Raise an error for a depth map that does not fit its image.

    Args:
        name: Name of the argument, for the message.
        depth: Depth map.
        image: The image it belongs to, LR or Ref-down.

    Raises:
        ValueError: If the shapes differ.
    """
    wanted = (len(image), 1, *image.shape[-2:])
    if tuple(depth.shape) != wanted:
        raise ValueError(
            f'{name} must have shape {wanted}, not {tuple(depth.shape)}.'
        )
