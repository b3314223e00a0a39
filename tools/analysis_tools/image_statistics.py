r"""Compare simulated runs with real sequences by image statistics.

Luminance, gradients, power spectrum, color, darkness of the far end and
what x4 bicubic interpolation loses, per sequence of images; and, for
simulated runs, whether they lie within the range of all real sequences (two
or more).

Example:
    python tools/analysis_tools/image_statistics.py crawler=data/crawler \
        cctv=data/cctv --sim-runs 16 --plot statistics.png --out stats.md
"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mmdsr.analysis import statistics_report as report
from mmdsr.errors import said_by
from mmdsr.io.console import plain_console


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[ArgumentParser, Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'groups',
        nargs='*',
        metavar='NAME=FOLDER',
        help='a folder of images, or of one sub-folder per sequence',
    )
    parser.add_argument(
        '--sim-runs', type=int, default=0, help='simulated runs (default 0)'
    )
    parser.add_argument(
        '--sim-frames', type=int, default=4, help='frames of each (default 4)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the simulator (default 0)'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(448, 320),
        metavar=('W', 'H'),
        help='size of simulated frames (default 448 320)',
    )
    parser.add_argument(
        '--workers', type=int, default=1, help='processes (default 1)'
    )
    parser.add_argument(
        '--out',
        type=Path,
        action='append',
        default=[],
        metavar='FILE',
        help='write .md (the table), .csv (a line per sequence) or .json '
        '(everything); may be given several times',
    )
    parser.add_argument(
        '--plot', type=Path, metavar='FILE.png', help='draw the distributions'
    )
    args = parser.parse_args(argv)
    folders = {}
    for text in args.groups:
        name, equals, folder = text.partition('=')
        if not (name and equals and folder):
            parser.error(f'{text!r} must be NAME=FOLDER')
        if name in folders or name == report.SIMULATED:
            parser.error(f'the name {name} is used twice')
        folders[name] = folder
    args.groups = folders
    if not folders and not args.sim_runs:
        parser.error('give NAME=FOLDER, --sim-runs N, or both')
    if args.sim_runs < 0:
        parser.error('--sim-runs must not be negative')
    for path in args.out:
        if path.suffix not in report.FORMATS:
            parser.error(
                f'--out {path} must end in one of {", ".join(report.FORMATS)}'
            )
    if args.plot and args.plot.suffix != '.png':
        parser.error(f'--plot {args.plot} must end in .png')
    return parser, args


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser, args = parse_args(argv)
    progress = plain_console(stderr=True)
    groups, verdicts = {}, None
    try:
        for name, folder in args.groups.items():
            groups[name] = list(
                track(
                    report.measure_folder(folder),
                    description=name,
                    console=progress,
                )
            )
        if args.sim_runs:
            real = [one for group in groups.values() for one in group]
            runs = report.measure_simulation(
                args.sim_runs,
                args.sim_frames,
                args.seed,
                args.size,
                args.workers,
            )
            groups[report.SIMULATED] = list(
                track(
                    runs,
                    description=report.SIMULATED,
                    total=args.sim_runs,
                    console=progress,
                )
            )
            # One sequence has no range.
            if len(real) > 1:
                verdicts = report.judge(real, groups[report.SIMULATED])
        # Written to a file, the table would be truncated at 80 columns.
        console = Console()
        if not console.is_terminal:
            console = Console(width=160)
        console.print(report.rich_table(groups, verdicts))
        for path in args.out:
            report.write_report(path, groups, verdicts)
        if args.plot:
            report.plot(args.plot, groups)
    except (ValueError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {said_by(error)}\n')
    for path in [*args.out, *filter(None, [args.plot])]:
        print(f'Written: {path}')


if __name__ == '__main__':
    main()
