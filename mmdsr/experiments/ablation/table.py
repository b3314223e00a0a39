"""The table of a study: means and spreads over seeds, costs, differences."""

import csv
import io
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from mmdsr.analysis.benchmark import median_time
from mmdsr.analysis.flops import count_cost, example_inputs
from mmdsr.io.images import write_bytes
from mmdsr.registry import MODELS


@dataclass
class Value:
    """A quantity over seeds.

    Args:
        mean (float): Mean.
        spread (float, optional): Sample standard deviation; ``None`` of one
            value.
        count (int): How many values.
    """

    mean: float
    spread: float | None
    count: int


@dataclass
class Line:
    """A row of the table on one data set.

    Args:
        label (str): Label of the row.
        seeds (list[int]): Seeds that were evaluated.
        psnr (Value, optional): PSNR-Y in dB.
        ssim (Value, optional): SSIM-Y.
        gain (Value, optional): PSNR-Y over bicubic in dB.
        delta (Value, optional): PSNR-Y over the first row in dB, from the
            differences of runs with the same seed; ``None`` in the first
            row.
        note (str): Why there is nothing.
    """

    label: str
    seeds: list
    psnr: Value | None = None
    ssim: Value | None = None
    gain: Value | None = None
    delta: Value | None = None
    note: str = ''


@dataclass
class Cost:
    """What a network costs for one image.

    Args:
        params (int): Parameters.
        macs (int): Multiply-accumulates as run.
        seconds (float, optional): Median time of a forward pass.
    """

    params: int
    macs: int
    seconds: float | None = None


def summarise(values):
    """Return mean and spread.

    Args:
        values (Sequence[float]): At least one.

    Returns:
        Value: Of them.
    """
    values = list(values)
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Value(statistics.fmean(values), spread, len(values))


def lines_of(labels, results):
    """Compute the lines of a data set.

    Args:
        labels (Sequence[str]): Labels of the rows.
        results (dict[tuple[str, int], dict]): ``psnr_y``, ``ssim_y`` and
            ``gain`` per label and seed; ``note`` where ``psnr_y`` is None.

    Returns:
        list[Line]: One per label.
    """
    scores = {label: {} for label in labels}
    notes = {}
    for (label, seed), result in sorted(results.items()):
        if result['psnr_y'] is None:
            notes[label] = result.get('note', '')
        else:
            scores[label][seed] = result
    lines = []
    for label in labels:
        own, first = scores[label], scores[labels[0]]
        line = Line(label, sorted(own), note=notes.get(label, ''))
        lines.append(line)
        if not own:
            continue
        line.psnr = summarise(r['psnr_y'] for r in own.values())
        line.ssim = summarise(r['ssim_y'] for r in own.values())
        line.gain = summarise(r['gain'] for r in own.values())
        common = own.keys() & first.keys()
        if label != labels[0] and common:
            line.delta = summarise(
                own[seed]['psnr_y'] - first[seed]['psnr_y']
                for seed in sorted(common)
            )
    return lines


def measure_cost(generator, shape, repeats=0, device='cpu'):
    """Count, and time, a network on one image.

    Args:
        generator (dict): Config of the network.
        shape (tuple[int, int]): Height and width of LR; Ref is four times
            larger.
        repeats (int): Timed passes; 0 to leave the time out. Defaults to 0.
        device (str): Where to time. Defaults to 'cpu'.

    Returns:
        Cost: Parameters, MACs and time.
    """
    net = MODELS.build(generator).eval()
    inputs = example_inputs(net, *shape)
    cost = Cost(
        sum(p.numel() for p in net.parameters()),
        sum(count_cost(net, inputs).values()),
    )
    if repeats:
        net, device = net.to(device), torch.device(device)
        inputs = [x.to(device) for x in inputs]
        with torch.inference_mode():
            cost.seconds = median_time(lambda: net(*inputs), device, repeats)
    return cost


def _text(value, digits, sign=''):
    if value is None:
        return '-'
    text = f'{value.mean:{sign}.{digits}f}'
    if value.spread is None:
        return text
    return f'{text} ± {value.spread:.{digits}f}'


