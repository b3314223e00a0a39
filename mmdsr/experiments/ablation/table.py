"""The table of a study: means and spreads over seeds, costs, differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mmdsr.analysis.benchmark import median_time
from mmdsr.analysis.flops import count_cost, example_inputs
from mmdsr.experiments.table import Value, cells_of, summarize, text_of
from mmdsr.io.reports import csv_text, markdown_table
from mmdsr.registry import MODELS

#: See :func:`mmdsr.evaluation.match_accuracy.match_accuracy`.
_MATCH = 'Match@1'


@dataclass
class Line:
    """A row of the table on one data set.

    Args:
        label: Label of the row.
        seeds: Seeds that were evaluated.
        psnr: PSNR-Y in dB.
        ssim: SSIM-Y.
        gain: PSNR-Y over bicubic in dB.
        delta: Difference of PSNR-Y from the first row in dB, paired by seed;
            ``None`` in the first row.
        match: Share of the visible pixels that are matched to within one LR
            pixel, in percent; ``None`` where the truth is unknown.
        note: Why there are no values.
    """

    label: str
    seeds: list
    psnr: Value | None = None
    ssim: Value | None = None
    gain: Value | None = None
    delta: Value | None = None
    match: Value | None = None
    note: str = ''


@dataclass
class Cost:
    """Cost of a network for one image.

    Args:
        params: Parameters.
        macs: Multiply-accumulates as executed.
        seconds: Median time of a forward pass.
    """

    params: int
    macs: int
    seconds: float | None = None


def lines_of(
    labels: Sequence[str], results: dict[tuple[str, int], dict[str, Any]]
) -> list[Line]:
    """Compute the lines of a data set.

    Args:
        labels: Labels of the rows.
        results: ``psnr_y``, ``ssim_y``, ``gain`` and, where it is known,
            ``match`` per label and seed; ``note`` where ``psnr_y`` is None.

    Returns:
        One line per label.
    """
    scores: dict[str, dict[int, dict[str, Any]]] = {
        label: {} for label in labels
    }
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
        line.psnr = summarize(r['psnr_y'] for r in own.values())
        line.ssim = summarize(r['ssim_y'] for r in own.values())
        line.gain = summarize(r['gain'] for r in own.values())
        matches = [r['match'][_MATCH] for r in own.values() if r.get('match')]
        line.match = summarize(matches) if matches else None
        common = own.keys() & first.keys()
        if label != labels[0] and common:
            line.delta = summarize(
                own[seed]['psnr_y'] - first[seed]['psnr_y']
                for seed in sorted(common)
            )
    return lines


def measure_cost(
    generator: dict[str, Any],
    shape: tuple[int, int],
    repeats: int = 0,
    device: str = 'cpu',
) -> Cost:
    """Count the operations of a network for one image, and time it.

    Args:
        generator: Config of the network.
        shape: Height and width of LR; Ref is four times larger.
        repeats: Number of timed passes; 0 skips the timing.
        device: Device for the timing.

    Returns:
        Parameters, MACs and time.
    """
    net = MODELS.build(generator).eval()
    inputs = example_inputs(net, *shape)
    cost = Cost(
        sum(p.numel() for p in net.parameters()),
        sum(count_cost(net, inputs).values()),
    )
    if repeats:
        net = net.to(device)
        inputs = [x.to(device) for x in inputs]
        with torch.inference_mode():
            cost.seconds = median_time(lambda: net(*inputs), repeats)
    return cost


def markdown(
    tables: dict[str, list[Line]],
    bicubic: dict[str, dict[str, Any]],
    costs: dict[str, Cost],
    seeds: int,
) -> str:
    """Write the tables as Markdown.

    Args:
        tables: Lines per data set.
        bicubic: ``psnr_y``, ``ssim_y`` and ``samples`` per data set.
        costs: Cost of each label.
        seeds: Number of requested seeds.

    Returns:
        The text.
    """
    parts = []
    for name, lines in tables.items():
        matched = any(line.match for line in lines)
        header = ['', 'seeds', 'PSNR-Y (dB)', 'SSIM-Y',
                  'gain over bicubic (dB)', 'delta (dB)',
                  *['match (%)'] * matched, 'params (M)', 'MACs (G)',
                  'time (ms)']  # fmt: skip
        parts += [f'## {name}', '']
        if base := bicubic.get(name):
            parts += [
                f'{base["samples"]} images; bicubic {base["psnr_y"]:.3f} dB, '
                f'{base["ssim_y"]:.4f}',
                '',
            ]
        rows = [
            _cells(line, costs[line.label], seeds, matched) for line in lines
        ]
        parts += [markdown_table(header, rows), '']
        for line in lines:
            if line.note:
                parts += [f'{line.label}: {line.note}', '']
    return '\n'.join(parts)


def _cells(line: Line, cost: Cost, seeds: int, matched: bool) -> list[str]:
    return [
        line.label,
        f'{len(line.seeds)} of {seeds}',
        text_of(line.psnr, 3),
        text_of(line.ssim, 4),
        text_of(line.gain, 3, '+'),
        text_of(line.delta, 3, '+'),
        *[text_of(line.match, 1)] * matched,
        f'{cost.params / 1e6:.3f}',
        f'{cost.macs / 1e9:.3f}',
        '-' if cost.seconds is None else f'{cost.seconds * 1e3:.1f}',
    ]


def table_csv(tables: dict[str, list[Line]], costs: dict[str, Cost]) -> str:
    """Write the tables as one CSV table.

    Args:
        tables: Lines per data set.
        costs: Per label.

    Returns:
        The text; unknown values are empty cells.
    """
    kinds = ('psnr', 'ssim', 'gain', 'delta', 'match')
    header = ['data', 'row', 'seeds']
    header += [f'{k}_{part}' for k in kinds for part in ('mean', 'spread')]
    rows = []
    for name, lines in tables.items():
        for line in lines:
            cells = [name, line.label, len(line.seeds)]
            for kind in kinds:
                cells += cells_of(getattr(line, kind))
            cost = costs[line.label]
            rows.append([*cells, cost.params, cost.macs, cost.seconds])
    return csv_text([*header, 'params', 'macs', 'seconds'], rows)
