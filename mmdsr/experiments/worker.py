"""One run of an experiment in a separate process: train, then test.

``python -m mmdsr.experiments.worker FOLDER [PARENT]`` reads ``config.py`` and
``task.json`` of the folder, trains in ``work``, does each test in
``tests/NAME`` and writes ``result.json``. After an interruption, it continues
from its newest checkpoint and skips finished tests. It ends when the process
``PARENT`` has ended.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.runner import find_latest_checkpoint

from mmdsr.engine.launch import load_config, set_resume, train
from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.evaluate import evaluate as evaluate_network
from mmdsr.experiments.downstream.evaluate import evaluate as evaluate_host
from mmdsr.experiments.runs import (
    TESTS,
    check_inputs,
    note_inputs,
    place_of,
    teacher_of,
)
from mmdsr.experiments.table2.evaluate import evaluate as evaluate_peer
from mmdsr.io.reports import write_json

#: Function that does one test, by the kind of the run.
EVALUATORS: dict[str, Callable[..., dict[str, Any]]] = {
    'ablation': evaluate_network,
    'downstream': evaluate_host,
    'table2': evaluate_peer,
}


def die_with_parent(parent: int) -> None:
    """End this process when its parent process has ended.

    A run that outlives its experiment would write into the folder in which the
    next start of the experiment continues.

    Args:
        parent: Id of the parent process.
    """
    # It may have ended while this process imported its modules.
    if os.getppid() != parent:
        sys.exit(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def train_once(folder: Path) -> Path:
    """Train, unless the training is finished.

    Args:
        folder: Folder of the run.

    Returns:
        The last checkpoint.
    """
    done = folder / 'trained.json'
    if done.is_file():
        checkpoint = folder / json.loads(done.read_text())['checkpoint']
        if checkpoint.is_file():
            return checkpoint
    work = folder / 'work'
    cfg = load_config(folder / 'config.py', work_dir=str(work))
    teacher = teacher_of(cfg)
    check_inputs(folder, 'teacher', teacher)
    if teacher is not None:
        note_inputs(folder, 'teacher', teacher)
    # They are of weights that are no longer there.
    shutil.rmtree(folder / TESTS, ignore_errors=True)
    set_resume(cfg, 'auto')
    train(cfg)
    # The folder may have been moved since the name was noted.
    checkpoint = work / Path(find_latest_checkpoint(str(work))).name
    write_json(
        done, dict(checkpoint=checkpoint.relative_to(folder).as_posix())
    )
    return checkpoint


def run_test(
    folder: Path,
    checkpoint: Path,
    kind: str,
    name: str,
    task: dict[str, Any],
    data: object = None,
) -> dict[str, object]:
    """Do one test, unless it is finished.

    Args:
        folder: Folder of the run.
        checkpoint: Checkpoint to test.
        kind: Kind of the run.
        name: Name of the test.
        task: Arguments of the evaluator.
        data: What the data are, if they can change under their path.

    Returns:
        The metrics.
    """
    place = place_of(folder, name)
    result = place / 'metrics.json'
    if result.is_file():
        content = json.loads(result.read_text())
        if content['task'] == task and content.get('data') == data:
            return content['metrics']
    metrics = EVALUATORS[kind](folder / 'config.py', checkpoint, place, **task)
    write_json(result, dict(task=task, data=data, metrics=metrics))
    return metrics


def work(folder: Path) -> None:
    """Train and test.

    Args:
        folder: Folder of the run.

    Raises:
        UsageError: If data or checkpoints are missing or do not fit, or the
            teacher has changed.
        ValueError: If the data cannot be read.
    """
    task = json.loads((folder / 'task.json').read_text())
    checkpoint = train_once(folder)
    tested = task.get('tested', {})
    results = {
        name: run_test(
            folder, checkpoint, task['kind'], name, test, tested.get(name)
        )
        for name, test in task['tests'].items()
    }
    write_json(folder / 'result.json', dict(task=task, results=results))


def main() -> None:
    """Run the command line."""
    folder, *parent = sys.argv[1:]
    die_with_parent(int(parent[0]) if parent else os.getppid())
    try:
        work(Path(folder))
    except (UsageError, FileNotFoundError, ValueError) as error:
        sys.exit(f'{type(error).__name__}: {error}')


if __name__ == '__main__':
    main()
