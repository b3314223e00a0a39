"""Run an ablation study: several configs, one budget, several seeds.

Trains every row with every seed, tests the last weights, and writes a table
(table.md, .csv, .json) and a plot of PSNR against cost (plot.png). The same
command goes on after a stop: what is done is kept, what was half done goes on
from its checkpoint.

Example:
    python tools/analysis_tools/ablate.py table10 --iters 2000 \
        --data-root data/sewersim --out work_dirs/table10 --jobs 2
    python tools/analysis_tools/ablate.py table11 --iters 2000 \
        --teacher work_dirs/teacher_quick --out work_dirs/table11
    python tools/analysis_tools/ablate.py my_study.yml a.py b.py --seeds 0
"""

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from mmdsr.analysis.ablation import (
    Budget,
    Study,
    check_study,
    has_teacher,
    prepare,
    read_study,
    study_of_configs,
)
from mmdsr.analysis.ablation_plot import plot
from mmdsr.analysis.ablation_runs import prepare_runs
from mmdsr.analysis.ablation_runs import report as report_run
from mmdsr.analysis.ablation_table import (
    lines_of,
    measure_cost,
    write_tables,
)
from mmdsr.analysis.arguments import add_run_arguments, positive
from mmdsr.analysis.runs import run_all
from mmdsr.engine.checkpoint import find_checkpoint
from mmdsr.engine.launch import UsageError, check_data
from mmdsr.registry import MODELS

STUDIES = Path(__file__).parents[2] / 'configs/ablations'


def parse_args(argv=None):
    """Return the parser and the parsed arguments."""
    names = ', '.join(sorted(path.stem for path in STUDIES.glob('*.yml')))
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'study',
        nargs='+',
        help=f'name ({names}), YAML file, or configs, one per row',
    )
    parser.add_argument('--out', help='folder (default: work_dirs/STUDY)')
    parser.add_argument(
        '--iters',
        type=positive,
        help="iterations of every run (default: each config's schedule)",
    )
    parser.add_argument(
        '--crop', type=positive, help='side of the square LR crops'
    )
    parser.add_argument('--batch-size', type=positive)
    parser.add_argument('--data-root', help='training data')
    parser.add_argument(
        '--test-roots',
        nargs='+',
        metavar='DATA_ROOT',
        help='data to test on, e.g. real frames besides the training data '
        '(default: the data root)',
    )
    parser.add_argument(
        '--teacher',
        help='checkpoint or working directory for the rows that distil',
    )
    parser.add_argument(
        '--max-samples', type=positive, help='test images per data set'
    )
    parser.add_argument(
        '--shape',
        type=positive,
        nargs=2,
        default=(80, 112),
        metavar=('H', 'W'),
        help='LR size for the cost (default: 80 112)',
    )
    parser.add_argument(
        '--repeats',
        type=int,
        default=5,
        help='timed passes per row at the end; 0: no timing (default: 5)',
    )
    add_run_arguments(parser)
    return parser, parser.parse_args(argv)


def find_study(names):
    """Return the study of the command line and its short name."""
    if all(name.endswith('.py') for name in names):
        return study_of_configs(names), Path(names[0]).stem
    studies = []
    for name in names:
        if name.endswith('.py'):
            studies.append(study_of_configs([name]))
            continue
        path = Path(name)
        if path.suffix not in ('.yml', '.yaml'):
            path = STUDIES / f'{name}.yml'
            if not path.is_file():
                known = sorted(p.stem for p in STUDIES.glob('*.yml'))
                raise UsageError(
                    f'There is no study {name!r}; known: '
                    f'{", ".join(known)}. A study of your own is a YAML file.'
                )
        studies.append(read_study(path))
    rows = [row for study in studies for row in study.rows]
    return check_study(Study(studies[0].title, rows)), Path(names[0]).stem


def check_inputs(study, budget, roots):
    """Find what is missing before anything is trained."""
    for row in study.rows:
        cfg = prepare(row, budget, 0)
        check_data(cfg, ['train_dataloader'])
        try:
            MODELS.build(cfg.model.generator)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f'The network of {row.label!r} cannot be built: {error}'
            ) from error
        if has_teacher(cfg):
            try:
                find_checkpoint(cfg.model.teacher_checkpoint)
            except FileNotFoundError as error:
                raise UsageError(
                    f'{row.label!r} needs a trained teacher: {error} Set '
                    '--teacher.'
                ) from error
    for root in roots.values():
        if not Path(root).is_dir():
            raise UsageError(f'The data set {root} does not exist.')


def name_roots(roots):
    """Return the data sets by their folder's name, or path if shared."""
    paths = [Path(root).resolve() for root in dict.fromkeys(roots)]
    names = [path.name for path in paths]
    return {
        str(path) if names.count(name) > 1 else name: str(path)
        for path, name in zip(paths, names, strict=True)
    }


def report(args, study, runs, roots, out, budget, console):
    """Measure the costs; write tables and plot."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    costs = {}
    for row in track(study.rows, description='cost', console=console):
        generator = prepare(row, budget, 0).model.generator
        costs[row.label] = measure_cost(
            generator, args.shape, args.repeats, device
        )
    labels = [row.label for row in study.rows]
    tables, bicubic = {}, {}
    for name in roots:
        results = {
            (run.row.label, run.seed): run.results[name]
            for run in runs
            if run.results
        }
        tables[name] = lines_of(labels, results)
        for result in results.values():
            bicubic[name] = result['bicubic']
    origin = dict(
        iterations=args.iters or 'as configured',
        crop=args.crop or 'as configured',
        batch=args.batch_size or 'as configured',
        seeds=' '.join(map(str, args.seeds)),
        tested='last weights, true reference'
        + (f', {args.max_samples} images' if args.max_samples else ''),
        timed=f'{device}, {torch.get_num_threads()} threads, median of '
        f'{args.repeats}'
        if args.repeats
        else 'no',
    )
    write_tables(
        out, study.title, origin, tables, bicubic, costs, runs, args.shape
    )
    plot(out / 'plot.png', tables, bicubic, costs)
    console.print((out / 'table.md').read_text(), markup=False, soft_wrap=True)


def main(argv=None):
    """Run the study."""
    parser, args = parse_args(argv)
    console = Console()
    try:
        if args.repeats < 0 or min(args.shape) < 16:
            parser.error('--repeats must be >= 0, --shape at least 16 16')
        study, short = find_study(args.study)
        out = Path(args.out or Path('work_dirs', short))
        teacher = args.teacher and str(Path(args.teacher).resolve())
        budget = Budget(
            args.iters,
            args.crop,
            args.batch_size,
            args.data_root and str(Path(args.data_root).resolve()),
            teacher,
            args.cfg_options or {},
        )
        first = prepare(study.rows[0], budget, 0)
        roots = name_roots(
            args.test_roots
            or [args.data_root or first.test_dataloader.dataset.data_root]
        )
        check_inputs(study, budget, roots)
        seeds = list(dict.fromkeys(args.seeds))
        runs = prepare_runs(study, budget, seeds, out, roots, args.max_samples)
        run_all(runs, args.jobs, console, report_run)
        report(args, study, runs, roots, out, budget, console)
    except (UsageError, FileNotFoundError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    except KeyboardInterrupt:
        # 130 is what a shell reports for Ctrl-C.
        parser.exit(130, 'Stopped. The same command goes on.\n')
    print(f'Table and plot are in {out}')
    failed = [run for run in runs if run.error]
    if failed:
        print(f'{len(failed)} of {len(runs)} runs failed:', file=sys.stderr)
        for run in failed:
            print(f'  {run.title}: {run.error}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    main()
