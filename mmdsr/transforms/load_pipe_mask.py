"""Load masks of the Pipe data set for mmsegmentation."""

from typing import Any

import mmcv
import numpy as np
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations

from mmdsr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPipeMask(LoadAnnotations):
    """Load a mask that may have several channels, and check its ids.

    Replaces mmseg's ``LoadAnnotations``. The ids are mapped by the
    ``label_map`` of the data set; ``reduce_zero_label`` is refused.

    Args:
        num_ids: Number of ids in the files: 4, or 5 for the authors' masks.
        channel: Channel that contains the ids if there are several, 0 = red to
            2 = blue. OpenCV's channel 0 is blue.
        imdecode_backend: See ``LoadAnnotations``.
        backend_args: See ``LoadAnnotations``.

    Raises:
        ValueError: If an argument is not valid, the file is not an image, a
            pixel is neither an id nor 255, or the zero label is to be reduced.
    """

    def __init__(
        self,
        num_ids: int = 4,
        channel: int = 0,
        imdecode_backend: str = 'pillow',
        backend_args: dict[str, Any] | None = None,
    ) -> None:
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

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        path = results['seg_map_path']
        if results.get('reduce_zero_label'):
            raise ValueError(
                f'{path}: reduce_zero_label would ignore the background, '
                'which is a class of these masks: leave it out.'
            )
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
            # mmcv gives BGR, whatever the backend; gray with alpha has two.
            colors = mask.shape[2] >= 3
            mask = mask[..., 2 - self.channel if colors else 0]
        wrong = np.unique(mask[(mask >= self.num_ids) & (mask != 255)])
        if wrong.size:
            raise ValueError(
                f'{path} contains the values {wrong[:5].tolist()}; with '
                f'num_ids={self.num_ids} they must be smaller, or 255.'
            )
        table = np.arange(256, dtype=np.uint8)
        for old, new in (results.get('label_map') or {}).items():
            table[old] = new
        results['gt_seg_map'] = table[mask.astype(np.uint8)]
        results['seg_fields'].append('gt_seg_map')

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_ids={self.num_ids}, '
            f'channel={self.channel}, '
            f'imdecode_backend={self.imdecode_backend!r}, '
            f'backend_args={self.backend_args})'
        )
