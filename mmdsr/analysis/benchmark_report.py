"""Report on the time and memory of a network, part by part."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.config import Config
from rich.table import Table
from torch import Tensor, nn

from mmdsr.analysis import benchmark
from mmdsr.analysis.flops import cost_parts, count_cost, example_inputs
from mmdsr.engine.generator import build_generator
from mmdsr.errors import UsageError
from mmdsr.models.networks import DRIMM

DTYPES = dict(fp16=torch.float16, bf16=torch.bfloat16)


def forward_table(
    net: nn.Module,
    inputs: Sequence[Tensor],
    autocast: AbstractContextManager[object],
    repeats: int = 5,
    compiled: bool = False,
) -> Table:
    """Time the forward pass.

    Args:
        net: The network.
        inputs: Result of :func:`mmdsr.analysis.flops.example_inputs`.
        autocast: Context of each pass.
        repeats: Number of timed passes.
        compiled: Whether to time the whole network under ``torch.compile``.
            Defaults to False, part by part.

    Returns:
        A table of the seconds and shares of the parts.
    """
    device = inputs[0].device
    height, width = inputs[0].shape[-2:]
    table = Table(title=f'Forward, LR {height}x{width}, batch 1')
    for column in ('part', 'seconds', 'share'):
        table.add_column(column, justify='left' if not table.columns
                         else 'right')  # fmt: skip
    with autocast:
        with benchmark.peak_memory(device) as memory, torch.inference_mode():
            net(*inputs)
        if compiled:
            fast = torch.compile(net)
            with torch.inference_mode():
                total = benchmark.median_time(lambda: fast(*inputs), repeats)
            seconds = {}
        else:
            seconds = benchmark.time_parts(net, inputs, repeats)
            total = seconds.pop('total')
    for name, spent in seconds.items():
        _row(table, name, spent, total)
    table.add_section()
    _row(table, 'total', total, total)
    gmacs = sum(count_cost(net, inputs).values()) / 1e9
    table.caption = (
        f'{1 / total:.2f} frames/s, {2 * gmacs / total:.0f} GFLOP/s of '
        f'{2 * gmacs:.0f} GFLOP, peak memory {memory["peak"]:.0f} MB '
        f'({memory["before"]:.0f} MB before)'
    )
    return table


def _row(table: Table, name: str, seconds: float, total: float) -> None:
    table.add_row(name, f'{seconds:.3f}', f'{100 * seconds / total:.1f} %')


class Report:
    """Measurements of one network.

    Args:
        cfg: Config of the network's training.
        shape: Height and width of LR.
        device: Device to run on.
        amp: One of :data:`DTYPES`. Defaults to None, float32.
        repeats: Number of timed passes.

    Raises:
        UsageError: If the network cannot be built.
        RuntimeError: If the device cannot be used.
    """

    def __init__(
        self,
        cfg: Config,
        shape: tuple[int, int],
        device: str = 'cpu',
        amp: str | None = None,
        repeats: int = 5,
    ) -> None:
        self.cfg, self.shape = cfg, shape
        self.device, self.repeats = torch.device(device), repeats
        self.amp = amp
        self.net = build_generator(cfg).to(self.device).eval()
        self.inputs = example_inputs(self.net, *shape, device=self.device)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of every pass."""
        if self.amp is None:
            return nullcontext()
        return torch.autocast(self.device.type, DTYPES[self.amp])

    def machine(self) -> str:
        """Describe the speed of the machine.

        Returns:
            A line.
        """
        height, width = (4 * side for side in self.shape)
        rates = benchmark.conv_ceiling(
            height, width, self.device, self.repeats
        )
        return (
            f'{torch.__version__}, {self.device}, '
            f'{torch.get_num_threads()} threads, {self.amp or "fp32"}; '
            f'64-to-64 3x3 convolution at {height}x{width}: '
            + ', '.join(f'{v:.0f} GFLOP/s {k}' for k, v in rates.items())
        )

    def matching(self) -> list[str]:
        """Compare matching with the literal, unfolding implementation.

        Returns:
            Lines.

        Raises:
            UsageError: If the network has no :class:`mmdsr.DRIMM`.
        """
        drimm = next(
            (m for m in self.net.modules() if isinstance(m, DRIMM)), None
        )
        if drimm is None:
            raise UsageError(
                f'{type(self.net).__name__} has no DRIMM whose matching could '
                'be measured: leave out --matching.'
            )
        net: Any = self.net
        height, width = (
            -(-side // net.lr_multiple) * net.lr_multiple
            for side in self.shape
        )
        encoder: Any = cost_parts(net)['encoder']
        channels = encoder.stages[0].conv.out_channels
        result = benchmark.compare_matching(
            drimm, height, width, channels, self.device, self.repeats
        )
        lines = [
            f'matching, {name}: {line["seconds"]:.3f} s, '
            f'{line["added"]:.0f} MB at the peak'
            for name, line in result.items()
        ]
        ratio = result['drimm']['seconds'] / result['unfold']['seconds']
        return [
            *lines,
            f'drimm takes {ratio:.2f} of the time; largest difference '
            f'{result["drimm"]["difference"]:.1e}',
        ]

    def forward(self, compiled: bool = False) -> Table:
        """Time the forward pass, see :func:`forward_table`."""
        return forward_table(
            self.net, self.inputs, self.autocast(), self.repeats, compiled
        )

    def training(self) -> str:
        """Time a training step.

        Returns:
            A line.
        """
        net = build_generator(self.cfg).to(self.device).train()
        step = benchmark.training_step(net, self.inputs)
        with self.autocast():
            with benchmark.peak_memory(self.device) as memory:
                step()
            seconds = benchmark.median_time(step, self.repeats)
        return (
            f'training step (L1, Adam): {seconds:.3f} s, peak memory '
            f'{memory["peak"]:.0f} MB ({memory["before"]:.0f} MB before)'
        )
