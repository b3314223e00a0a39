"""Equal training time: iterations from the measured time of a step."""

import hashlib
import json
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import Runner

from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.fit import ALONE
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
        Median of :data:`STEPS` steps in seconds; of a GAN, the mean over its
        run, in which the generator is trained alone at first.
    """
    cfg = deepcopy(cfg)
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
        if not cfg.model.get('discriminator'):
            return _median_step(cfg)
        cfg.model.train_cfg.pixel_init = STEPS + 1
        alone = _median_step(cfg)
        cfg.model.train_cfg.pixel_init = 0
        return ALONE * alone + (1 - ALONE) * _median_step(cfg)


def _median_step(cfg: Config) -> float:
    """Measure the time of a step of a model that changes with none."""
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
            the same iterations. Those of another config or another number of
            threads are repeated.
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
            key = _key(cfg, threads)
            if label not in known or known[label]['of'] != key:
                known[label] = dict(seconds=step_seconds(cfg), of=key)
                write_json(note, known)
    finally:
        torch.set_num_threads(before)
    fitting = {}
    for label in configs:
        seconds = known[label]['seconds']
        fitting[label] = int(minutes * 60 / seconds)
        if fitting[label] < 1:
            raise UsageError(
                f'A step of {label} takes {seconds:.1f} s: give more '
                '--minutes.'
            )
    return fitting


def _key(cfg: Config, threads: int) -> str:
    """Return a digest of what the time of a step depends on."""
    content = repr((cfg.to_dict(), threads))
    return hashlib.sha256(content.encode()).hexdigest()
