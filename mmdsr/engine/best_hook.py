"""Keep one best checkpoint per metric, even after a kill."""

import re
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner


class OneBestHook(Hook):
    """Remove best checkpoints that a better one has replaced.

    CheckpointHook does so while it runs. If a training is killed after a best
    checkpoint was written and before the newest checkpoint records it, the
    resumed training does not know about it and would keep it next to its
    successor.
    """

    # After CheckpointHook.
    priority = 'LOWEST'

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, Any] | None = None
    ) -> None:
        """Remove best checkpoints that are left over.

        Args:
            runner: The runner.
            metrics: Not used.
        """
        if not is_main_process():
            return
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and hook.save_best:
                for key, path in _best(hook).items():
                    _remove_others(key, Path(path))


def _best(hook: CheckpointHook) -> dict[str, str]:
    """Map each metric that has a best checkpoint to its path."""
    if len(hook.key_indicators) == 1:
        found = {hook.key_indicators[0]: hook.best_ckpt_path}
    else:
        found = hook.best_ckpt_path_dict
    return {key: path for key, path in found.items() if path}


def _remove_others(key: str, best: Path) -> None:
    """Remove the best checkpoints of a metric before the given one.

    A later one was left by a training that was resumed at an earlier step, and
    may be better.
    """
    if not best.is_file():
        return
    name = re.escape(f'best_{key}_'.replace('/', '_'))
    # A longer name belongs to a metric with a longer name.
    pattern = re.compile(name + r'(iter|epoch)_(\d+)\.pth')
    own = pattern.fullmatch(best.name)
    for path in best.parent.iterdir():
        other = pattern.fullmatch(path.name)
        if own is None or other is None or path == best:
            continue
        if own[1] != other[1] or int(other[2]) < int(own[2]):
            path.unlink()
