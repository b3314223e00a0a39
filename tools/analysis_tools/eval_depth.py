r"""Compare a depth provider with exact depth.

The frames are those of SewerSim, rendered on the fly, or of a data set. Prints
a table with the mean errors over all frames and of each group; "VP off" is the
median distance between the pipe prior's vanishing point and the farthest
point, in percent of the width.

Example:
    python tools/analysis_tools/eval_depth.py --sim 0 --runs 40 \
        --frames 3 17 --provider pipe --use-camera
"""

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmdsr.depth.evaluate import (
    FAR,
    dataset_cases,
    evaluate,
    simulated_cases,
)
from mmdsr.depth.options import add_provider_options
from mmdsr.errors import said_by
from mmdsr.evaluation.depth_metrics import ALIGNMENTS
from mmdsr.experiments.arguments import positive
from mmdsr.io.console import plain_console
from mmdsr.io.files import write_bytes

COLUMNS = {
    'frames': ('n', '{:.0f}'),
    'failed': ('fail', '{:.0f}'),
    'abs_rel': ('AbsRel', '{:.3f}'),
    'delta_1.25': ('d<1.25', '{:.3f}'),
    'scale_invariant': ('SI log', '{:.3f}'),
    'known': ('known', '{:.3f}'),
    'fallback': ('fallback', '{:.3f}'),
    'vanishing_point': ('VP off', '{:.2f}'),
}


def parse_args(argv: Sequence[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n')[0],
        epilog='The errors are described in docs/depth.md.',
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--sim', type=int, metavar='SEED', help='SewerSim')
    source.add_argument('--data', metavar='ROOT', help='a data set')
    parser.add_argument(
        '--runs', type=positive, default=16, help='of SewerSim (default 16)'
    )
    parser.add_argument(
        '--frames',
        type=int,
        nargs='+',
        default=(3, 17),
        help='of each run of SewerSim (default 3 17)',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(448, 320),
        metavar=('W', 'H'),
        help='of SewerSim frames (default 448 320)',
    )
    parser.add_argument('--split', choices=('train', 'test'), default='test')
    parser.add_argument(
        '--max-samples',
        type=positive,
        help='evenly spread images of the data set',
    )
    parser.add_argument(
        '--align',
        choices=ALIGNMENTS,
        default='none',
        help='scale each map to the truth first (for relative depth)',
    )
    parser.add_argument(
        '--use-camera',
        action='store_true',
        help='give the pipe prior the radius and the field of view of each '
        'SewerSim frame',
    )
    parser.add_argument(
        '--max-depth',
        type=float,
        default=FAR,
        help=(
            f'largest true depth that is counted, in meters (default {FAR:g})'
        ),
    )
    parser.add_argument('--json', type=Path, help='write the numbers here')
    add_provider_options(parser)
    return parser.parse_args(argv)


def make_table(title: str, results: dict[str, Any]) -> Table:
    """Return the results as a table."""
    shown = [key for key in COLUMNS if key in results['all']]
    table = Table(title=title, box=SIMPLE, pad_edge=False)
    table.add_column('', overflow='fold')
    for key in shown:
        table.add_column(COLUMNS[key][0], no_wrap=True, justify='right')
    for group in ['all', *sorted(set(results) - {'all'})]:
        values = [
            COLUMNS[key][1].format(results[group][key])
            if key in results[group]
            else ''
            for key in shown
        ]
        table.add_row(group, *values)
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    args = vars(parse_args(argv))
    console = plain_console(stderr=True)
    seed, root = args.pop('sim'), args.pop('data')
    runs, frames, size = (args.pop(k) for k in ('runs', 'frames', 'size'))
    split, most = args.pop('split'), args.pop('max_samples')
    name, align = args.pop('provider'), args.pop('align')
    use_camera, far = args.pop('use_camera'), args.pop('max_depth')
    target = args.pop('json')
    try:
        if root is None:
            total = runs * len(frames)
            cases = simulated_cases(seed, range(runs), frames, tuple(size))
        else:
            total = None
            cases = dataset_cases(root, split, most)
            if name == 'file':
                args['frames'] = root
        results = evaluate(
            track(cases, 'Comparing', total, console=console),
            name,
            args,
            align,
            use_camera,
            far,
        )
        title = f'{name}, align {align}' + (', own camera' * use_camera)
        Console(soft_wrap=True).print(make_table(title, results))
        if target:
            text = json.dumps(results, indent=1) + '\n'
            write_bytes(target, text.encode())
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        console.print(f'Error: {said_by(error)}', style='red')
        return 2
    except KeyboardInterrupt:
        return 130
    return 1 if results['all']['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
