"""The metrics of Sewer-ML: F1 per class, F2-CIW and F1-Normal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmdsr.datasets.sewer_ml_csv import CIW
from mmdsr.registry import METRICS


def f_scores(
    predicted: np.ndarray, truth: np.ndarray, beta: float = 1
) -> np.ndarray:
    r"""Compute the F-score of each class.

    N_g images have the class, N_p are predicted to have it, and N_c of these
    are right. As in the benchmark, N_p = 0 is taken as 1 and an undefined
    score as 0:

    .. math::
        P = N_c / N_p, \quad R = N_c / N_g, \quad
        F_\beta = (1 + \beta^2) P R / (\beta^2 P + R)

    Args:
        predicted: ``(N, K)`` bool.
        truth: ``(N, K)`` bool.
        beta: Weight of recall relative to precision.

    Returns:
        ``(K,)`` in [0, 1].

    Raises:
        ValueError: If the shapes differ.

    Examples:
        Two images, three classes: found, missed, and found one time too often:

        >>> import numpy as np
        >>> from mmdsr.evaluation.multi_label import f_scores
        >>> truth = np.array([[1, 1, 1], [0, 0, 0]])
        >>> predicted = np.array([[1, 0, 1], [0, 0, 1]])
        >>> f_scores(predicted, truth).round(3).tolist()
        [1.0, 0.0, 0.667]
        >>> f_scores(predicted, truth, beta=2).round(3).tolist()
        [1.0, 0.0, 0.833]
    """
    predicted = np.asarray(predicted, bool)
    truth = np.asarray(truth, bool)
    if predicted.shape != truth.shape or predicted.ndim != 2:
        raise ValueError(
            'predicted and truth must have the same shape (N, K), not '
            f'{predicted.shape} and {truth.shape}.'
        )
    right = (predicted & truth).sum(0)
    with np.errstate(invalid='ignore'):
        precision = right / np.maximum(predicted.sum(0), 1)
        recall = right / truth.sum(0)
        scores = (1 + beta**2) * precision * recall
        scores /= beta**2 * precision + recall
    return np.nan_to_num(scores)


def f2_ciw(f2: Sequence[float] | np.ndarray, codes: Sequence[str]) -> float:
    """Average F2 with the class importance weights of Sewer-ML.

    Args:
        f2: F2 of each class.
        codes: Code of each class.

    Returns:
        The average; that of the benchmark for its 17 classes.

    Raises:
        KeyError: If a code is not one of the benchmark's.
    """
    unknown = [code for code in codes if code not in CIW]
    if unknown:
        raise KeyError(
            f'Sewer-ML has no importance weight for {", ".join(unknown)}.'
        )
    return float(np.average(f2, weights=[CIW[code] for code in codes]))


def f1_normal(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Compute F1 of the implicit class "normal", the absence of all classes.

    Args:
        predicted: ``(N, K)`` bool.
        truth: ``(N, K)`` bool.

    Returns:
        F1 in [0, 1].
    """
    normal = [
        ~np.asarray(table, bool).any(1, keepdims=True)
        for table in (predicted, truth)
    ]
    return float(f_scores(*normal)[0])


@METRICS.register_module()
class SewerMLMetric(BaseMetric):
    """F1 per class, F2-CIW and F1-Normal of Sewer-ML, in percent.

    A class is predicted if its score is at least the threshold. Results:

    - ``F1/CODE`` of each class and ``F1/mean``, their plain mean as in the
      tables of the DSRNet paper;
    - ``F2CIW`` over the benchmark's 17 classes. Over another set of classes
      the value is not comparable with the benchmark's and its name has their
      number: ``F2CIW-15``;
    - ``F1Normal`` of images without a class. An image whose classes are all
      outside the label set is normal here.

    Args:
        thr: Threshold of the scores.
        absent: What to do with classes without a positive in the test data,
            such as the four that SewerSim does not make: ``'skip'`` leaves
            them out of the results, of ``F1/mean`` and of F2-CIW, and logs
            their codes; ``'zero'`` counts them as 0, as the benchmark does.
            False alarms for them count in ``F1Normal`` in any case.
        collect_device: ``'cpu'`` or ``'gpu'``, for several processes.
        prefix: Prefix of the names, separated by a slash.

    Raises:
        ValueError: If ``absent`` is something else.
    """

    # mmengine warns without a prefix.
    default_prefix = ''

    def __init__(
        self,
        thr: float = 0.5,
        absent: str = 'skip',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        if absent not in ('skip', 'zero'):
            raise ValueError(
                f"absent must be 'skip' or 'zero', not {absent!r}."
            )
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.thr = thr
        self.absent = absent

    def process(
        self,
        data_batch: dict[str, Any],
        data_samples: Sequence[dict[str, Any]],
    ) -> None:
        """Keep predictions and truth of a batch.

        Args:
            data_batch: Not used.
            data_samples: Of mmpretrain, with ``pred_score`` ``(K,)`` and
                ``gt_score`` ``(K,)`` or ``gt_label``.
        """
        for sample in data_samples:
            score = sample['pred_score'].cpu().numpy()
            if 'gt_score' in sample:
                truth = sample['gt_score'].cpu().numpy() > 0
            else:
                truth = np.zeros(score.shape, bool)
                truth[sample['gt_label'].cpu().numpy()] = True
            self.results.append((score >= self.thr, truth))

    def compute_metrics(
        self, results: list[tuple[np.ndarray, np.ndarray]]
    ) -> dict[str, float]:
        """Compute the metrics over all images.

        Args:
            results: What :meth:`process` kept of each image.

        Returns:
            The metrics in percent, by name.

        Raises:
            ValueError: If the predictions do not have the classes of the
                data set, or no class is in the test data.
        """
        predicted, truth = map(np.stack, zip(*results, strict=True))
        codes = self.dataset_meta['classes']
        if len(codes) != truth.shape[1]:
            raise ValueError(
                f'The model has {truth.shape[1]} classes, but the data set '
                f'has {len(codes)}: set num_classes of the head, or label_set.'
            )
        counted = truth.any(0) | (self.absent == 'zero')
        if not counted.any():
            raise ValueError('No image of the test data has a class.')
        if not counted.all():
            absent = [
                code for code, c in zip(codes, counted, strict=True) if not c
            ]
            MMLogger.get_current_instance().info(
                'Not in the test data and therefore not in the means: '
                f'{", ".join(absent)}'
            )
        normal = f1_normal(predicted, truth)
        codes = [code for code, c in zip(codes, counted, strict=True) if c]
        predicted, truth = predicted[:, counted], truth[:, counted]
        f1 = f_scores(predicted, truth)
        measures = dict(zip((f'F1/{c}' for c in codes), f1, strict=True))
        measures['F1/mean'] = f1.mean()
        if set(codes) <= set(CIW):
            whole = len(codes) == len(CIW)
            name = 'F2CIW' if whole else f'F2CIW-{len(codes)}'
            measures[name] = f2_ciw(f_scores(predicted, truth, 2), codes)
        measures['F1Normal'] = normal
        return {name: 100 * float(value) for name, value in measures.items()}