def markdown(title, origin, tables, bicubic, costs, seeds, shape):
    """Write the tables as Markdown.

    Args:
        title (str): Title of the study.
        origin (dict): How it was made, in the order to print.
        tables (dict[str, list[Line]]): Lines per data set.
        bicubic (dict[str, dict]): ``psnr_y``, ``ssim_y`` and ``samples`` per
            data set.
        costs (dict[str, Cost]): Per label.
        seeds (Sequence[int]): Seeds that were asked for.
        shape (tuple[int, int]): LR size of the costs.

    Returns:
        str: The text.
    """
    height, width = shape
    parts = [f'# {title}', '', *(f'- {k}: {v}' for k, v in origin.items())]
    parts += [
        f'- cost: LR {width}x{height}, Ref {4 * width}x{4 * height}, MACs as '
        'run, time of one image',
        '- ±: sample standard deviation over seeds; delta: to the first row, '
        'over pairs of runs with the same seed',
    ]
    for name, lines in tables.items():
        base = bicubic.get(name)
        parts += ['', f'## {name}', '']
        if base:
            parts += [
                f'{base["samples"]} images; bicubic {base["psnr_y"]:.3f} dB, '
                f'{base["ssim_y"]:.4f}',
                '',
            ]
        rows = [
            ['', 'seeds', 'PSNR-Y (dB)', 'SSIM-Y', 'gain over bicubic (dB)',
             'delta (dB)', 'params (M)', 'MACs (G)', 'time (ms)'],
            ['---', *['---:'] * 8],
        ]  # fmt: skip
        for line in lines:
            cost = costs[line.label]
            seconds = cost.seconds
            rows.append([
                line.label,
                f'{len(line.seeds)} of {len(seeds)}',
                _text(line.psnr, 3),
                _text(line.ssim, 4),
                _text(line.gain, 3, '+'),
                _text(line.delta, 3, '+'),
                f'{cost.params / 1e6:.3f}',
                f'{cost.macs / 1e9:.3f}',
                '-' if seconds is None else f'{seconds * 1e3:.1f}',
            ])  # fmt: skip
        parts += ['| ' + ' | '.join(cells) + ' |' for cells in rows]
        for line in lines:
            if line.note:
                parts += ['', f'{line.label}: {line.note}']
    return '\n'.join(parts) + '\n'


def table_csv(tables, costs):
    """Write the tables as one CSV table.

    Args:
        tables (dict[str, list[Line]]): Lines per data set.
        costs (dict[str, Cost]): Per label.

    Returns:
        str: The text; an empty cell is unknown.
    """
    kinds = ('psnr', 'ssim', 'gain', 'delta')
    header = ['data', 'row', 'seeds']
    header += [f'{k}_{part}' for k in kinds for part in ('mean', 'spread')]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow([*header, 'params', 'macs', 'seconds'])
    for name, lines in tables.items():
        for line in lines:
            cells = [name, line.label, len(line.seeds)]
            for kind in kinds:
                value = getattr(line, kind)
                cells += [value.mean, value.spread] if value else ['', '']
            cost = costs[line.label]
            writer.writerow([*cells, cost.params, cost.macs, cost.seconds])
    return buffer.getvalue()


def write_tables(out, title, origin, tables, bicubic, costs, runs, shape):
    """Write ``table.md``, ``table.csv`` and ``table.json``.

    Args:
        out (Path): Folder.
        title (str): Title of the study.
        origin (dict): How it was made.
        tables (dict[str, list[Line]]): Lines per data set.
        bicubic (dict[str, dict]): Bicubic's values per data set.
        costs (dict[str, Cost]): Per label.
        runs (list[AblationRun]): All runs.
        shape (tuple[int, int]): LR size of the costs.
    """
    seeds = sorted({run.seed for run in runs})
    text = markdown(title, origin, tables, bicubic, costs, seeds, shape)
    content = dict(
        title=title,
        origin=origin,
        cost_lr_size=list(shape),
        tables={n: [asdict(li) for li in part] for n, part in tables.items()},
        bicubic=bicubic,
        costs={label: asdict(cost) for label, cost in costs.items()},
        runs=[
            dict(
                row=run.row.label,
                seed=run.seed,
                error=run.error,
                results=run.results,
            )
            for run in runs
        ],
    )
    out = Path(out)
    write_bytes(out / 'table.md', text.encode())
    write_bytes(out / 'table.csv', table_csv(tables, costs).encode())
    data = json.dumps(content, indent=2) + '\n'
    write_bytes(out / 'table.json', data.encode())
