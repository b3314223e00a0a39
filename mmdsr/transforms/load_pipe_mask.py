"""Masks of the Pipe data set for mmsegmentation."""

import mmcv
import numpy as np
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations

from mmdsr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPipeMask(LoadAnnotations):
    """Load a mask that may have several channels, and check its ids.

    Takes the place of mmseg's ``LoadAnnotations``. The ids are mapped as the
    data set says.

    Args:
        num_ids (int): Ids in the files: 4, or 5 for the authors' masks.
        channel (int): Which channel holds the ids in masks of several, 0 =
            red to 2 = blue. OpenCV's channel 0 is blue.
        imdecode_backend (str): As of ``LoadAnnotations``.
        backend_args (dict, optional): As of ``LoadAnnotations``.

    Raises:
        ValueError: If an argument does not fit, the file is no image, or a
            pixel is neither an id nor 255.
    """

    def __init__(
        self,
        num_ids=4,
        channel=0,
        imdecode_backend='pillow',
        backend_args=None,
    ):
        if not 1 <= num_ids <= 255 or channel not in (0, 1, 2):
            raise ValueError(
                'num_ids must be from 1 to 255 and channel 0, 1 or 2, not '
                f'{num_ids} and {channel}.'
            )
        super().__init__(
            imdecode_backend=imdecode_backend, backend_args=backend_args
        )
        self.num_ids = num_ids
        self.channel = channel

    def _load_seg_map(self, results):
        path = results['seg_map_path']
        content = fileio.get(path, backend_args=self.backend_args)
        try:
            mask = mmcv.imfrombytes(
                content, flag='unchanged', backend=self.imdecode_backend
            )
        except Exception as error:
            raise ValueError(f'{path} cannot be read: {error}') from error
        if mask is None:
            raise ValueError(f'{path} cannot be read as an image.')
        if mask.ndim == 3:
            # mmcv gives BGR, whatever the backend; grey with alpha has two.
            colours = mask.shape[2] >= 3
            mask = mask[..., 2 - self.channel if colours else 0]
        wrong = np.unique(mask[(mask >= self.num_ids) & (mask != 255)])
        if wrong.size:
            raise ValueError(
                f'{path} holds the values {wrong[:5].tolist()}; with num_ids='
                f'{self.num_ids} they must be below that, or 255.'
            )
        table = np.arange(256, dtype=np.uint8)
        for old, new in (results.get('label_map') or {}).items():
            table[old] = new
        results['gt_seg_map'] = table[mask.astype(np.uint8)]
        results['seg_fields'].append('gt_seg_map')

    def __repr__(self):
        return (
            f'{type(self).__name__}(num_ids={self.num_ids}, '
            f'channel={self.channel}, '
            f'imdecode_backend={self.imdecode_backend!r}, '
            f'backend_args={self.backend_args})'
        )
