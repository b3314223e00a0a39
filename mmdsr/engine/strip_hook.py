"""A hook that writes comparison strips during validation and testing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from PIL import Image
from torch import Tensor

from mmdsr.evaluation.metrics import field_order, to_rgb_array
from mmdsr.evaluation.strips import make_strip
from mmdsr.registry import HOOKS

if TYPE_CHECKING:
    from mmagic.structures import DataSample


@HOOKS.register_module()
class StripVisualizationHook(Hook):
    """Write LR | bicubic | Ref | SR | HR | depth strips.

    They are written to ``OUT_DIR/iter_N/STEM.png``, where N is the number of
    training iterations, or ``OUT_DIR/test/STEM.png``. The hook works in the
    loops of mmagic and mmengine. Prediction and input are expected in the form
    of mmagic's editors (BGR in [0, 255] after ``destruct``), the reference in
    that of the data loader. Depth is ``output.pred_depth``, if the model
    returns it, and ``depth_lr`` of the data set.

    Args:
        interval: Write every ``interval``-th sample of the data set.
        out_dir: Folder to write to. Defaults to ``vis_strips`` in the working
            directory.
        max_images: Maximum number of strips per evaluation; None for no
            limit.
        channel_order: Order of the channels of predictions and inputs,
            ``'BGR'`` or ``'RGB'``.

    Raises:
        ValueError: If ``interval`` or ``max_images`` is less than 1.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1,
        out_dir: Path | str | None = None,
        max_images: int | None = 8,
        channel_order: str = 'BGR',
    ) -> None:
        if interval < 1 or (max_images is not None and max_images < 1):
            raise ValueError('interval and max_images must be >= 1.')
        self.interval = interval
        self.out_dir = out_dir
        self.max_images = max_images
        self.channel_order = channel_order
        self._seen = 0
        self._written = 0

    def before_val_epoch(self, runner: Runner) -> None:
        """Reset the counters.

        Args:
            runner: The runner.
        """
        self._seen = self._written = 0

    def before_test_epoch(self, runner: Runner) -> None:
        """Reset the counters.

        Args:
            runner: The runner.
        """
        self._seen = self._written = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: 'Sequence[DataSample] | None' = None,
    ) -> None:
        """Write the strips of a batch.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Batch of the data loader.
            outputs: Predictions of the model.
        """
        self._handle(runner, f'iter_{runner.iter}', data_batch, outputs)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: 'Sequence[DataSample] | None' = None,
    ) -> None:
        """Write the strips of a batch.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Batch of the data loader.
            outputs: Predictions of the model.
        """
        self._handle(runner, 'test', data_batch, outputs)

    def _handle(
        self,
        runner: Runner,
        name: str,
        data_batch: dict[str, Any] | None,
        outputs: 'Sequence[DataSample] | None',
    ) -> None:
        # With several processes, only the first writes its share of the
        # samples.
        if not is_main_process():
            return
        root = self.out_dir or Path(runner.work_dir) / 'vis_strips'
        for i, sample in enumerate(outputs or ()):
            wanted = self._seen % self.interval == 0
            self._seen += 1
            if not wanted or self._written == self.max_images:
                continue
            if isinstance(sample, BaseDataElement):
                sample = sample.to_dict()
            strip = self._compose(sample, _reference(data_batch, i))
            path = Path(root) / name / f'{_stem(sample, self._seen)}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(strip).save(path)
            self._written += 1

    def _compose(
        self, sample: dict[str, Any], ref: Tensor | None
    ) -> np.ndarray:
        output = sample['output']
        if isinstance(output, BaseDataElement):
            output = output.to_dict()
        order = self.channel_order
        ref_array = None
        if ref is not None:
            ref_array = to_rgb_array(ref, field_order(sample, 'ref', 'RGB'))
        hr = sample.get('gt_img')
        if hr is not None:
            hr = to_rgb_array(hr, field_order(sample, 'gt_img', order))
        return make_strip(
            lr=to_rgb_array(sample['input'], order),
            ref=ref_array,
            sr=to_rgb_array(output['pred_img'], order),
            hr=hr,
            depth=_map(output.get('pred_depth')),
            depth_true=_map(sample.get('depth_lr')),
        )


def _reference(data_batch: dict[str, Any] | None, index: int) -> Tensor | None:
    """Return the reference of a sample as the data loader gave it."""
    inputs = (data_batch or {}).get('inputs')
    if not isinstance(inputs, dict) or 'ref' not in inputs:
        return None
    return inputs['ref'][index]


def _stem(sample: dict[str, Any], count: int) -> str:
    for key in ('gt_path', 'img_path'):
        if isinstance(sample.get(key), str):
            return Path(sample[key]).stem
    return f'{count:06d}'


def _map(depth: Tensor | None) -> np.ndarray | None:
    """Turn a ``(1, h, w)`` or ``(h, w)`` tensor into an array."""
    if depth is None:
        return None
    return depth.detach().float().cpu().reshape(depth.shape[-2:]).numpy()
