"""Average precision of boxes per class."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOeval
from mmdet.evaluation.metrics import CocoMetric
from mmengine.fileio import load
from mmengine.logging import MMLogger

from mmdsr.registry import METRICS

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU thresholds of COCO's average precision."""


@METRICS.register_module()
class PipeAPMetric(CocoMetric):
    """COCO's average precision of each class and their mean, in percent.

    Results are ``AP50/CLASS`` (at an IoU of 0.5), ``AP/CLASS`` (mean over
    the IoUs 0.5, 0.55, ... 0.95), and ``AP50/mean``, ``AP/mean``. CLASS is
    the code of a class if the metainfo of the data set has ``codes``,
    otherwise its name. A class without any true box is NaN and left out of
    the mean.

    It takes mmdet's samples and evaluates with pycocotools. Unlike
    ``CocoMetric`` it does not round, and a detector that finds nothing gets
    zeros instead of no results.

    Args:
        ann_file: COCO file of the data set. Defaults to None: the truth comes
            with the samples, for which ``PackDetInputs`` needs ``'instances'``
            in its ``meta_keys``. Then only one path has to be set.
        max_dets: Number of best predictions per image and class that count.
        outfile_prefix: If given, keep the predictions in
            ``PREFIX.bbox.json``.
        backend_args: See ``CocoMetric``.
        collect_device: ``'cpu'`` or ``'gpu'``, for several processes.
        prefix: Prefix of the names, separated by a slash.
    """

    default_prefix = None

    def __init__(
        self,
        ann_file: str | None = None,
        max_dets: int = 100,
        outfile_prefix: str | None = None,
        backend_args: dict[str, Any] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(
            ann_file=ann_file,
            metric='bbox',
            proposal_nums=(max_dets,),
            iou_thrs=THRESHOLDS,
            outfile_prefix=outfile_prefix,
            backend_args=backend_args,
            collect_device=collect_device,
            prefix=prefix,
        )

    def process(
        self,
        data_batch: dict[str, Any],
        data_samples: Sequence[dict[str, Any]],
    ) -> None:
        """Keep the samples of a batch.

        Args:
            data_batch: Not used.
            data_samples: Samples with predictions.

        Raises:
            KeyError: If the truth is missing.
        """
        if self._coco_api is None and any(
            'instances' not in sample for sample in data_samples
        ):
            raise KeyError(
                'PipeAPMetric finds no ground truth in the samples: add '
                '"instances" to the meta_keys of PackDetInputs, or give it '
                'an ann_file.'
            )
        super().process(data_batch, data_samples)

    def compute_metrics(
        self, results: list[tuple[dict[str, Any]]]
    ) -> dict[str, float]:
        """Evaluate the predictions of a data set.

        Args:
            results: Truth and prediction of each image.

        Returns:
            Percentages, NaN for a class without truth.

        Raises:
            ValueError: If the classes of the data set are not the
                categories of ``ann_file`` in their order.
        """
        truths, predictions = zip(*results, strict=True)
        classes = list(self.dataset_meta['classes'])
        with tempfile.TemporaryDirectory() as folder:
            prefix = self.outfile_prefix or str(Path(folder, 'boxes'))
            coco = self._coco_api
            if coco is None:
                coco = COCO(self.gt_to_coco_json(truths, prefix))
            self.cat_ids = coco.get_cat_ids(cat_names=classes)
            found = [item['name'] for item in coco.loadCats(self.cat_ids)]
            # mmdet numbers the classes in the order of the file.
            if found != classes:
                raise ValueError(
                    f'The data set has the classes {classes}, but its '
                    f'annotation file has {found}: list the classes in '
                    'metainfo in the order of the file.'
                )
            files = self.results2json(predictions, prefix)
            boxes = load(files['bbox'])
        evaluation = COCOeval(coco, _load_results(coco, boxes), 'bbox')
        evaluation.params.catIds = self.cat_ids
        evaluation.params.imgIds = coco.get_img_ids()
        evaluation.params.maxDets = self.proposal_nums
        evaluation.params.iouThrs = self.iou_thrs
        evaluation.evaluate()
        evaluation.accumulate()
        # (IoU, recall, class, area, detections); -1 where there is no truth.
        precision = evaluation.eval['precision'][:, :, :, 0, -1]
        precision = np.where(precision < 0, np.nan, precision) * 100
        names = list(self.dataset_meta.get('codes') or classes)
        metrics = {
            **_per_class('AP50', precision[:1], names),
            **_per_class('AP', precision, names),
        }
        MMLogger.get_current_instance().info(
            'AP50 '
            + ', '.join(
                f'{name} {metrics[f"AP50/{name}"]:.1f}'
                for name in [*names, 'mean']
            )
        )
        return metrics


def _load_results(coco: COCO, boxes: list[dict[str, Any]]) -> COCO:
    """Pass predictions to pycocotools, which does not accept an empty list."""
    if boxes:
        return coco.loadRes(boxes)
    nothing = COCO()
    nothing.dataset = {**coco.dataset, 'annotations': []}
    nothing.createIndex()
    return nothing


def _per_class(
    metric: str, precision: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Average a ``(IoU, recall, class)`` array to a value per class."""
    values = precision.mean(axis=(0, 1))
    known = values[~np.isnan(values)]
    result = {
        f'{metric}/{name}': float(value)
        for name, value in zip(names, values, strict=True)
    }
    result[f'{metric}/mean'] = float(known.mean()) if len(known) else np.nan
    return result
