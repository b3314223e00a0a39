"""Flips and transpositions of a sample, flow included."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.registry import TRANSFORMS


def flip_transpose(
    array, horizontal, vertical, transpose, flow=False, excess=(0, 0)
):
    """Turn an array over.

    Args:
        array (np.ndarray): ``(H, W, C)``.
        horizontal (bool): Mirror left and right.
        vertical (bool): Mirror top and bottom.
        transpose (bool): Exchange rows and columns, after the mirroring.
        flow (bool): The channels are a direction (x, y), which turns too.
        excess (tuple[float, float]): By how many pixels of the flow the
            reference is wider and higher than the flow.

    Returns:
        np.ndarray: The array, contiguous.
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
    """Turn all images and maps of a sample over, in the same way.

    One of the eight ways, each as likely: in place of mmagic's two ``Flip``
    and ``RandomTransposeHW`` where there is a flow, whose direction turns
    too. The reference, if there is one, may have any size.

    Args:
        keys (Sequence[str]): Arrays ``(H, W, C)``; those that a sample lacks
            are passed over.
        flow_keys (Sequence[str]): Those of them that are a flow, in pixels
            of ``img``.
        scale (int): Size of ``ref`` over that of what ``img`` is to the
            same camera.
    """

    def __init__(self, keys, flow_keys=('flow',), scale=4):
        self.keys = tuple(keys)
        self.flow_keys = tuple(flow_keys)
        self.scale = scale

    def transform(self, results):
        """Turn the sample over.

        Args:
            results (dict): The sample so far.

        Returns:
            dict: The sample.
        """
        drawn = np.random.randint(2, size=3).astype(bool).tolist()
        excess = (0, 0)
        if 'ref' in results and 'img' in results:
            sizes = zip(
                results['ref'].shape[1::-1],
                results['img'].shape[1::-1],
                strict=True,
            )
            excess = [large / self.scale - small for large, small in sizes]
        for key in {*self.keys, *self.flow_keys} & results.keys():
            results[key] = flip_transpose(
                results[key], *drawn, key in self.flow_keys, excess
            )
        return results

    def __repr__(self):
        return (
            f'{type(self).__name__}(keys={self.keys}, '
            f'flow_keys={self.flow_keys}, scale={self.scale})'
        )
