"""Errors of the depth that a network predicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from mmdsr.evaluation.depth_metrics import depth_errors, roughness
from mmdsr.evaluation.metrics import SampleMetric
from mmdsr.registry import METRICS

#: Names in the log to keys of the errors.
NAMES = {
    'AbsRel': 'abs_rel',
    'Delta1.25': 'delta_1.25',
    'SILog': 'scale_invariant',
}


def to_depth(
    inverse: np.ndarray, near: float = 0.25, far: float = 50.0
) -> np.ndarray:
    """Turn normalized inverse depth into depth.

    Args:
        inverse: ``near / Z``, any shape; NaN = unknown.
        near: Depth in meters of the value 1.
        far: Largest depth in meters; larger ones are clipped to it.

    Returns:
        Depth in meters, float64; NaN = unknown.
    """
    inverse = np.asarray(inverse, np.float64)
    return near / np.maximum(inverse, near / far)


@METRICS.register_module()
class DepthError(SampleMetric):
    """Errors of ``pred_depth`` against ``depth_lr``, means over samples.

    Depth in meters, see :mod:`mmdsr.evaluation.depth_metrics`: ``AbsRel``,
    ``Delta1.25``, ``SILog``, ``Roughness``. Samples without depth, and true
    depths beyond ``far``, do not count. The errors are those of
    ``tools/analysis_tools/eval_depth.py``.

    Args:
        near: Depth in meters of the value 1 in the maps, as in
            :class:`mmdsr.LoadDepth`.
        far: Largest depth in meters.
        collect_device: ``'cpu'`` or ``'gpu'``, for several processes.
        prefix: Prefix of the names, separated by a slash.
    """

    name = 'DepthError'

    def __init__(
        self,
        near: float = 0.25,
        far: float = 50.0,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.near = near
        self.far = far

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
            KeyError: If a sample has no depth map, or no prediction.
        """
        for sample in data_samples:
            found = sample['output'].get('pred_depth')
            if 'depth_lr' not in sample:
                raise KeyError(
                    'DepthError needs the true depth: add mmdsr.LoadDepth to '
                    "the pipeline and 'depth_lr' to data_keys of PackInputs."
                )
            if found is None:
                raise KeyError(
                    'DepthError needs a network that predicts depth; this '
                    'one returns no pred_depth.'
                )
            true = _array(sample['depth_lr'])
            true = np.where(true >= self.near / self.far, true, np.nan)
            if np.isnan(true).all():
                self.results.append(None)
                continue
            true = self.near / true
            found = to_depth(_array(found), self.near, self.far)
            errors = depth_errors(found, true)
            row = {name: errors[key] for name, key in NAMES.items()}
            try:
                row['Roughness'] = roughness(found, true)
            except ValueError:
                # No three pixels in a row are known: no bend can be seen.
                row['Roughness'] = float('nan')
            self.results.append(row)

    def compute_metrics(
        self, results: list[dict[str, Any] | None]
    ) -> dict[str, float]:
        """Average over samples.

        Args:
            results: Errors of each sample.

        Returns:
            Means of the known errors; NaN if none is known.
        """
        rows = [row for row in results if row is not None]
        means = {}
        for name in (*NAMES, 'Roughness'):
            known = [row[name] for row in rows if not np.isnan(row[name])]
            means[name] = float(np.mean(known)) if known else float('nan')
        return means


def _array(tensor: Tensor) -> np.ndarray:
    """Return the (H, W) array of a map with a channel and maybe a batch."""
    return tensor.detach().float().cpu().numpy().reshape(tensor.shape[-2:])
