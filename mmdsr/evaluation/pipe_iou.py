"""Intersection over union of the Pipe classes, one by one."""

import torch
from mmseg.evaluation import IoUMetric
from torch import Tensor

from mmdsr.datasets.pipe_seg import PipeSegDataset
from mmdsr.registry import METRICS


@METRICS.register_module()
class PipeIoUMetric(IoUMetric):
    """IoU per class in percent, and their mean without the background.

    Adds to mmseg's ``aAcc``, ``mIoU`` and ``mAcc``, not rounded:

    - ``IoU/JO``, ``IoU/IL``, ``IoU/IN``: over the pixels of all images.
      Classes other than those of :class:`mmdsr.PipeSegDataset` go by their
      names.
    - ``IoU/mean``: mean of these. The paper's "Mean" (Tables 3 and 4) is
      not the mean of its three rows, but fits one over five classes with
      the background.
    - ``IoU/mean_all``: mean of all classes, the background included.

    A class that is neither in the masks nor predicted anywhere is NaN and
    left out of the means.

    Args:
        background: Name of the class that ``IoU/mean`` leaves out.
        **kwargs: For mmseg's ``IoUMetric``.
    """

    def __init__(
        self, background: str = 'background', **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.background = background

    def compute_metrics(
        self, results: list[tuple[Tensor]]
    ) -> dict[str, float]:
        """Compute the metrics from the areas of all images.

        Args:
            results: Results of ``intersect_and_union``, one per image.

        Returns:
            The metrics.
        """
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        # In double precision: float32 loses single pixels after 2^24.
        intersection, union = (
            torch.stack([image[part] for image in results]).double().sum(0)
            for part in (0, 1)
        )
        values = 100 * intersection / union
        classes = self.dataset_meta['classes']
        known = PipeSegDataset.METAINFO
        codes = dict(zip(known['classes'], known['codes'], strict=True))
        own = [name != self.background for name in classes]
        for name, value in zip(classes, values.tolist(), strict=True):
            if name != self.background:
                metrics[f'IoU/{codes.get(name) or name}'] = value
        metrics['IoU/mean'] = values[torch.tensor(own)].nanmean().item()
        metrics['IoU/mean_all'] = values.nanmean().item()
        return metrics
