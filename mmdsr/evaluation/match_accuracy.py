"""How many pixels are matched with the right place of the reference."""

import numpy as np

from mmdsr.evaluation.metrics import SampleMetric
from mmdsr.registry import METRICS

THRESHOLDS = (0.25, 0.5, 1.0, 2.0)


def match_errors(flow, truth, visible):
    """Return the end-point errors of the visible pixels.

    Args:
        flow (np.ndarray): Found flow ``(2, H, W)`` in LR pixels.
        truth (np.ndarray): True flow ``(2, H, W)``.
        visible (np.ndarray): ``(1, H, W)`` or ``(H, W)``, nonzero where the
            reference shows the spot.

    Returns:
        np.ndarray: ``(n,)`` float32 LR pixels.

    Raises:
        ValueError: If the shapes differ.
    """
    flow, truth = np.asarray(flow), np.asarray(truth)
    shown = np.asarray(visible).reshape(truth.shape[-2:]) > 0
    if flow.shape != truth.shape:
        raise ValueError(
            f'The flow has shape {flow.shape}, the truth {truth.shape}.'
        )
    return np.hypot(*(flow - truth))[shown].astype(np.float32)


def match_accuracy(errors):
    """Summarize end-point errors.

    Args:
        errors (np.ndarray): ``(n,)`` LR pixels.

    Returns:
        dict[str, float]: ``Match@T`` for each of `THRESHOLDS`: share of the
        errors up to T, in percent; ``EPE-median`` in LR pixels. NaN without
        any error.
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
    """Share of visible pixels matched to a fraction of a pixel.

    Over all visible pixels of all samples together. The prediction is
    ``pred_flow`` of ``'output'``, the truth ``flow`` and ``visible`` of
    :class:`mmdsr.LoadFlow`.

    Args:
        collect_device (str): ``'cpu'`` or ``'gpu'``, for several processes.
        prefix (str, optional): Put before the names, with a slash.
    """

    name = 'MatchAccuracy'

    def process(self, data_batch, data_samples):
        """Compare the samples of a batch.

        Args:
            data_batch (dict): Not used.
            data_samples (Sequence[dict]): Samples with predictions.

        Raises:
            KeyError: If a sample has no true flow, or no prediction though
                something is visible.
        """
        for sample in data_samples:
            found = sample['output'].get('pred_flow')
            if 'flow' not in sample or 'visible' not in sample:
                raise KeyError(
                    'MatchAccuracy needs the true flow: put mmdsr.LoadFlow '
                    "into the pipeline and 'flow' and 'visible' into "
                    'data_keys of PackInputs.'
                )
            if not (sample['visible'] > 0).any():
                # As without a reference, where there is no flow to find.
                self.results.append(np.zeros(0, np.float32))
                continue
            if found is None:
                raise KeyError(
                    'MatchAccuracy needs a network that exposes its match; '
                    'this one gives no pred_flow.'
                )
            self.results.append(
                match_errors(
                    _array(found),
                    _array(sample['flow']),
                    _array(sample['visible']),
                )
            )

    def compute_metrics(self, results):
        """Summarize over all pixels.

        Args:
            results (list[np.ndarray]): Errors of each sample.

        Returns:
            dict[str, float]: See :func:`match_accuracy`.
        """
        return match_accuracy(np.concatenate(results))


def _array(tensor):
    """(C, H, W) of a field that may have a batch of one."""
    array = tensor.detach().cpu().numpy()
    return array[0] if array.ndim == 4 else array
