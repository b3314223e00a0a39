"""The measures of Sewer-ML: F1 per class, F2-CIW and F1-Normal."""

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmdsr.datasets.sewer_ml_csv import CIW
from mmdsr.registry import METRICS


def f_scores(predicted, truth, beta=1):
    r"""Compute the F-score of each class.

    With N_g images that have the class, N_p predicted to have it and N_c of
    them right, and as the benchmark does with N_p = 0 taken as 1 and a score
    that is not defined taken as 0:

    .. math::
        P = N_c / N_p, \quad R = N_c / N_g, \quad
        F_\beta = (1 + \beta^2) P R / (\beta^2 P + R)

    Args:
        predicted (np.ndarray): ``(N, K)`` bool.
        truth (np.ndarray): ``(N, K)`` bool.
        beta (float): How much more recall counts than precision.

    Returns:
        np.ndarray: ``(K,)`` in [0, 1].

    Raises:
        ValueError: If the shapes differ.
    """
    predicted = np.asarray(predicted, bool)
    truth = np.asarray(truth, bool)
    if predicted.shape != truth.shape or predicted.ndim != 2:
        raise ValueError(
            'predicted and truth must have one shape (N, K), not '
            f'{predicted.shape} and {truth.shape}.'
        )
    right = (predicted & truth).sum(0)
    with np.errstate(invalid='ignore'):
        precision = right / np.maximum(predicted.sum(0), 1)
        recall = right / truth.sum(0)
        scores = (1 + beta**2) * precision * recall
        scores /= beta**2 * precision + recall
    return np.nan_to_num(scores)


def f2_ciw(f2, codes):
    """Average F2 with the class importance weights of Sewer-ML.

    Args:
        f2 (Sequence[float]): F2 of each class.
        codes (Sequence[str]): Their codes.

    Returns:
        float: The average; that of the benchmark if these are its 17
        classes.

    Raises:
        KeyError: If a code is none of the benchmark's.
    """
    unknown = [code for code in codes if code not in CIW]
    if unknown:
        raise KeyError(
            f'Sewer-ML has no importance weight for {", ".join(unknown)}.'
        )
    return float(np.average(f2, weights=[CIW[code] for code in codes]))


def f1_normal(predicted, truth):
    """Compute F1 of the implicit class "normal": no class at all.

    Args:
        predicted (np.ndarray): ``(N, K)`` bool.
        truth (np.ndarray): ``(N, K)`` bool.

    Returns:
        float: In [0, 1].
    """
    normal = [
        ~np.asarray(table, bool).any(1, keepdims=True)
        for table in (predicted, truth)
    ]
    return float(f_scores(*normal)[0])


@METRICS.register_module()
class SewerMLMetric(BaseMetric):
    """F1 per class, F2-CIW and F1-Normal of Sewer-ML, in percent.

    A class is found where its score is at least the threshold. Results:

    - ``F1/CODE`` of each class and ``F1/mean``, their plain mean as in the
      tables of the DSRNet paper;
    - ``F2CIW`` over the benchmark's 17 classes. Over another set of classes
      the value is not comparable with the benchmark's and its name says over
      how many it is: ``F2CIW-15``;
    - ``F1Normal``, of images without a class. One that only a class of the
      benchmark outside the label set is seen in is normal here.

    Args:
        thr (float): The threshold.
        absent (str): Classes without a positive in the test data, as the
            four that SewerSim does not make: ``'skip'`` leaves them out of
            the keys, of ``F1/mean`` and of F2-CIW, and the log says which;
            ``'zero'`` counts them with 0, as the benchmark does. False
            alarms for them count in ``F1Normal`` in any case.
        collect_device (str): ``'cpu'`` or ``'gpu'``, for several processes.
        prefix (str, optional): Put before the names, with a slash.

    Raises:
        ValueError: If ``absent`` is something else.
    """

    # Else mmengine warns that there is none.
    default_prefix = ''

    def __init__(
        self, thr=0.5, absent='skip', collect_device='cpu', prefix=None
    ):
        if absent not in ('skip', 'zero'):
            raise ValueError(
                f"absent must be 'skip' or 'zero', not {absent!r}."
            )
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.thr = thr
        self.absent = absent

    def process(self, data_batch, data_samples):
        """Keep what was found and what is there.

        Args:
            data_batch (dict): Not used.
            data_samples (Sequence[dict]): mmpretrain's, with ``pred_score``
                ``(K,)`` and ``gt_score`` ``(K,)`` or ``gt_label``.
        """
        for sample in data_samples:
            score = sample['pred_score'].cpu().numpy()
            if 'gt_score' in sample:
                truth = sample['gt_score'].cpu().numpy() > 0
            else:
                truth = np.zeros(score.shape, bool)
                truth[sample['gt_label'].cpu().numpy()] = True
            self.results.append((score >= self.thr, truth))

    def compute_metrics(self, results):
        """Compute the measures over all images.

        Args:
            results (list[tuple[np.ndarray, np.ndarray]]): What
                :meth:`process` kept of each image.

        Returns:
            dict[str, float]: Name to percent.

        Raises:
            ValueError: If the predictions do not have the classes of the
                data set, or no class is in the test data.
        """
        predicted, truth = map(np.stack, zip(*results, strict=True))
        codes = self.dataset_meta['classes']
        if len(codes) != truth.shape[1]:
            raise ValueError(
                f'The model has {truth.shape[1]} classes, the data set '
                f'{len(codes)}: set num_classes of the head, or label_set.'
            )
        counted = truth.any(0) | (self.absent == 'zero')
        if not counted.any():
            raise ValueError('No image of the test data has a class.')
        if not counted.all():
            absent = [
                code for code, c in zip(codes, counted, strict=True) if not c
            ]
            MMLogger.get_current_instance().info(
                f'Not in the test data, and not in the means: '
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
