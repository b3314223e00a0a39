"""Time and memory of a network's forward pass and training step.

The speed of a machine drifts, so every run also times a plain convolution:
compare multiples of it rather than seconds measured on different days.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from mmdsr.analysis.flops import cost_parts
from mmdsr.analysis.unfold_matching import unfold_match_and_transfer
from mmdsr.models.networks import DRIMM
from mmdsr.models.networks.padding import SCALE


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that the clock can be read.

    Args:
        device: CPU or CUDA device.
    """
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def median_time(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a call, after a warm-up.

    Args:
        call: Function to time. The timer synchronizes a GPU.
        repeats: Approximate number of timed calls; more if a call is too short
            for the clock.

    Returns:
        Median in seconds.
    """
    timer = Timer(
        'call()',
        globals=dict(call=call),
        num_threads=torch.get_num_threads(),
    )
    once = timer.timeit(1).mean
    return timer.blocked_autorange(min_run_time=repeats * once).median


@contextmanager
def peak_memory(device: torch.device) -> Iterator[dict[str, Any]]:
    """Measure the peak memory of the code in a ``with`` block.

    Args:
        device: On CUDA, the peak of the allocator is measured; on the CPU, the
            resident size of the process, including the interpreter and its
            libraries.

    Yields:
        A dict that receives ``'before'`` and ``'peak'`` in MB.
    """
    result = {}
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        result['before'] = torch.cuda.memory_allocated(device) / 1e6
        yield result
        result['peak'] = torch.cuda.max_memory_allocated(device) / 1e6
        return
    # Writing 5 resets the peak on Linux; elsewhere, the peak since the start
    # of the process is used.
    refs, status = Path('/proc/self/clear_refs'), Path('/proc/self/status')
    if refs.exists():
        refs.write_text('5')

    def read(field: str) -> float:
        for line in status.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024 / 1e6
        raise KeyError(field)

    if refs.exists():
        result['before'] = read('VmRSS')
        yield result
        result['peak'] = read('VmHWM')
        return
    unit = 1 if sys.platform == 'darwin' else 1024
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result['before'] = usage.ru_maxrss * unit / 1e6
    yield result
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result['peak'] = usage.ru_maxrss * unit / 1e6


def conv_ceiling(
    height: int, width: int, device: torch.device, repeats: int
) -> dict[str, float]:
    """Return the GFLOP/s of a 64-to-64 3x3 convolution, the dominant work.

    Args:
        height: Height of the map.
        width: Width of the map.
        device: Where to run.
        repeats: Timed calls.

    Returns:
        Rate in both memory layouts, 1 MAC = 2 FLOP.
    """
    conv = nn.Conv2d(64, 64, 3, padding=1).to(device)
    flop = 2 * conv.weight.numel() * height * width
    rates = {}
    for name, layout in (
        ('NCHW', torch.contiguous_format),
        ('channels_last', torch.channels_last),
    ):
        x = torch.rand(1, 64, height, width, device=device)
        x = x.contiguous(memory_format=layout)
        with torch.inference_mode():
            seconds = median_time(partial(conv, x), repeats)
        rates[name] = flop / seconds / 1e9
    return rates


class PartTimer:
    """Sum up the seconds that each part of a network takes.

    Args:
        net: The network.
        device: Device of the network.
    """

    def __init__(self, net: nn.Module, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self.device = device
        for name, part in cost_parts(net).items():
            part.forward = self._timed(part.forward, name)
            if isinstance(part, DRIMM):
                timed = self._timed(part.match, f'{name}.match')
                # An attribute of the instance takes precedence over that of
                # the class.
                part.__dict__['match'] = timed

    def _timed(self, call: Callable, name: str) -> Callable:
        def timed(*args: object, **kwargs: object) -> object:
            synchronize(self.device)
            start = time.perf_counter()
            result = call(*args, **kwargs)
            synchronize(self.device)
            spent = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0) + spent
            return result

        return timed


def time_parts(
    net: nn.Module,
    inputs: Sequence[Tensor],
    repeats: int,
) -> dict[str, float]:
    """Time the parts of a forward pass.

    Args:
        net: The network, whose parts remain wrapped.
        inputs: Positional arguments of its ``forward``.
        repeats: Timed passes after one warm-up.

    Returns:
        Median seconds of each part, and of the whole pass as ``'total'``.
        ``'….match'`` is the search inside DRIMM; the rest of DRIMM is transfer
        and score.
    """
    device = inputs[0].device
    timer = PartTimer(net, device)
    passes = []
    with torch.inference_mode():
        for turn in range(repeats + 1):
            timer.seconds = {}
            synchronize(device)
            start = time.perf_counter()
            net(*inputs)
            synchronize(device)
            timer.seconds['total'] = time.perf_counter() - start
            if turn:
                passes.append(timer.seconds)
    return {
        name: statistics.median(p[name] for p in passes) for name in passes[0]
    }


def training_step(
    net: nn.Module, inputs: Sequence[Tensor]
) -> Callable[[], None]:
    """Return a function that does one step: L1 loss, backward, Adam.

    Args:
        net: The network.
        inputs: Positional arguments of its ``forward``.

    Returns:
        The step.
    """
    lr = inputs[0]
    size = [side * SCALE for side in lr.shape[-2:]]
    hr = torch.rand(len(lr), 3, *size, device=lr.device)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.l1_loss(net(*inputs).float(), hr).backward()
        optimizer.step()

    return step


def compare_matching(
    drimm: DRIMM,
    height: int,
    width: int,
    channels: int,
    device: torch.device,
    repeats: int,
) -> dict[str, dict[str, float]]:
    """Run DRIMM and the literal unfolding version on the same features.

    Args:
        drimm: The module.
        height: Height of LR, a multiple of its block size.
        width: Width of LR.
        channels: Width of the features.
        device: Where to run.
        repeats: Timed calls.

    Returns:
        For ``'unfold'`` and ``'drimm'`` the median ``'seconds'`` and the
        memory ``'added'`` at the peak in MB; ``'drimm'`` has the largest
        ``'difference'`` of the results too.
    """
    generator = torch.Generator().manual_seed(0)
    lr_feat, *ref_feats = (
        torch.rand(1, channels, height * s, width * s, generator=generator)
        .to(device)
        .contiguous(memory_format=torch.channels_last)
        for s in (1, 1, 2, 4)
    )
    ref_down_feat = ref_feats[0].roll((3, 5), (2, 3))
    args = lr_feat, ref_down_feat, ref_feats
    table = {}
    with torch.inference_mode():
        for name, call in (
            ('drimm', lambda: drimm(*args)),
            ('unfold', lambda: unfold_match_and_transfer(drimm, *args)),
        ):
            seconds = median_time(call, repeats)
            with peak_memory(device) as memory:
                call()
            added = memory['peak'] - memory['before']
            table[name] = dict(seconds=seconds, added=added)
        ours, *_ = drimm(*args)
        literal, _ = unfold_match_and_transfer(drimm, *args)
        table['drimm']['difference'] = max(
            float((a - b).abs().max())
            for a, b in zip(ours, literal, strict=True)
        )
    return table
