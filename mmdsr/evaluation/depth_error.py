"""How far the depth that a network predicts is from the truth."""

import numpy as np

from mmdsr.evaluation.depth_metrics import depth_errors, roughness
from mmdsr.evaluation.metrics import SampleMetric
from mmdsr.registry import METRICS

#: Of the log to the keys of the errors.
NAMES = {
    'AbsRel': 'abs_rel',
    'Delta1.25': 'delta_1.25',
    'SILog': 'scale_invariant',
}


def to_depth(inverse, near=0.25, far=50.0):
    """Turn normalised inverse depth into depth.

    Args:
        inverse (np.ndarray): ``near / Z``, any shape; NaN = unknown.
        near (float): Metres that 1 stands for.
        far (float): Largest depth, metres: what is farther lies there.

    Returns:
        np.ndarray: Metres, float64; NaN = unknown.
    """
    inverse = np.asarray(inverse, np.float64)
    return near / np.maximum(inverse, near / far)


@METRICS.register_module()
class DepthError(SampleMetric):
    """Errors of ``pred_depth`` against ``depth_lr``, means over samples.

    Depth in metres, see :mod:`mmdsr.evaluation.depth_metrics`: ``AbsRel``,
    ``Delta1.25``, ``SILog``, ``Roughness``. Samples without depth, and true
    depths beyond ``far``, do not count. The same errors are printed by
    ``tools/analysis_tools/eval_depth.py``.

    Args:
        near (float): Metres that the value 1 of the maps stands for, as in
            :class:`mmdsr.LoadDepth`. Defaults to 0.25.
        far (float): Largest depth, metres. Defaults to 50.
        collect_device (str): ``'cpu'`` or ``'gpu'``, for several processes.
        prefix (str, optional): Put before the names, with a slash.
    """

    name = 'DepthError'

    def __init__(self, near=0.25, far=50.0, collect_device='cpu', prefix=None):
        super().__init__(collect_device, prefix)
        self.near = near
        self.far = far

    def process(self, data_batch, data_samples):
        """Compare the samples of a batch.

        Args:
            data_batch (dict): Not used.
            data_samples (Sequence[dict]): Samples with predictions.

        Raises:
            KeyError: If a sample has no depth map, or no prediction.
        """
        for sample in data_samples:
            found = sample['output'].get('pred_depth')
            if 'depth_lr' not in sample:
                raise KeyError(
                    'DepthError needs the true depth: put mmdsr.LoadDepth '
                    "into the pipeline and 'depth_lr' into data_keys of "
                    'PackInputs.'
                )
            if found is None:
                raise KeyError(
                    'DepthError needs a network that predicts depth; this '
                    'one gives no pred_depth.'
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
            row['Roughness'] = roughness(found, true)
            self.results.append(row)

    def compute_metrics(self, results):
        """Average over samples.

        Args:
            results (list[dict or None]): Errors of each sample.

        Returns:
            dict[str, float]: Means; NaN without any depth.
        """
        rows = [row for row in results if row is not None]
        return {
            name: float(np.mean([row[name] for row in rows]))
            if rows
            else float('nan')
            for name in (*NAMES, 'Roughness')
        }


def _array(tensor):
    """(H, W) of a map with a channel and perhaps a batch of one."""
    return tensor.detach().float().cpu().numpy().reshape(tensor.shape[-2:])
