"""Does super-resolution help a task? Train, test and tabulate.

Makes LR, bicubic and super-resolved versions of a data set, trains the
networks of the tasks, tests them on every version, and writes per task the
paper's table (table.md, .csv, .json), bars (plot.png) and pictures
(pictures.png). The same command goes on after a stop: what is done is kept,
what was half done goes on from its checkpoint.

Example:
    python tools/downstream.py fcn
    python tools/downstream.py all --jobs 2 --seeds 0 1 2 \
        --sr dsrnet_student_quick,dsrnet_teacher_quick
    python tools/downstream.py my_hr_config.py --protocol same \
        --sr mine=configs/dsrnet/student.py:work_dirs/student
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from mmdsr.analysis.arguments import add_run_arguments
from mmdsr.analysis.downstream import (
    PROTOCOLS,
    SPLITS,
    TASKS,
    find_root,
    find_tasks,
    image_folders,
    prepare,
)
from mmdsr.analysis.downstream_data import (
    export,
    list_images,
    make_versions,
    version_roots,
)
from mmdsr.analysis.downstream_report import report_line, report_task, summary
from mmdsr.analysis.downstream_runs import check_settings, prepare_runs
from mmdsr.analysis.runs import run_all
from mmdsr.engine.launch import UsageError
from mmdsr.engine.options import read_options

CONFIGS = Path(__file__).parents[1] / 'configs/downstream'


def names(text):
    """Parse names between commas."""
    return [part for part in text.split(',') if part]


def parse_args(argv=None):
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'task',
        nargs='+',
        help=f"{', '.join(TASKS)}, all, or a config of a host's network on "
        'HR images',
    )
    parser.add_argument(
        '--sr',
        type=names,
        default=['dsrnet_student_quick'],
        metavar='MODEL,...',
        help='super-resolution models: names or files of published weights, '
        'or CONFIG:CHECKPOINT; LABEL=MODEL names a column (default: '
        'dsrnet_student_quick)',
    )
    parser.add_argument(
        '--protocol',
        choices=PROTOCOLS,
        default='hr',
        help='train on HR images and test each version, or train and test '
        'on the same version (default: hr)',
    )
    parser.add_argument(
        '--out',
        default='work_dirs/downstream',
        help='folder (default: work_dirs/downstream)',
    )
    parser.add_argument(
        '--data-root',
        metavar='DIR',
        help='the data set, or the folder that has it under its name '
        '(default: as in the configs)',
    )
    parser.add_argument(
        '--full',
        action='store_true',
        help='the networks and schedules of paper scale instead of the quick '
        'ones',
    )
    add_run_arguments(parser)
    return parser, parser.parse_args(argv)


def find_data(tasks, args):
    """Find data sets and image folders before anything is computed.

    Returns:
        tuple[dict, dict, dict]: Per task its data sets by what the config
        calls them; per data set its folders of images that are to be made
        anew; per data set all of them.
    """
    # A network that learns from HR images needs only the test images in
    # other versions.
    splits = SPLITS if args.protocol == 'same' else ('test',)
    places, folders, every = {}, {}, {}
    for task in tasks:
        cfg = prepare(task, 0, args.cfg_options)
        roots = image_folders(cfg, SPLITS)
        places[task.name] = {
            root: find_root(root, args.data_root) for root in roots
        }
        for found, wanted in ((every, SPLITS), (folders, splits)):
            for root, prefixes in image_folders(cfg, wanted).items():
                own = found.setdefault(places[task.name][root], [])
                own += [prefix for prefix in prefixes if prefix not in own]
    clash = {}
    for root, prefixes in every.items():
        for prefix in prefixes:
            list_images(root / prefix)
        if clash.setdefault(root.name, root) != root:
            raise UsageError(
                f'{clash[root.name]} and {root} would share a folder: run '
                'their tasks with another --out.'
            )
    return places, folders, every


def run_tasks(args, console):
    """Do everything.

    Returns:
        list[DownstreamRun]: All runs.
    """
    out = Path(args.out)
    tasks = find_tasks(args.task, CONFIGS, args.full)
    versions = make_versions(args.sr)
    places, folders, images = find_data(tasks, args)
    seeds = list(dict.fromkeys(args.seeds))
    check_settings(
        out,
        dict(
            protocol=args.protocol,
            scale='full' if args.full else 'quick',
            options=read_options(args.cfg_options),
        ),
    )
    runs = {
        task.name: prepare_runs(
            task,
            versions,
            {
                name: version_roots(root, out / 'data', versions)
                for name, root in places[task.name].items()
            },
            seeds,
            out,
            args.protocol,
            args.cfg_options,
        )
        for task in tasks
    }
    for root, own in folders.items():
        export(root, own, versions, out / 'data', console, images[root])
    every = [run for own in runs.values() for run in own]
    run_all(every, args.jobs, console, report_line)
    origin = dict(
        protocol='trained on HR images, tested on each version'
        if args.protocol == 'hr'
        else 'trained and tested on the same version',
        seeds=' '.join(map(str, seeds)),
    )
    tables = {
        task.name: report_task(task, runs[task.name], versions, out, origin)
        for task in tasks
    }
    summary(out / 'summary.md', tables, origin)
    for name, table in tables.items():
        if table is not None:
            text = (out / name / 'table.md').read_text(encoding='utf-8')
            console.print(text, markup=False, soft_wrap=True)
    return every


def main(argv=None):
    """Run the tasks."""
    parser, args = parse_args(argv)
    try:
        runs = run_tasks(args, Console())
    except UsageError as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    except KeyboardInterrupt:
        # 130 is what a shell reports for Ctrl-C.
        parser.exit(130, 'Stopped. The same command goes on.\n')
    print(f'Tables, plots and pictures are in {args.out}')
    failed = [run for run in runs if run.error]
    if failed:
        print(f'{len(failed)} of {len(runs)} runs failed:', file=sys.stderr)
        for run in failed:
            print(f'  {run.title}: {run.error}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    main()
