"""Measure whether data loading slows training down.

The rates of loading alone, of the training step alone and of both together are
measured in turn, round by round: the speed of a machine drifts, so that only
measurements of the same few minutes can be compared.
"""

import copy
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from rich.table import Table
from torch.utils.data import DataLoader

from mmdsr.analysis.benchmark import synchronize
from mmdsr.registry import MODELS


@dataclass
class Rates:
    """Rates with one number of workers, medians over the rounds.

    Attributes:
        workers: Number of loading processes.
        loading: Samples per second, loading alone.
        together: Samples per second, training on what is loaded.
        lost: Share of the training time lost to loading, in [0, 1]; noise may
            make it slightly negative.
    """

    workers: int
    loading: float
    together: float
    lost: float


@dataclass
class LoadingReport:
    """Result of :func:`measure_loading`.

    Attributes:
        batch_size: Samples per step.
        device: Device of the training step.
        threads: Number of threads of torch.
        step: Samples per second of the training step, with a batch that is
            loaded already; median over the rounds.
        rates: One per number of workers.
        transforms: Milliseconds of processor time per sample that each
            transform takes.
        load: Load average of the machine before and after; empty if unknown.
    """

    batch_size: int
    device: str
    threads: int
    step: float
    rates: list
    transforms: dict
    load: list = field(default_factory=list)


def prepare(cfg: Config) -> None:
    """Prepare a process for a config as its runner would.

    Args:
        cfg: The config.
    """
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    set_multi_processing(**cfg.get('env_cfg', {}).get('mp_cfg', {}))


def build_loader(cfg: Config, workers: int) -> DataLoader:
    """Build the training data loader of a config.

    Args:
        cfg: The config.
        workers: Number of loading processes; 0 loads in the training process.

    Returns:
        The loader, which is infinite if its sampler supports it.
    """
    loader = copy.deepcopy(cfg.train_dataloader)
    loader.num_workers = workers
    # The time to restart the workers is never included.
    loader.persistent_workers = False
    if loader.get('sampler', {}).get('type') == 'mmdsr.ReplaySampler':
        loader.sampler.infinite = True
    return Runner.build_dataloader(loader, seed=0)


def batches(loader: DataLoader) -> Iterator[dict[str, Any]]:
    """Yield batches indefinitely.

    Args:
        loader: A data loader.

    Yields:
        Its batches, repeatedly.
    """
    while True:
        yield from loader


def time_transforms(dataset: BaseDataset, samples: int) -> dict[str, float]:
    """Time the transforms of a data set's pipeline.

    Args:
        dataset: Data set with a ``pipeline`` of transforms.
        samples: Number of samples, starting with the first; they are repeated
            if there are fewer.

    Returns:
        Milliseconds of processor time per sample and transform, in order.
    """
    steps = dataset.pipeline.transforms
    names: list[str] = []
    for step in steps:
        key = getattr(step, 'key', None)
        name = type(step).__name__ + (f' {key}' if key else '')
        # E.g. two flips.
        count = sum(name == other.split(' #')[0] for other in names)
        names.append(f'{name} #{count + 1}' if count else name)
    spent = dict.fromkeys(names, 0.0)
    # The first sample includes lazy imports and opened files.
    Compose(steps)(dataset.get_data_info(0))
    for index in range(samples):
        sample = dataset.get_data_info(index % len(dataset))
        for name, step in zip(names, steps, strict=True):
            start = time.process_time()
            sample = step(sample)
            spent[name] += time.process_time() - start
    return {name: 1e3 * time_ / samples for name, time_ in spent.items()}


class Training:
    """The training step of a config.

    Args:
        cfg: The config, see :func:`prepare`.
        device: Device to train on.

    Raises:
        FileNotFoundError: If weights that a loss needs are missing.
    """

    def __init__(self, cfg: Config, device: torch.device) -> None:
        self.device = torch.device(device)
        self.model = MODELS.build(cfg.model).to(self.device).train()
        self.optim = build_optim_wrapper(
            self.model, copy.deepcopy(cfg.optim_wrapper)
        )

    def step(self, batch: dict[str, Any]) -> None:
        """Train on a batch.

        Args:
            batch: Batch of the data loader, which is not changed.
        """
        # Preprocessing may change it in place.
        self.model.train_step(copy.deepcopy(batch), self.optim)


def rate(
    source: Iterable[Any],
    batch_size: int,
    count: int,
    warmup: int,
    device: torch.device,
    use: Callable[..., Any] | None = None,
) -> float:
    """Measure how fast batches are loaded and used.

    Args:
        source: Batches.
        batch_size: Samples in each.
        count: Number of timed batches.
        warmup: Number of batches before.
        device: Device of ``use``.
        use: Function that is called with each batch.

    Returns:
        Samples per second.
    """
    iterator = iter(source)
    for batch in islice(iterator, warmup):
        if use:
            use(batch)
    synchronize(device)
    start = time.perf_counter()
    for batch in islice(iterator, count):
        if use:
            use(batch)
    synchronize(device)
    return count * batch_size / (time.perf_counter() - start)


