"""One best checkpoint per metric, also after a kill."""

import re
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook


class OneBestHook(Hook):
    """Removes best checkpoints that a better one has replaced.

    CheckpointHook does so while it runs. Killed after a best checkpoint was
    written and before the newest one names it, a resumed training does not
    know of it and leaves it beside the next.
    """

    # After CheckpointHook.
    priority = 'LOWEST'

    def after_val_epoch(self, runner, metrics=None):
        """Remove what is left over.

        Args:
            runner (Runner): The runner.
            metrics (dict, optional): Not used. Defaults to None.
        """
        if not is_main_process():
            return
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and hook.save_best:
                for key, path in _best(hook).items():
                    _remove_others(key, Path(path))


def _best(hook):
    """Map each metric to its best checkpoint, where there is one."""
    if len(hook.key_indicators) == 1:
        found = {hook.key_indicators[0]: hook.best_ckpt_path}
    else:
        found = hook.best_ckpt_path_dict
    return {key: path for key, path in found.items() if path}


def _remove_others(key, best):
    """Remove the checkpoints of a metric but for the best one."""
    if not best.is_file():
        return
    name = re.escape(f'best_{key}_'.replace('/', '_'))
    for path in best.parent.iterdir():
        # More than a number would belong to a metric of a longer name.
        if path != best and re.fullmatch(
            name + r'(iter|epoch)_\d+\.pth', path.name
        ):
            path.unlink()
