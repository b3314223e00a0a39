"""The test of a task's network by its host on one version of the images."""

import math
from pathlib import Path

from mmdsr.engine.launch import load_config, test
from mmdsr.experiments.downstream.task import retarget


def evaluate(
    config: Path,
    checkpoint: Path,
    place: Path,
    roots: dict[str, str],
    images: int,
) -> dict[str, float | None]:
    """Test a network on one version of the images.

    Args:
        config: Config of the training.
        checkpoint: Checkpoint to test.
        place: Folder for the files of the test.
        roots: Data root of the version for each data root of the config.
        images: Number of predictions to keep.

    Returns:
        The metrics; values that are not finite become None.
    """
    cfg = load_config(config, work_dir=str(place))
    retarget(cfg, roots)
    cfg.experiment_name = f'{cfg.experiment_name}_{place.name}'
    cfg.custom_hooks = [
        *(cfg.get('custom_hooks') or []),
        dict(
            type='mmdsr.SavePredictionsHook',
            out=str(place / 'predictions'),
            images=images,
        ),
    ]
    return {
        key: float(value) if math.isfinite(value) else None
        for key, value in test(cfg, checkpoint).items()
        if isinstance(value, (int, float)) or hasattr(value, '__float__')
    }
