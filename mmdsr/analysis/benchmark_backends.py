"""Frames per second and memory of networks in each backend and precision.

Each cell runs in a separate process, so that its peak memory is that of one
network in one runtime, and threads of different runtimes do not interfere.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from rich.table import Table

from mmdsr.analysis.benchmark import median_time, peak_memory
from mmdsr.extras import is_there
from mmdsr.inference import SuperResolver

#: Width and height of LR: the simulated frames, a far region of PAL, PAL.
SIZES = ((112, 80), (180, 144), (720, 576))
_PRECISIONS = {
    'torch': ('fp32', 'bf16'),
    'onnxruntime': ('fp32', 'int8'),
    'openvino': ('fp32', 'int8'),
}
_BICUBIC = 'bicubic'


class Cell(NamedTuple):
    """A network in a backend and precision to be measured.

    Args:
        weights: Published weights, or ``'bicubic'``.
        backend: Runtime.
        precision: Precision of its computations.
        width: Width of LR.
        height: Height of LR.
        reference: Whether there is a reference, which is four times as large.
        repeats: Number of timed frames.
        threads: Number of threads of torch; the other runtimes choose their
            own.
    """

    weights: str
    backend: str
    precision: str
    width: int
    height: int
    reference: bool
    repeats: int
    threads: int


class Measured(NamedTuple):
    """Speed and memory of a cell.

    Args:
        seconds: Median seconds of a frame.
        peak: Peak of the resident memory in MB, of the whole process.
    """

    seconds: float
    peak: float


def cells(
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]] = SIZES,
    repeats: int = 5,
    threads: int = 2,
) -> Iterator[Cell]:
    """Yield the cells that can be measured on this machine.

    Args:
        names: Published weights.
        sizes: Widths and heights of LR. Defaults to :data:`SIZES`.
        repeats: Number of timed frames. Defaults to 5.
        threads: Number of threads of torch. Defaults to 2.

    Yields:
        The cells, grouped by size, bicubic first.
    """
    for width, height in sizes:
        rest = width, height, True, repeats, threads
        yield Cell(_BICUBIC, 'torch', 'fp32', *rest)
        for name in names:
            for backend, precisions in _PRECISIONS.items():
                if is_there(backend):
                    for precision in precisions:
                        yield Cell(name, backend, precision, *rest)


def measure(cell: Cell) -> Measured:
    """Measure a cell in a separate process.

    Args:
        cell: Cell to measure.

    Raises:
        RuntimeError: If the process fails, with the last line of its output.
    """
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', __name__, json.dumps(cell)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ['it was killed']
        raise RuntimeError(f'{cell.weights} in {cell.backend}: {lines[-1]}')
    return Measured(*json.loads(done.stdout.splitlines()[-1]))


def _run(cell: Cell) -> Measured:
    """Measure a cell in this process."""
    torch.set_num_threads(cell.threads)
    device = torch.device('cpu')
    generator = torch.Generator().manual_seed(0)

    def random(height: int, width: int) -> torch.Tensor:
        image = torch.rand(3, height, width, generator=generator)
        return (255 * image).to(torch.uint8)

    lr = random(cell.height, cell.width)
    ref = random(4 * cell.height, 4 * cell.width)
    if cell.weights == _BICUBIC:
        resolver = SuperResolver(interpolation=_BICUBIC)
    else:
        resolver = SuperResolver(
            weights=cell.weights,
            backend=cell.backend,
            precision=cell.precision,
        )
    image, other = (x.permute(1, 2, 0).numpy() for x in (lr, ref))
    takes = cell.reference and cell.weights != _BICUBIC

    def call() -> object:
        return resolver.enhance(image, other if takes else None, device='cpu')

    # Exclude conversion and the preparation of runtimes for a size.
    call()
    with peak_memory(device) as memory:
        seconds = median_time(call, cell.repeats)
    return Measured(seconds, memory['peak'])


def table(results: Sequence[tuple[Cell, Measured]]) -> Table:
    """Return the results as text.

    Args:
        results: Cells and their measurements.
    """
    shown = Table('LR', 'network', 'backend', 'precision')
    for column in ('frames/s', 'peak memory, MB'):
        shown.add_column(column, justify='right')
    for cell, found in results:
        shown.add_row(
            f'{cell.width}x{cell.height}',
            cell.weights,
            cell.backend,
            cell.precision,
            f'{1 / found.seconds:.2f}',
            f'{found.peak:.0f}',
        )
    return shown


if __name__ == '__main__':
    print(json.dumps(_run(Cell(*json.loads(sys.argv[1])))))
