"""Equal training time: iterations from the measured time of a step."""

import json
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import Runner

from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.study import has_teacher
from mmdsr.io.checkpoint import save_weights
from mmdsr.io.reports import write_json
from mmdsr.registry import MODELS

#: Number of timed steps, after a warm-up step.
STEPS = 4


def step_seconds(cfg: Config) -> float:
    """Measure the time of a training step, loading included.

    Args:
        cfg: A prepared config, which is not changed.

    Returns:
        Median of :data:`STEPS` steps in seconds.
    """
    cfg = cfg.copy()
    init_default_scope(cfg.default_scope)
    with (
        DefaultScope.overwrite_default_scope(cfg.default_scope),
        tempfile.TemporaryDirectory() as folder,
    ):
        if has_teacher(cfg):
            # The time does not depend on the weights.
            path = Path(folder, 'teacher.pth')
            save_weights(MODELS.build(cfg.model.teacher).state_dict(), path)
            cfg.model.teacher_checkpoint = str(path)
        if cfg.model.get('discriminator'):
            # Nearly all steps are of this kind.
            cfg.model.train_cfg.pixel_init = 0
        model = MODELS.build(cfg.model).train()
        if torch.cuda.is_available():
            model.cuda()
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
        loader = Runner.build_dataloader(cfg.train_dataloader)
        batches = iter(loader)
        times = []
        for _ in range(STEPS + 1):
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                batches = iter(loader)
                batch = next(batches)
            model.train_step(batch, optimizer)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return median(times[1:])


def iterations_in(
    minutes: float, configs: dict[str, Config], note: Path, threads: int
) -> dict[str, int]:
    """Return the number of iterations of each row for a given time.

    Args:
        minutes: Time of each training run.
        configs: Prepared config of each row.
        note: JSON file with earlier measurements, so that a resumed study has
            the same iterations.
        threads: Number of CPU threads of a training run.

    Returns:
        Iterations of each row.

    Raises:
        UsageError: If the time is too short for one iteration.
    """
    known = {}
    if note.is_file():
        known = json.loads(note.read_text(encoding='utf-8'))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for label, cfg in configs.items():
            if label not in known:
                known[label] = step_seconds(cfg)
                write_json(note, known)
    finally:
        torch.set_num_threads(before)
    fitting = {label: int(minutes * 60 / known[label]) for label in configs}
    for label, count in fitting.items():
        if count < 1:
            raise UsageError(
                f'A step of {label} takes {known[label]:.1f} s: give more '
                '--minutes.'
            )
    return fitting
