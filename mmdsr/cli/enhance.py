"""Super-resolve an image or a folder of images into a folder of PNG files."""

import argparse
import warnings

import torch
from rich.console import Console
from rich.progress import track

from mmdsr.deploy.engine import ALL_PRECISIONS, BACKENDS
from mmdsr.inference import SuperResolver, export_folder
from mmdsr.inference.budget import cpu_count
from mmdsr.inference.ranks import find_place
from mmdsr.inference.references import POLICIES
from mmdsr.inference.super_resolver import INTERPOLATIONS
from mmdsr.weights import available

DEFAULT_WEIGHTS = 'dsrnet_x_nano'


def parse_args(argv=None, prog=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='An interrupted run is resumed by the same command. '
        'Started with torchrun or srun, the processes share the images. See '
        'docs/super_resolve.md.',
    )
    parser.add_argument('source', metavar='IN', help='an image or a folder')
    parser.add_argument(
        'target', metavar='OUT', help='folder to be made, laid out like IN'
    )
    model = parser.add_argument_group('what with (one of)')
    model.add_argument(
        '--weights',
        metavar='NAME|FILE',
        help=f'published weights; {", ".join(available())} come with the '
        f'package (default: {DEFAULT_WEIGHTS})',
    )
    model.add_argument('--config', help='config of a training')
    model.add_argument(
        '--checkpoint',
        metavar='FILE|DIR',
        help='with --config: its checkpoint or working directory',
    )
    model.add_argument(
        '--interpolation', choices=INTERPOLATIONS, help='no network'
    )
    parser.add_argument(
        '--scale',
        type=int,
        help='of an interpolation: 1 to 8 (default: 4, as the networks)',
    )
    parser.add_argument(
        '--reference',
        choices=POLICIES,
        default='upscaled',
        help='the enlarged image, the image as it is (the paper without a '
        'reference), a file in --refs, or the frame before (default: '
        'upscaled)',
    )
    parser.add_argument(
        '--refs',
        metavar='FOLDER',
        help='references, laid out like IN, with the same names but for the '
        'suffix',
    )
    parser.add_argument(
        '--tile',
        type=int,
        metavar='PIXELS',
        help='largest side, in pixels of the image, that the network sees at '
        'once (default: the whole image if it fits into half of the free '
        'memory and 1.5 GiB, of a GPU 6, else the largest tiles up to 256 '
        'that do)',
    )
    parser.add_argument(
        '--overlap',
        type=int,
        default=16,
        metavar='PIXELS',
        help='what tiles share at least (default: 16)',
    )
    parser.add_argument('--precision', choices=ALL_PRECISIONS, default='fp32')
    parser.add_argument(
        '--backend',
        choices=BACKENDS,
        default='auto',
        help='what the network runs in (default: on a CPU the fastest that '
        'is installed, see docs/deploy.md)',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        metavar='N',
        help='images or tiles at once (default: 1 on a CPU, else chosen by '
        'the free memory)',
    )
    parser.add_argument(
        '--device', help='such as cpu or cuda:0 (default: a GPU if any)'
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='drop what this tool has written to OUT with other settings',
    )
    return parser.parse_args(argv)


def make_resolver(args):
    """Build what the options ask for."""
    weights = args.weights
    if not (weights or args.config or args.interpolation or args.checkpoint):
        weights = DEFAULT_WEIGHTS
    return SuperResolver(
        config=args.config,
        checkpoint=args.checkpoint,
        weights=weights,
        interpolation=args.interpolation,
        scale=args.scale,
        reference=args.reference,
        tile='auto' if args.tile is None else args.tile,
        overlap=args.overlap,
        max_batch=args.batch_size,
        precision=args.precision,
        backend=args.backend,
    )


def show_report(report, place, target, console):
    """Print what was written, and what was not and why."""

    def warn(text):
        console.print(text, style='yellow', markup=False)

    for name, reason in report.failed.items():
        warn(f'Left out: {name}: {reason}')
    for name, reason in report.partial.items():
        warn(f'In part: {name}: {reason}')
    # Thousands of images of one kind get one line.
    alike = {}
    for name, note in report.notes.items():
        alike.setdefault(note, []).append(name)
    for note, names in alike.items():
        more = f' and {len(names) - 1} more' if len(names) > 1 else ''
        warn(f'Converted: {names[0]}{more}: {note}')
    share = f'Process {place.rank} of {place.world_size}: '
    kept = f', {report.kept} were there already' if report.kept else ''
    console.print(
        f'{share if place.launcher else ""}{report.written} of '
        f'{report.total} images written to {target}{kept}',
        markup=False,
        highlight=False,
    )


def run(args, console):
    """Enhance what the options say; return the exit code."""

    def say(text):
        console.print(text, style='red', markup=False)

    def progress(items, text, total):
        return track(items, text, total, console=console)

    try:
        place = find_place()
        report = export_folder(
            make_resolver(args),
            args.source,
            args.target,
            refs=args.refs,
            device=args.device or place.device,
            overwrite=args.overwrite,
            rank=place.rank,
            world_size=place.world_size,
            progress=None if place.rank else progress,
        )
    except (OSError, ValueError, ImportError, MemoryError) as error:
        say(f'Error: {error}')
        return 2
    except KeyboardInterrupt:
        say('Interrupted. What is finished is kept; the same command resumes.')
        return 130
    show_report(report, place, args.target, console)
    return 1 if report.failed or report.partial else 0


def main(argv=None, prog=None):
    """Run; return the exit code."""
    args = parse_args(argv, prog)
    console = Console(stderr=True, soft_wrap=True, highlight=False)

    def warn(text, *_, **__):
        console.print(str(text), style='yellow', markup=False)

    # More than its share of a machine makes a container wait.
    torch.set_num_threads(min(torch.get_num_threads(), cpu_count()))
    with warnings.catch_warnings():
        warnings.showwarning = warn
        return run(args, console)
