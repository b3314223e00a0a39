"""Check the rows of Table 2, run them, and write tables and figures."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from rich.console import Console

from mmdsr.engine.launch import load_config
from mmdsr.errors import UsageError
from mmdsr.evaluation.functional import upscale
from mmdsr.experiments.ablation.experiment import check_tests, name_roots
from mmdsr.experiments.ablation.study import Budget, Study, prepare
from mmdsr.experiments.options import StudyOptions
from mmdsr.experiments.references import open_dataset
from mmdsr.experiments.report import heading, write_report
from mmdsr.experiments.runs import TrainingRun, place_of, run_all
from mmdsr.experiments.table2 import figures, plan
from mmdsr.experiments.table2.evaluate import (
    enlarge_sample,
    load_row,
    score_network,
)
from mmdsr.experiments.table2.table import (
    SHAPE,
    Line,
    count,
    lines_of,
    markdown,
    table_csv,
)
from mmdsr.experiments.table2.timing import iterations_in
from mmdsr.inference.budget import cpu_count
from mmdsr.io.identity import identify
from mmdsr.io.reports import write_json
from mmdsr.models.networks.flow_warp import FlowWarp
from mmdsr.models.networks.padding import SCALE
from mmdsr.settings import setting

FLOW_WARP = 'flow-warp'
#: Row that the others are compared with, and whose gains choose the images.
BASE, SHOWN = 'MASA-rec', 'DSRNet+'


@dataclass(frozen=True)
class Options(StudyOptions):
    """How the table is made. Finished runs in ``out`` are kept."""

    out: Path = setting(
        Path('work_dirs/table2'), 'folder (default: %(default)s)'
    )
    minutes: float | None = setting(
        None,
        'time of every run instead: the number of iterations that fit into '
        'it, from the measured time of a step',
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise UsageError('--minutes must be positive.')
        if self.minutes is not None and self.slurm:
            raise UsageError(
                '--minutes measures the time of a step on this machine, but '
                '--slurm trains on others: give --iters instead.'
            )


def run_table2(
    study: Study, budget: Budget, options: Options, console: Console
) -> list[TrainingRun]:
    """Train and test all rows, and write tables and figures.

    Args:
        study: The rows.
        budget: What all of them have in common.
        options: How the table is made.
        console: Console for progress and table.

    Returns:
        All training runs; those that failed have an ``error``.

    Raises:
        UsageError: If something is missing or does not fit.
    """
    if options.minutes is not None and budget.iters is not None:
        raise UsageError('Give --iters or --minutes, not both.')
    out = options.out
    first = prepare(study.rows[0], budget, 0)
    own = budget.data_root or first.test_dataloader.dataset.data_root
    roots = name_roots(options.test_roots or [own])
    entries = plan.make_plan(study, budget)
    check_tests(roots.values(), options.max_samples)
    trained = [entry for entry in entries if not entry.turned]
    iterations = None
    if options.minutes is not None:
        configs = {
            e.row.label: plan.config_of(e, budget, 0, out) for e in trained
        }
        iterations = iterations_in(
            options.minutes,
            configs,
            out / 'steps.json',
            max(1, cpu_count() // options.jobs),
        )
    prepared = {
        (e.row.label, seed): plan.config_of(e, budget, seed, out, iterations)
        for e in trained
        for seed in options.seeds
    }
    runs = plan.make_runs(
        entries, prepared, options.seeds, out, roots, options.max_samples
    )
    _run(entries, runs, options, console)
    warp = {
        name: _flow_warp(first, out, name, root, options.max_samples)
        for name, root in roots.items()
    }
    _report(study, budget, options, entries, runs, warp, iterations, console)
    _draw_examples(entries, runs, options, roots, first)
    return runs


def _run(
    entries: Sequence[plan.Entry],
    runs: Sequence[TrainingRun],
    options: Options,
    console: Console,
) -> None:
    """Train the teachers before their students."""
    teacher_of = {
        e.row.label: e.teacher.label for e in entries if e.teacher is not None
    }
    failed: set[tuple[str, int]] = set()
    waiting = list(runs)
    while waiting:
        untrained = {run.row for run in waiting}
        ready, later = [], []
        for run in waiting:
            teacher = teacher_of.get(run.row)
            if teacher in untrained:
                later.append(run)
            elif run.results is None and (teacher, run.seed) in failed:
                run.error = f'its teacher {teacher} failed'
            else:
                ready.append(run)
        if ready:
            run_all(ready, options, console, _line)
        failed |= {(run.row, run.seed) for run in waiting if run.error}
        waiting = later


def _line(run: TrainingRun) -> str:
    """Summarize the result of a run in a line."""
    return ', '.join(
        f'{name} {result["psnr_y"]:.3f} dB ({result["gain"]:+.3f})'
        for name, result in (run.results or {}).items()
    )


def _flow_warp(
    cfg: Config, out: Path, name: str, root: str, max_samples: int | None
) -> dict:
    """Evaluate a reference without learning, unless this is done already."""
    path = place_of(out / FLOW_WARP, name) / 'metrics.json'
    task = dict(root=root, max_samples=max_samples, data=identify(root))
    if path.is_file():
        content = json.loads(path.read_text(encoding='utf-8'))
        if content['task'] == task:
            return content['metrics']
    metrics = score_network(cfg, FlowWarp(), root, max_samples)
    write_json(path, dict(task=task, metrics=metrics))
    return metrics


def _report(
    study: Study,
    budget: Budget,
    options: Options,
    entries: Sequence[plan.Entry],
    runs: Sequence[TrainingRun],
    warp: Mapping[str, dict],
    iterations: Mapping[str, int] | None,
    console: Console,
) -> None:
    """Count the costs; write tables and Fig. 7, and show the table."""
    labels = [entry.row.label for entry in entries]
    costs = {
        e.row.label: count(
            prepare(e.trained, budget, 0).model.generator, e.turned
        )
        for e in entries
    }
    tables: dict[str, list[Line]] = {}
    for name, result in warp.items():
        results = plan.results_of(entries, runs, name)
        # Repeated for each seed, so that it can be compared with each.
        results |= {(FLOW_WARP, seed): result for seed in options.seeds}
        tables[name] = lines_of(
            [*labels, FLOW_WARP], results, BASE, fixed=[FLOW_WARP]
        )
    bicubic = {name: result['bicubic'] for name, result in warp.items()}
    same = budget.iters or 'as configured'
    origin = dict(
        budget=f'{options.minutes:g} minutes of each training run'
        if iterations
        else f'iterations: {same}',
        seeds=' '.join(map(str, options.seeds)),
        tested='final weights, true reference'
        + (f', {options.max_samples} images' if options.max_samples else ''),
    )
    if iterations:
        origin['iterations'] = ', '.join(
            f'{label} {number}' for label, number in iterations.items()
        )
    notes = [
        "Y: MASA-SR's protocol, luma, uncropped; RGB: that of EDSR, four "
        'pixels cropped. The paper does not say how each row was measured.',
        '±: sample standard deviation over seeds; differences are paired by '
        'seed',
        f'cost: LR {SHAPE[1]}x{SHAPE[0]}; MACs as run, including all eight '
        "passes of RCAN+; the paper's FLOPs follow MASA-SR's convention, "
        'without the attention of ATD and the eight passes of RCAN+',
    ]
    content = dict(
        title=study.title,
        origin=origin,
        tables={n: [asdict(li) for li in part] for n, part in tables.items()},
        bicubic=bicubic,
        flow_warp=dict(warp),
        costs={label: asdict(cost) for label, cost in costs.items()},
    )
    text = markdown(tables, bicubic, costs, BASE, len(options.seeds))
    write_report(
        options.out,
        heading(study.title, origin, notes),
        text,
        table_csv(tables, costs),
        content,
        runs,
    )
    figures.draw_fig7(options.out / 'fig7.png', tables, costs)
    console.print(text)


def _draw_examples(
    entries: Sequence[plan.Entry],
    runs: Sequence[TrainingRun],
    options: Options,
    roots: Mapping[str, str],
    first: Config,
) -> None:
    """Draw Figs. 6, 8 and 9 of each data set, with the first seed."""
    seed = options.seeds[0]
    for name, root in roots.items():
        results = plan.results_of(entries, runs, name)
        chosen = results.get((SHOWN, seed))
        if chosen is None:
            continue
        gains = [x['psnr_y'] - x['bicubic'] for x in chosen['images']]
        numbers = figures.median_and_largest(gains)
        dataset = open_dataset(
            first, root, 'adjacent', 'test', options.max_samples
        )
        samples = [dataset[number] for number in numbers]
        images = [_originals(sample) for sample in samples]
        for entry in entries:
            if (entry.row.label, seed) in results:
                folder = plan.folder_of(options.out, entry.trained, seed)
                for shown, result in zip(
                    images,
                    _results(folder, entry.turned, samples),
                    strict=True,
                ):
                    shown[entry.row.label] = result
        for shown, sample in zip(images, samples, strict=True):
            shown[FLOW_WARP] = enlarge_sample(first, FlowWarp(), sample)
            shown['HR'] = sample['gt']
        place = options.out / 'figures' / place_of(options.out, name).name
        figures.draw_whole(
            place / 'fig6.png',
            [{key: x[key] for key in ('LR', SHOWN, 'HR')} for x in images],
            'HR',
        )
        for number, rule, index, shown in zip(
            (8, 9), ('median', 'largest'), numbers, images, strict=True
        ):
            stem = chosen['images'][index]['stem']
            figures.draw_crops(
                place / f'fig{number}.png',
                f'{stem}: {rule} gain of {SHOWN}, {gains[index]:+.2f} dB',
                shown,
                'HR',
            )


def _originals(sample: dict) -> dict[str, np.ndarray]:
    """Return LR enlarged by pixel repetition, and bicubic."""
    lr = sample['img']
    return dict(
        LR=lr.repeat(SCALE, 0).repeat(SCALE, 1), bicubic=upscale(lr, SCALE)
    )


def _results(
    folder: Path, turned: bool, samples: Sequence[dict]
) -> list[np.ndarray]:
    """Super-resolve samples with the last weights of a training."""
    done = json.loads((folder / 'trained.json').read_text(encoding='utf-8'))
    cfg = load_config(folder / 'config.py', work_dir=str(folder / 'figures'))
    network = load_row(cfg, folder / done['checkpoint'], turned)
    return [enlarge_sample(cfg, network, sample) for sample in samples]