def measure_loading(
    cfg: Config,
    workers: Sequence[int] = (0, 1, 2),
    samples: int = 200,
    steps: int = 20,
    rounds: int = 3,
    warmup: int = 4,
    device: str = 'cpu',
    train: bool = True,
    progress: Callable[..., Any] | None = None,
) -> LoadingReport:
    """Measure loading against the training step of a config.

    Args:
        cfg: The config; its model is not initialized further.
        workers: Numbers of workers to try.
        samples: Number of samples per measurement of loading.
        steps: Number of steps per measurement of training.
        rounds: Number of measurements of each.
        warmup: Number of batches before each.
        device: Device to train on.
        train: Whether to measure the training step.
        progress: Called with a description of the next measurement.

    Returns:
        The rates; without ``train`` those of training are NaN.

    Raises:
        ValueError: If a number is out of range.
        FileNotFoundError: If the data set or weights of a loss are missing.
    """
    if min(samples, steps, rounds) < 1 or min(*workers, warmup, 0) < 0:
        raise ValueError(
            'samples, steps and rounds must be at least 1, and workers and '
            'warm-up must not be negative.'
        )
    say = progress or (lambda text: None)
    prepare(cfg)
    place = torch.device(device)
    load = [os.getloadavg()[0]] if hasattr(os, 'getloadavg') else []
    loaders = {number: build_loader(cfg, number) for number in workers}
    any_loader = loaders[workers[0]]
    size = any_loader.batch_size or 1
    say('transforms')
    transforms = time_transforms(any_loader.dataset, samples)
    training = Training(cfg, place) if train else None
    fixed = next(iter(build_loader(cfg, 0))) if train else None
    count = -(-samples // size)
    found: dict[int, tuple[list[float], list[float]]] = {
        number: ([], []) for number in workers
    }
    alone = []
    for turn in range(rounds):
        if training:
            say(f'round {turn + 1}: training step')
            alone.append(
                rate(
                    (fixed for _ in range(warmup + steps)),
                    size, steps, warmup, place, training.step,
                )
            )  # fmt: skip
        for number, loader in loaders.items():
            say(f'round {turn + 1}: {number} workers')
            loading, together = found[number]
            loading.append(rate(batches(loader), size, count, warmup, place))
            if training:
                together.append(
                    rate(
                        batches(loader), size, steps, warmup, place,
                        training.step,
                    )
                )  # fmt: skip
    if load:
        load.append(os.getloadavg()[0])
    nan = float('nan')
    step = statistics.median(alone) if train else nan
    rates = []
    for number, (loading, together) in found.items():
        both = statistics.median(together) if train else nan
        # Compare within each round, as the load of the machine changes.
        lost = [1 - b / a for a, b in zip(alone, together, strict=True)]
        rates.append(
            Rates(
                workers=number,
                loading=statistics.median(loading),
                together=both,
                lost=statistics.median(lost) if train else nan,
            )
        )
    threads = torch.get_num_threads()
    return LoadingReport(
        size, str(place), threads, step, rates, transforms, load
    )


def rich_table(report: LoadingReport) -> list[Table]:
    """Format a report for the terminal.

    Args:
        report: Of :func:`measure_loading`.

    Returns:
        Transforms, and rates.
    """
    parts = Table(title='Loading one sample')
    parts.add_column('transform')
    parts.add_column('processor ms', justify='right')
    parts.add_column('share', justify='right')
    total = sum(report.transforms.values())
    for name, spent in report.transforms.items():
        parts.add_row(name, f'{spent:.2f}', f'{100 * spent / total:.0f} %')
    parts.add_section()
    parts.add_row('total', f'{total:.2f}', '')
    trained = report.step == report.step
    rates = Table(
        title=f'Samples/s, batches of {report.batch_size}', min_width=64
    )
    header = ['workers', 'loading alone']
    if trained:
        header += ['step alone', 'both', 'training loses']
    for title in header:
        rates.add_column(title, justify='right')
    for line in report.rates:
        cells = [str(line.workers), f'{line.loading:.1f}']
        if trained:
            cells += [
                f'{report.step:.2f}',
                f'{line.together:.2f}',
                f'{100 * line.lost:.0f} %',
            ]
        rates.add_row(*cells)
    rates.caption = f'{report.device}, {report.threads} threads'
    if trained:
        seconds = report.batch_size / report.step
        rates.caption += f', a step takes {seconds:.3f} s'
    if report.load:
        before, after = report.load
        rates.caption += f'; load average {before:.1f} to {after:.1f}'
    return [parts, rates]


def to_json(report: LoadingReport) -> dict[str, Any]:
    """Convert a report to JSON types.

    Args:
        report: Of :func:`measure_loading`.

    Returns:
        Its fields; None for what was not measured.
    """

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return None if value != value else value

    return {key: plain(item) for key, item in asdict(report).items()}
