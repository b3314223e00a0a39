"""Accuracy of the matches between LR and the reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from mmdsr.evaluation.metrics import SampleMetric
from mmdsr.registry import METRICS

THRESHOLDS = (0.25, 0.5, 1.0, 2.0)


def match_errors(
    flow: np.ndarray, truth: np.ndarray, visible: np.ndarray
) -> np.ndarray:
    """Return the end-point errors of the visible pixels.

    Args:
        flow: Predicted flow ``(2, H, W)`` in LR pixels.
        truth: True flow ``(2, H, W)``.
        visible: ``(1, H, W)`` or ``(H, W)``, nonzero where the reference shows
            the spot.

    Returns:
        ``(n,)`` float32 in LR pixels.

    Raises:
        ValueError: If the shapes differ.
    """
    flow, truth = np.asarray(flow), np.asarray(truth)
    shown = np.asarray(visible).reshape(truth.shape[-2:]) > 0
    if flow.shape != truth.shape:
        raise ValueError(
            f'The flow has shape {flow.shape}, but the truth has '
            f'{truth.shape}.'
        )
    return np.hypot(*(flow - truth))[shown].astype(np.float32)


def match_accuracy(errors: np.ndarray) -> dict[str, float]:
    """Summarize end-point errors.

    Args:
        errors: ``(n,)`` in LR pixels.

    Returns:
        ``Match@T`` for each T of ``THRESHOLDS``: share of the errors up to T,
        in percent; ``EPE-median`` in LR pixels. NaN if ``errors`` is empty.

    Examples:
        >>> import numpy as np
        >>> from mmdsr.evaluation.match_accuracy import match_accuracy
        >>> shares = match_accuracy(np.array([0.1, 0.3, 0.9, 5.0]))
        >>> shares['Match@0.5'], shares['Match@1'], shares['Match@2']
        (50.0, 75.0, 75.0)
        >>> round(shares['EPE-median'], 3)
        0.6
    """
    if not len(errors):
        names = [f'Match@{limit:g}' for limit in THRESHOLDS]
        return dict.fromkeys([*names, 'EPE-median'], float('nan'))
    shares = {
        f'Match@{limit:g}': float(100 * np.mean(errors <= limit))
        for limit in THRESHOLDS
    }
    return {**shares, 'EPE-median': float(np.median(errors))}


@METRICS.register_module()
class MatchAccuracy(SampleMetric):
    """Share of visible pixels that are matched to within a few pixels.

    It is over all visible pixels of all samples. The prediction is
    ``pred_flow`` of ``'output'``, the truth ``flow`` and ``visible`` of
    :class:`mmdsr.LoadFlow`.

    Args:
        collect_device: ``'cpu'`` or ``'gpu'``, for several processes.
        prefix: Prefix of the names, separated by a slash.
    """

    name = 'MatchAccuracy'

    def process(
        self,
        data_batch: dict[str, Any],
        data_samples: Sequence[dict[str, Any]],
    ) -> None:
        """Compare the samples of a batch.

        Args:
            data_batch: Not used.
            data_samples: Samples with predictions.

        Raises:
            KeyError: If a sample has no true flow, or no prediction though
                something is visible.
        """
        for sample in data_samples:
            found = sample['output'].get('pred_flow')
            if 'flow' not in sample or 'visible' not in sample:
                raise KeyError(
                    'MatchAccuracy needs the true flow: add mmdsr.LoadFlow '
                    "to the pipeline and 'flow' and 'visible' to data_keys "
                    'of PackInputs.'
                )
            if not (sample['visible'] > 0).any():
                # As without a reference, where there is no flow to find.
                self.results.append(np.zeros(0, np.float32))
                continue
            if found is None:
                raise KeyError(
                    'MatchAccuracy needs a network that exposes its match; '
                    'this one returns no pred_flow.'
                )
            self.results.append(
                match_errors(
                    _array(found),
                    _array(sample['flow']),
                    _array(sample['visible']),
                )
            )

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Summarize over all pixels.

        Args:
            results: Errors of each sample.

        Returns:
            See :func:`match_accuracy`.
        """
        return match_accuracy(np.concatenate(results))


def _array(tensor: Tensor) -> np.ndarray:
    """Return the (C, H, W) array of a field, maybe with a batch of one."""
    array = tensor.detach().cpu().numpy()
    return array[0] if array.ndim == 4 else array
