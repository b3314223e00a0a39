"""One training of a task in a process of its own, and its tests.

``python -m mmdsr.experiments.downstream.worker FOLDER`` reads ``config.py``
and ``task.json`` of the folder, trains in ``work``, tests each version in
``tests/VERSION`` and writes ``result.json``. Stopped at any point, it goes on
from its newest checkpoint and the tests that are done.
"""

import json
import math
import sys
from pathlib import Path

from mmengine.runner import find_latest_checkpoint

from mmdsr.engine.launch import load_config, set_resume, test, train
from mmdsr.errors import UsageError
from mmdsr.experiments.downstream.task import retarget
from mmdsr.experiments.runs import die_with_parent, write_json


def train_once(folder):
    """Train, unless that is done.

    Args:
        folder (Path): Folder of the run.

    Returns:
        Path: The last checkpoint.
    """
    done = folder / 'trained.json'
    if done.is_file():
        checkpoint = folder / json.loads(done.read_text())['checkpoint']
        if checkpoint.is_file():
            return checkpoint
    work = folder / 'work'
    cfg = load_config(folder / 'config.py', work_dir=work)
    set_resume(cfg, 'auto')
    train(cfg)
    # The folder may have been moved since the name was noted.
    checkpoint = work / Path(find_latest_checkpoint(str(work))).name
    write_json(
        done, dict(checkpoint=checkpoint.relative_to(folder).as_posix())
    )
    return checkpoint


def test_version(folder, checkpoint, name, roots, images):
    """Test on one version, unless that is done.

    Args:
        folder (Path): Folder of the run.
        checkpoint (Path): What to test.
        name (str): Name of the version.
        roots (dict[str, str]): Its data roots by those of the config.
        images (int): How many predictions to keep.

    Returns:
        dict[str, float or None]: The metrics; what is not finite is None.
    """
    place = folder / 'tests' / name
    task = dict(roots=roots, images=images)
    result = place / 'metrics.json'
    if result.is_file():
        content = json.loads(result.read_text())
        if content['task'] == task:
            return content['metrics']
    cfg = load_config(folder / 'config.py', work_dir=place)
    retarget(cfg, roots)
    cfg.experiment_name = f'{cfg.experiment_name}_{name}'
    cfg.custom_hooks = [
        *(cfg.get('custom_hooks') or []),
        dict(
            type='mmdsr.SavePredictionsHook',
            out=str(place / 'predictions'),
            images=images,
        ),
    ]
    metrics = {
        key: float(value) if math.isfinite(value) else None
        for key, value in test(cfg, checkpoint).items()
        if isinstance(value, (int, float)) or hasattr(value, '__float__')
    }
    write_json(result, dict(task=task, metrics=metrics))
    return metrics


def work(folder):
    """Train and test.

    Args:
        folder (Path): Folder of the run.

    Raises:
        UsageError: If data or checkpoints are missing or do not fit.
    """
    task = json.loads((folder / 'task.json').read_text())
    checkpoint = train_once(folder)
    results = {
        name: test_version(folder, checkpoint, name, roots, task['images'])
        for name, roots in task['tests'].items()
    }
    write_json(folder / 'result.json', dict(task=task, results=results))


def main():
    """Run."""
    die_with_parent()
    try:
        work(Path(sys.argv[1]))
    except (UsageError, FileNotFoundError, ValueError) as error:
        sys.exit(f'{type(error).__name__}: {error}')


if __name__ == '__main__':
    main()
