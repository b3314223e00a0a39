"""Table 2: means and spreads by both protocols, costs, paper's columns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from mmdsr.analysis.flops import count_cost, example_inputs
from mmdsr.experiments.table import Value, cells_of, summarize, text_of
from mmdsr.experiments.table2.evaluate import SCORES
from mmdsr.experiments.table2.paper import TABLE2
from mmdsr.io.reports import csv_text, markdown_table
from mmdsr.registry import MODELS

#: Height and width of LR for the costs in the paper.
SHAPE = (128, 128)


@dataclass
class Cost:
    """Cost of a network for one LR image of :data:`SHAPE`.

    Args:
        params: Parameters.
        macs: Multiply-accumulates as executed.
        masa: Operations in the convention of MASA-SR, which the paper uses.
    """

    params: int
    macs: int
    masa: int


@dataclass
class Line:
    """A row of the table on one data set.

    Args:
        label: Label of the row.
        seeds: Seeds that were evaluated.
        values: Value of each score, and ``gain`` over bicubic in dB.
        delta: Difference of PSNR-Y from the row it is compared with in dB,
            paired by seed.
    """

    label: str
    seeds: list[int]
    values: dict[str, Value] = field(default_factory=dict)
    delta: Value | None = None


def lines_of(
    labels: Sequence[str],
    results: Mapping[tuple[str, int], Mapping[str, float]],
    base: str,
    fixed: Collection[str] = (),
) -> list[Line]:
    """Compute the lines of a data set.

    Args:
        labels: Labels of the rows.
        results: Scores and ``gain`` by label and seed.
        base: Label of the row that the others are compared with.
        fixed: Labels whose result is the same for every seed: it has no
            spread.

    Returns:
        One line per label.
    """
    by_label: dict[str, dict[int, Mapping[str, float]]] = {
        label: {} for label in labels
    }
    for (label, seed), result in results.items():
        by_label[label][seed] = result
    lines = []
    for label, own in by_label.items():
        line = Line(label, sorted(own))
        lines.append(line)
        if not own:
            continue
        for score in (*SCORES, 'gain'):
            line.values[score] = summarize(r[score] for r in own.values())
            if label in fixed:
                line.values[score] = Value(line.values[score].mean, None, 1)
        common = sorted(own.keys() & by_label.get(base, {}).keys())
        if label != base and common:
            line.delta = summarize(
                own[seed]['psnr_y'] - by_label[base][seed]['psnr_y']
                for seed in common
            )
    return lines


def count(generator: dict, turns: bool = False) -> Cost:
    """Count the cost of a network.

    Args:
        generator: Config of the network. A DIS aligner is not counted, as it
            has neither parameters nor matrix products.
        turns: Whether the network is run eight times. Defaults to False.

    Returns:
        Parameters, and operations of all passes.
    """
    generator = dict(generator)
    aligner = generator.get('aligner')
    given = (aligner or {}).get('type') == 'mmdsr.DISAligner'
    if given:
        generator['aligner'] = None
    net = MODELS.build(generator).eval()
    inputs: list[torch.Tensor | None] = [*example_inputs(net, *SHAPE)]
    if given:
        flow, confidence = torch.zeros(1, 2, *SHAPE), torch.ones(1, 1, *SHAPE)
        # Flow and confidence follow the depth of both images.
        inputs += [*[None] * (5 - len(inputs)), flow, confidence]
    runs = 8 if turns else 1
    return Cost(
        sum(p.numel() for p in net.parameters()),
        runs * sum(count_cost(net, inputs).values()),
        runs * sum(count_cost(net, inputs, 'masa').values()),
    )


def markdown(
    tables: Mapping[str, Sequence[Line]],
    bicubic: Mapping[str, Mapping[str, float]],
    costs: Mapping[str, Cost],
    base: str,
    seeds: int,
) -> str:
    """Write the tables as Markdown.

    Args:
        tables: Lines per data set.
        bicubic: Scores and ``samples`` per data set.
        costs: Cost of each label; flow-warp has none.
        base: Label of the row that the others are compared with.
        seeds: Number of requested seeds.

    Returns:
        The text.
    """
    header = ['', 'seeds', 'PSNR-Y (dB)', 'SSIM-Y', 'PSNR-RGB (dB)',
              'SSIM-RGB', 'gain over bicubic (dB)', f'over {base} (dB)',
              'params (M)', 'MACs (G)', 'MASA count (G)',
              'paper: PSNR', 'paper: SSIM', 'paper: FLOPs (G)',
              'paper: params (M)']  # fmt: skip
    parts = []
    for name, lines in tables.items():
        parts += [f'## {name}', '']
        if scores := bicubic.get(name):
            parts += [
                f'{scores["samples"]} images; bicubic '
                f'{scores["psnr_y"]:.3f} dB, {scores["ssim_y"]:.4f} in Y; '
                f'{scores["psnr_rgb"]:.3f} dB, {scores["ssim_rgb"]:.4f} in '
                'RGB',
                '',
            ]
        rows = [_cells(line, costs.get(line.label), seeds) for line in lines]
        parts += [markdown_table(header, rows), '']
    return '\n'.join(parts)


def _cells(line: Line, cost: Cost | None, seeds: int) -> list[str]:
    digits = dict(psnr_y=3, ssim_y=4, psnr_rgb=3, ssim_rgb=4)
    paper = TABLE2.get(line.label)
    own = (cost.params / 1e6, cost.macs / 1e9, cost.masa / 1e9) if cost else ()
    printed = [str(value) for value in paper] if paper else ['-'] * 4
    # Without learning, seeds make no difference.
    known = f'{len(line.seeds)} of {seeds}' if cost else '-'
    return [
        line.label,
        known,
        *(text_of(line.values.get(s), digits[s]) for s in SCORES),
        text_of(line.values.get('gain'), 3, '+'),
        text_of(line.delta, 3, '+'),
        *([f'{value:.3f}' for value in own] or ['-'] * 3),
        *printed,
    ]


def table_csv(
    tables: Mapping[str, Sequence[Line]], costs: Mapping[str, Cost]
) -> str:
    """Write the tables as one CSV table.

    Args:
        tables: Lines per data set.
        costs: Cost of each label.

    Returns:
        The text; unknown values are empty cells.
    """
    kinds = (*SCORES, 'gain')
    header = ['data', 'row', 'seeds']
    for kind in (*kinds, 'delta'):
        header += [f'{kind}_mean', f'{kind}_spread']
    header += ['params', 'macs', 'masa_count']
    header += [f'paper_{name}' for name in ('psnr', 'ssim', 'flops', 'params')]
    rows = []
    for name, lines in tables.items():
        for line in lines:
            cost = costs.get(line.label)
            seeds = len(line.seeds) if cost else ''
            cells: list = [name, line.label, seeds]
            for kind in kinds:
                cells += cells_of(line.values.get(kind))
            cells += cells_of(line.delta)
            cells += [cost.params, cost.macs, cost.masa] if cost else [''] * 3
            rows.append([*cells, *(TABLE2.get(line.label) or [''] * 4)])
    return csv_text(header, rows)
