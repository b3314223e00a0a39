"""Super-resolution as a step of a pipeline."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch.utils.data import get_worker_info

from mmdsr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SuperResolve(BaseTransform):
    """Replace the image by its super-resolved version.

    The result is the same as with a super-resolving preprocessor, or with a
    file that ``tools/super_resolve.py`` wrote. Place the transform right
    after those that load image and annotations. It may precede or follow a
    ``Resize``, but must not come between the two steps of one, as mmcv's
    ``Resize`` overwrites ``scale_factor``. For the same reason it must follow
    the ``Resize`` where mmdet tests: detected boxes are divided by the factor.

    If ``img_shape`` is the size of ``img``, annotations that are already
    loaded also have that size and are enlarged: boxes, masks, key points,
    segmentation maps. If ``img_shape`` is ``scale`` times that size (after
    :class:`mmdsr.Downsample`), they already have the large size, and only
    ``img`` changes. Anything else is refused.

    Required keys: ``img``, ``(H, W, 3)`` BGR in 0..255, and the metainfo that
    ``reference`` needs. Modified keys: ``img``, ``img_shape``,
    ``scale_factor``, ``pad_shape`` (if there) and annotations; never
    ``ori_shape``.

    Args:
        sr: Arguments of :class:`mmdsr.inference.SuperResolver`.
        device: Device to compute on. CUDA needs ``num_workers=0``.

    Raises:
        ValueError: If image, metainfo or annotations are not as described.
        RuntimeError: If a worker process would use CUDA.
    """

    def __init__(self, sr: dict[str, Any], device: str = 'cpu') -> None:
        # Imported here because it imports mmengine's hooks and with them
        # transformers, which no other transform needs.
        from mmdsr.inference import SuperResolver

        self.resolver = SuperResolver(**sr)
        self.device = torch.device(device)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Super-resolve ``img``.

        Args:
            results: The sample so far.

        Returns:
            The sample; ``img`` is uint8 if it was before, otherwise float32.
        """
        if self.device.type != 'cpu' and get_worker_info() is not None:
            raise RuntimeError(
                f'SuperResolve(device={str(self.device)!r}) runs in a worker '
                'process, which cannot use CUDA after a fork: set '
                "num_workers=0, or device='cpu'."
            )
        image = results['img']
        if image.ndim != 3:
            raise ValueError(
                f'SuperResolve needs an img (H, W, 3), not {image.shape}: '
                "load it with color_type='color'."
            )
        size, scale = image.shape[:2], self.resolver.scale
        large = tuple(side * scale for side in size)
        stated = tuple(results.get('img_shape', size)[:2])
        if stated not in (size, large):
            raise ValueError(
                f'SuperResolve: img is {size[1]}x{size[0]}, but img_shape '
                f'says {stated[1]}x{stated[0]}. It must be the size of img or '
                f'{scale} times that. If images and annotations differ in '
                'size, use the files that tools/super_resolve.py writes.'
            )
        results['img'] = self._enlarge(image, results)
        if stated == size:
            _enlarge_metainfo(results, scale)
            _enlarge_annotations(results, scale)
        return results

    def _enlarge(
        self, image: np.ndarray, results: dict[str, Any]
    ) -> np.ndarray:
        tensor = torch.from_numpy(np.ascontiguousarray(image))
        tensor = tensor.permute(2, 0, 1).to(self.device)
        result = self.resolver([tensor], [results])[0]
        enlarged = result.permute(1, 2, 0).cpu().contiguous().numpy()
        if image.dtype == np.uint8:
            # Integers in 0..255: the conversion is lossless.
            return enlarged.astype(np.uint8)
        return enlarged

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.resolver!r})'


def _enlarge_metainfo(results: dict[str, Any], scale: int) -> None:
    size = results['img'].shape
    results['img_shape'] = size[:2]
    if 'pad_shape' in results:
        results['pad_shape'] = size[: len(results['pad_shape'])]
    factor = results.get('scale_factor')
    if factor is None or np.ndim(factor) == 0:
        # A single number stands for both sides.
        factor = (1.0 if factor is None else float(factor),) * 2
    results['scale_factor'] = tuple(side * scale for side in factor)


def _enlarge_annotations(results: dict[str, Any], scale: int) -> None:
    """Enlarge all annotations that the hosts keep at the size of ``img``."""
    height, width = results['img_shape']
    for key in ('gt_bboxes', 'proposals'):
        boxes = results.get(key)
        if boxes is None:
            continue
        if hasattr(boxes, 'rescale_'):  # mmdet's
            boxes.rescale_((scale, scale))
        else:
            results[key] = boxes * np.asarray(scale, boxes.dtype)
    if results.get('gt_masks') is not None:
        if not hasattr(results['gt_masks'], 'resize'):
            raise ValueError(
                'SuperResolve cannot enlarge gt_masks of type '
                f'{type(results["gt_masks"]).__name__}: place it before the '
                'transform that loads them.'
            )
        results['gt_masks'] = results['gt_masks'].resize((height, width))
    if results.get('gt_keypoints') is not None:
        points = results['gt_keypoints'].copy()
        points[..., :2] *= scale  # the visibility follows
        results['gt_keypoints'] = points
    for key in {'gt_seg_map', *results.get('seg_fields', ())}:
        if results.get(key) is not None:
            for axis in (0, 1):
                results[key] = results[key].repeat(scale, axis)
