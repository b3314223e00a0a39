"""Flips and transpositions of a sample, flow included."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.registry import TRANSFORMS


def flip_transpose(array, horizontal, vertical, transpose, flow=False):
    """Turn an array over.

    Args:
        array (np.ndarray): ``(H, W, C)``.
        horizontal (bool): Mirror left and right.
        vertical (bool): Mirror top and bottom.
        transpose (bool): Exchange rows and columns, after the mirroring.
        flow (bool): The channels are a direction (x, y), which turns too.

    Returns:
        np.ndarray: The array, contiguous.
    """
    if horizontal:
        array = array[:, ::-1]
    if vertical:
        array = array[::-1]
    if flow:
        signs = [-1 if flip else 1 for flip in (horizontal, vertical)]
        array = array * np.array(signs, array.dtype)
    if transpose:
        array = array.transpose(1, 0, 2)
        if flow:
            array = array[..., ::-1]
    return np.ascontiguousarray(array)


@TRANSFORMS.register_module()
class FlipTranspose(BaseTransform):
    """Turn all images and maps of a sample over, in the same way.

    One of the eight ways, each as likely: in place of mmagic's two ``Flip``
    and ``RandomTransposeHW`` where there is a flow, whose direction turns
    too. Reference and LR must have been cut at the same place or both be
    whole images of one size: their centers must correspond.

    Args:
        keys (Sequence[str]): Arrays ``(H, W, C)``; those that a sample lacks
            are passed over.
        flow_keys (Sequence[str]): Those of them that are a flow.
    """

    def __init__(self, keys, flow_keys=('flow',)):
        self.keys = tuple(keys)
        self.flow_keys = tuple(flow_keys)

    def transform(self, results):
        """Turn the sample over.

        Args:
            results (dict): The sample so far.

        Returns:
            dict: The sample.
        """
        drawn = np.random.randint(2, size=3).astype(bool).tolist()
        for key in {*self.keys, *self.flow_keys} & results.keys():
            results[key] = flip_transpose(
                results[key], *drawn, flow=key in self.flow_keys
            )
        return results

    def __repr__(self):
        return (
            f'{type(self).__name__}(keys={self.keys}, '
            f'flow_keys={self.flow_keys})'
        )
