"""Enhance an image, a folder of images, or a recording.

Images become PNG files in a folder; a recording becomes OUT.mp4, OUT.mkv
(lossless) or a folder of frames.
"""

import argparse
import errno
import warnings
from collections.abc import Iterable, Sequence

import torch
from rich.console import Console
from rich.progress import track

from mmdsr.cli.enhance_video import (
    add_video_options,
    is_recording,
    refuse_misfits,
    run_recording,
)
from mmdsr.deploy.engine import ALL_PRECISIONS, BACKENDS
from mmdsr.errors import said_by
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.inference import ExportReport, SuperResolver, export_folder
from mmdsr.inference.budget import cpu_count
from mmdsr.inference.interpolation import INTERPOLATIONS
from mmdsr.inference.jobs import Job
from mmdsr.inference.ranks import Place, find_place
from mmdsr.inference.references import POLICIES as REFERENCES
from mmdsr.io.console import plain_console
from mmdsr.weights import available

DEFAULT_WEIGHTS = 'dsrnet_x_nano'
_FULL = '. Free some space and repeat the command to resume'
#: What to do about errors of the system, by number.
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: '. The disk takes no larger files (FAT32: none over 4 GB): '
    'name an OUT on another disk, or make shorter recordings with --start and '
    '--end',
}
#: Names of the options that an interpolation does not have.
_OF_NETWORKS = ('tile', 'overlap', 'precision', 'backend', 'batch_size')


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='The same command resumes an interrupted run. Started with '
        'torchrun or srun, the processes share the work. See '
        'docs/super_resolve.md and docs/enhance_video.md.',
    )
    parser.add_argument(
        'source',
        metavar='IN',
        help='an image, a folder of images, or a recording (MP4, MPG, MOV, '
        'AVI, MKV, WMV, TS)',
    )
    parser.add_argument(
        'target',
        metavar='OUT',
        help='folder for the results, laid out like IN; for a recording '
        'NAME.mp4, NAME.mkv or a folder for its frames',
    )
    model = parser.add_argument_group('network (one of)')
    model.add_argument(
        '--weights',
        metavar='NAME|FILE',
        help=f'published weights; {", ".join(available())} come with the '
        f'package (default: {DEFAULT_WEIGHTS})',
    )
    model.add_argument('--config', help='config of a training run')
    model.add_argument(
        '--checkpoint',
        metavar='FILE|DIR',
        help='with --config: its checkpoint or working directory',
    )
    model.add_argument(
        '--interpolation',
        choices=INTERPOLATIONS,
        help='interpolate instead of using a network',
    )
    parser.add_argument(
        '--scale',
        type=int,
        help='scale of an interpolation, 1 to 8, or of a recording, 1, 2 or '
        '4 (default: 4, like a network)',
    )
    parser.add_argument(
        '--reference',
        metavar='POLICY',
        help='for images, upscaled: the enlarged image; self: the image '
        'itself, as in the paper; file: a file in --refs; neighbor: the '
        'previous frame (default: upscaled). For a recording, '
        'auto: the best of the frames before and after; none; previous; '
        'next; or an image file (default: auto)',
    )
    parser.add_argument(
        '--refs',
        metavar='PATH',
        help='for --reference file: folder of the references, laid out like '
        'IN, with the same names apart from the suffix; for a single image '
        'also its reference itself',
    )
    parser.add_argument(
        '--tile',
        type=int,
        metavar='PIXELS',
        help='largest side, in pixels of the image, that the network sees at '
        'once (default: the whole image if it fits into half of the free '
        'memory and into 1.5 GiB, on a GPU 6 GiB; otherwise the largest tiles '
        'up to 256 that do)',
    )
    parser.add_argument(
        '--overlap',
        type=int,
        metavar='PIXELS',
        help='minimum overlap of neighboring tiles (default: 16)',
    )
    parser.add_argument(
        '--precision',
        choices=ALL_PRECISIONS,
        help='of the network (default: fp32)',
    )
    parser.add_argument(
        '--backend',
        choices=BACKENDS,
        help='runtime of the network; auto: on a CPU the fastest that is '
        'installed, see docs/deploy.md (default: auto)',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        metavar='N',
        help='number of images or tiles per batch (default: 1 on a CPU, '
        'otherwise as many as fit into the free memory)',
    )
    parser.add_argument(
        '--device',
        help='such as cpu or cuda:0 (default: a GPU if there is one)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace results that this command wrote to OUT with other '
        'settings',
    )
    evidence = parser.add_argument_group('evidence (docs/evidence.md)')
    EvidenceOptions.add_to(evidence)
    add_video_options(parser)
    return parser.parse_args(argv)


