"""Make depth maps for frames, or for a data set that lacks them."""

import argparse
from collections import Counter
from collections.abc import Sequence
from functools import partial

from rich.console import Console
from rich.progress import track

from mmdsr.depth import build_provider
from mmdsr.depth.dataset import dataset_depth
from mmdsr.depth.frames import Report, frames_depth
from mmdsr.depth.options import add_provider_options
from mmdsr.io.console import plain_console


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='The providers are described in docs/depth.md. Exit code: 0 '
        'all done, 1 some images got no map, 2 nothing done, 130 '
        'interrupted (repeat the command to resume).',
    )
    modes = parser.add_subparsers(dest='mode', required=True)
    frames = modes.add_parser(
        'frames', help='a folder of maps laid out like a folder of frames'
    )
    frames.add_argument(
        'frames', help='folder of frames, or of subfolders with one run each'
    )
    frames.add_argument('out', help='folder to be made for the maps')
    dataset = modes.add_parser(
        'dataset', help='depth_lr and depth_ref of an existing data set'
    )
    dataset.add_argument('root', help='root of the data set')
    dataset.add_argument(
        '--scale', type=int, help='scale of a data set without a manifest'
    )
    for mode in (frames, dataset):
        mode.add_argument(
            '--overwrite',
            action='store_true',
            help='replace existing maps',
        )
        add_provider_options(mode)
    return parser.parse_args(argv)


def show_report(report: Report, console: Console) -> None:
    """Print the counts and the reasons for missing and fallback maps."""
    for title, groups in (
        ('No depth', report.failed),
        ('Fallback', report.fallback),
    ):
        for reason, count in Counter(groups.values()).items():
            names = [name for name in groups if groups[name] == reason]
            more = ', ...' if count > 5 else ''
            console.print(
                f'{title} {count}: {reason}: {", ".join(names[:5])}{more}',
                style='yellow',
            )
    kept = f', {report.kept} existed already' if report.kept else ''
    console.print(
        f'{report.written} of {report.total} maps written{kept}, '
        f'{len(report.fallback)} of them a fallback, '
        f'{len(report.failed)} failed',
    )


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = vars(parse_args(argv, prog))
    console = plain_console(stderr=True)
    mode, overwrite = args.pop('mode'), args.pop('overwrite')
    name = args.pop('provider')
    places = {
        key: args.pop(key)
        for key in ('frames', 'out', 'root', 'scale')
        if key in args
    }
    progress = partial(track, console=console)
    try:
        if name == 'file':
            args['frames'] = places.get('frames', places.get('root'))
        provider = build_provider(name, **args)
        make = frames_depth if mode == 'frames' else dataset_depth
        report = make(
            **places,
            provider=provider,
            overwrite=overwrite,
            progress=progress,
        )
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        console.print(f'Error: {error}', style='red')
        return 2
    except KeyboardInterrupt:
        console.print('Interrupted: repeat the command to resume.')
        return 130
    show_report(report, plain_console())
    return 1 if report.failed else 0
