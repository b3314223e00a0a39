"""Flips and transpositions of a sample, flow included."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.registry import TRANSFORMS

#: Arrays of a sample that show the same picture and must be turned together.
_TOGETHER = (
    *('img', 'gt', 'ref', 'depth_lr', 'depth_ref'),
    *('flow', 'visible', 'confidence'),
)


def flip_transpose(
    array: np.ndarray,
    horizontal: bool,
    vertical: bool,
    transpose: bool,
    flow: bool = False,
    excess: tuple[float, float] = (0, 0),
) -> np.ndarray:
    """Flip and transpose an array.

    Args:
        array: ``(H, W, C)``.
        horizontal: Whether to mirror left and right.
        vertical: Whether to mirror top and bottom.
        transpose: Whether to swap rows and columns, after the mirroring.
        flow: Whether the channels are a direction (x, y), which is
            transformed, too.
        excess: Number of flow pixels by which the reference is wider and
            higher than the flow.

    Returns:
        The array, contiguous.
    """
    if horizontal:
        array = array[:, ::-1]
    if vertical:
        array = array[::-1]
    if flow:
        flips = np.array([horizontal, vertical])
        array = np.where(flips, excess - array, array).astype(array.dtype)
    if transpose:
        array = array.transpose(1, 0, 2)
        if flow:
            array = array[..., ::-1]
    return np.ascontiguousarray(array)


@TRANSFORMS.register_module()
class FlipTranspose(BaseTransform):
    """Flip and transpose all images and maps of a sample in the same way.

    Draws one of the eight orientations uniformly. It replaces mmagic's two
    ``Flip`` and ``RandomTransposeHW`` for samples with a flow, whose direction
    must be transformed, too. The reference, if there is one, may have any
    size.

    Args:
        keys: Arrays ``(H, W, C)``; those that a sample lacks are skipped.
        flow_keys: Arrays that are a flow, in pixels of ``img``.
        scale: Resolution of ``ref`` over that of ``img``.

    Raises:
        ValueError: If a sample has an image or map that neither of the two
            names, and that would no longer fit the others.
    """

    def __init__(
        self,
        keys: Sequence[str],
        flow_keys: Sequence[str] = ('flow',),
        scale: int = 4,
    ) -> None:
        self.keys = tuple(keys)
        self.flow_keys = tuple(flow_keys)
        self.scale = scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip and transpose the sample.

        Args:
            results: The sample so far.

        Returns:
            The sample.
        """
        turned = {*self.keys, *self.flow_keys}
        left = [key for key in _TOGETHER if key in {*results} - turned]
        if left:
            raise ValueError(
                f'{self} would leave {", ".join(left)} as it is, which would '
                'no longer fit the turned images: name it in keys, or in '
                'flow_keys if it is a flow.'
            )
        turns = np.random.randint(2, size=3).astype(bool).tolist()
        horizontal, vertical, transpose = turns
        excess = (0.0, 0.0)
        if 'ref' in results and 'img' in results:
            height, width = results['img'].shape[:2]
            ref_height, ref_width = results['ref'].shape[:2]
            excess = (
                ref_width / self.scale - width,
                ref_height / self.scale - height,
            )
        for key in turned & results.keys():
            results[key] = flip_transpose(
                results[key],
                horizontal,
                vertical,
                transpose,
                key in self.flow_keys,
                excess,
            )
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(keys={self.keys}, '
            f'flow_keys={self.flow_keys}, scale={self.scale})'
        )