def make_resolver(
    args: argparse.Namespace, recording: bool = False
) -> SuperResolver:
    """Build the resolver that the options describe.

    Args:
        args: Options from :func:`parse_args`.
        recording: Whether the source is a recording; its scale and reference
            are options of the recording, not of the resolver.

    Raises:
        ValueError: If options contradict each other.
    """
    if args.interpolation and args.reference not in (None, 'none'):
        raise ValueError(
            'An interpolation uses no reference: leave out --reference '
            f'{args.reference} or --interpolation {args.interpolation}.'
        )
    if not recording and args.reference not in (None, *REFERENCES):
        raise ValueError(
            f'--reference must be one of {", ".join(REFERENCES)} for images, '
            f'not {args.reference}: for an image file of your own, give '
            '--reference file --refs FILE.'
        )
    given = {
        name: getattr(args, name)
        for name in _OF_NETWORKS
        if getattr(args, name) is not None
    }
    if args.interpolation and given:
        option = '--' + next(iter(given)).replace('_', '-')
        raise ValueError(
            f'{option} is for networks: leave out {option} or '
            f'--interpolation {args.interpolation}.'
        )
    if 'batch_size' in given:
        given['max_batch'] = given.pop('batch_size')
    weights = args.weights
    if not (weights or args.config or args.interpolation or args.checkpoint):
        weights = DEFAULT_WEIGHTS
    return SuperResolver(
        config=args.config,
        checkpoint=args.checkpoint,
        weights=weights,
        interpolation=args.interpolation,
        scale=None if recording else args.scale,
        reference='upscaled' if recording else args.reference or 'upscaled',
        **given,
    )


def show_report(
    report: ExportReport, place: Place, target: str, console: Console
) -> None:
    """Print the number of written images and the reasons for failures.

    Args:
        report: The report of the export.
        place: Rank of this process.
        target: Folder of the results.
        console: Where to print.
    """

    def warn(text: str) -> None:
        console.print(text, style='yellow')

    for name, reason in report.failed.items():
        warn(f'Left out: {name}: {reason}')
    for name, reason in report.partial.items():
        warn(f'In part: {name}: {reason}')
    # One line for all images with the same note.
    alike: dict[str, list[str]] = {}
    for name, note in report.notes.items():
        alike.setdefault(note, []).append(name)
    for note, names in alike.items():
        more = f' and {len(names) - 1} more' if len(names) > 1 else ''
        warn(f'Converted: {names[0]}{more}: {note}')
    share = f'Process {place.rank} of {place.world_size}: '
    kept = f', {report.kept} existed already' if report.kept else ''
    console.print(
        f'{share if place.launcher else ""}{report.written} of '
        f'{report.total} images written to {target}{kept}',
    )


def enhance_images(args: argparse.Namespace, console: Console) -> int:
    """Enhance an image or a folder of images.

    Args:
        args: Options from :func:`parse_args`.
        console: Where to print.

    Returns:
        The exit code.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If options contradict each other.
        MemoryError: If images are too large.
    """

    def progress(items: Iterable[Job], text: str, total: int) -> Iterable[Job]:
        return track(items, text, total, console=console)

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
        evidence=EvidenceOptions.read(args),
    )
    show_report(report, place, args.target, console)
    if report.failed and not (report.written or report.kept):
        return 2
    return 1 if report.failed or report.partial else 0


def run(args: argparse.Namespace, console: Console) -> int:
    """Enhance the source that the options name.

    Args:
        args: Options from :func:`parse_args`.
        console: Where to print.

    Returns:
        The exit code.
    """

    def say(text: str) -> None:
        console.print(text, style='red')

    try:
        if is_recording(args.source):
            return run_recording(
                args, find_place(), console, lambda: make_resolver(args, True)
            )
        refuse_misfits(args, recording=False)
        return enhance_images(args, console)
    except (OSError, ValueError, ImportError, MemoryError) as error:
        more = ''
        if isinstance(error, OSError):
            more = _ADVICE.get(error.errno or 0, '')
        say(f'Error: {said_by(error)}{more}')
        return 2
    except KeyboardInterrupt:
        say(
            'Interrupted. Finished files are kept; repeat the command to '
            'resume.'
        )
        return 130


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console(stderr=True)

    def warn(text: Warning | str, *_: object, **__: object) -> None:
        console.print(str(text), style='yellow')

    # In a container, threads beyond its share of the cores would only wait.
    torch.set_num_threads(min(torch.get_num_threads(), cpu_count()))
    with warnings.catch_warnings():
        warnings.showwarning = warn  # type: ignore[assignment]
        return run(args, console)
