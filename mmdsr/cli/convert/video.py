"""Turn inspection videos into a super-resolution data set."""

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmdsr.converters.video_to_refsr import (
    REPORTS,
    VideoSummary,
    video_to_refsr,
)
from mmdsr.video.options import NO_REFERENCE, VideoOptions
from mmdsr.video.overlays import Box
from mmdsr.video.reader import DEINTERLACE, SAR
from mmdsr.video.report import clock

DEFAULTS = VideoOptions()


def overlay(text: str) -> str | Box:
    """Read ``auto``, ``none`` or ``X,Y,W,H``."""
    if text in ('auto', 'none'):
        return text
    try:
        x, y, w, h = (int(part) for part in text.split(','))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f'{text!r} is neither auto, none nor X,Y,W,H in pixels'
        ) from error
    return x, y, w, h


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='Exit code: 0 all done; 1 done, but a video could not be '
        'read, or not to its end; 2 nothing done; 130 interrupted (repeat '
        'the command to resume). docs/video.md describes how frames and '
        'references are chosen.',
    )
    parser.add_argument(
        'videos',
        nargs='+',
        metavar='VIDEO',
        help='MPG, MP4, AVI, WMV, MOV, TS, ... or folders of them',
    )
    parser.add_argument('out', help='data set to be made')
    parser.add_argument('--scale', type=int, default=DEFAULTS.scale)
    add_picture_options(parser.add_argument_group('picture'))
    add_frame_options(parser.add_argument_group('frames'))
    add_reference_options(parser.add_argument_group('references'))
    parser.add_argument(
        '--holdout',
        nargs='+',
        default=['0.2'],
        metavar='NAME|FRACTION',
        help='videos for the test split (file names without suffix), or one '
        'fraction of the videos (0 = none, 1 = all); default 0.2',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an existing OUT'
    )
    return parser, parser.parse_args(argv)


def add_picture_options(group: argparse._ArgumentGroup) -> None:
    """Add the options for the part and the size of the picture."""
    group.add_argument(
        '--deinterlace',
        choices=DEINTERLACE,
        default=DEFAULTS.deinterlace,
        help='auto: only frames flagged as interlaced (default)',
    )
    group.add_argument(
        '--sar',
        choices=SAR,
        default=DEFAULTS.sar,
        help='resample anamorphic video to square pixels (default), or keep '
        'its samples',
    )
    group.add_argument(
        '--overlays',
        type=overlay,
        action='append',
        metavar='auto|none|X,Y,W,H',
        help='avoid burned-in text: detected (default), or boxes in pixels '
        '(repeat the option); the largest rectangle free of it is used',
    )
    group.add_argument(
        '--crop',
        type=int,
        nargs=4,
        metavar=('X', 'Y', 'W', 'H'),
        help='the part to use, instead of --overlays',
    )
    group.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('W', 'H'),
        help='crop the center to this aspect ratio and reduce it to this '
        "size; the paper's is 448 320 (default: the size of the picture)",
    )


def add_frame_options(group: argparse._ArgumentGroup) -> None:
    """Add the options for the choice of frames."""
    step = group.add_mutually_exclusive_group()
    step.add_argument(
        '--step-seconds',
        type=float,
        default=DEFAULTS.step_seconds,
        metavar='S',
        help='look at a frame every S seconds (default %(default)s; 0 = all)',
    )
    step.add_argument(
        '--every', type=int, metavar='N', help='look at every N-th frame'
    )
    group.add_argument(
        '--dark',
        type=float,
        default=DEFAULTS.dark,
        help='drop frames whose mean luma is below this (0 to 255; default '
        '%(default)s)',
    )
    group.add_argument(
        '--blur',
        type=float,
        default=DEFAULTS.blur,
        help='drop frames whose sharpness is below this share of the median '
        'around them (0 = none; default %(default)s)',
    )
    group.add_argument(
        '--duplicate',
        type=float,
        default=DEFAULTS.duplicate,
        help='drop frames that differ by less than this from the last kept '
        'one (mean gray levels of the reduced picture; 0 = none; default '
        '%(default)s)',
    )


def add_reference_options(group: argparse._ArgumentGroup) -> None:
    """Add the options for the choice of references."""
    group.add_argument(
        '--window',
        type=int,
        default=DEFAULTS.window,
        metavar='N',
        help='number of kept frames before and after among which the '
        'reference is chosen (default %(default)s)',
    )
    group.add_argument(
        '--min-matches',
        type=int,
        default=DEFAULTS.min_matches,
        metavar='N',
        help='fewest feature matches with a reference (default %(default)s)',
    )
    group.add_argument(
        '--min-spread',
        type=float,
        default=DEFAULTS.min_spread,
        metavar='SHARE',
        help='smallest share of the frame or of the reference that they are '
        'spread over (default %(default)s)',
    )
    group.add_argument(
        '--no-reference',
        choices=NO_REFERENCE,
        default=DEFAULTS.no_reference,
        help='frames without a usable reference: drop them (default), or '
        'give them their own enlarged low-resolution image',
    )


def make_options(args: argparse.Namespace) -> VideoOptions:
    """Return the options; ValueError if they contradict each other."""
    overlays = args.overlays or ['auto']
    words = [item for item in overlays if isinstance(item, str)]
    if words and len(overlays) > 1:
        raise ValueError(
            f'--overlays {words[0]} cannot be combined with other --overlays.'
        )
    if args.crop and args.overlays:
        raise ValueError('Give --crop or --overlays, not both.')
    return VideoOptions(
        scale=args.scale,
        size=tuple(args.size) if args.size else None,
        deinterlace=args.deinterlace,
        sar=args.sar,
        overlays=words[0] if words else tuple(overlays),
        crop=tuple(args.crop) if args.crop else None,
        every=args.every,
        step_seconds=args.step_seconds,
        window=args.window,
        min_matches=args.min_matches,
        min_spread=args.min_spread,
        no_reference=args.no_reference,
        dark=args.dark,
        blur=args.blur,
        duplicate=args.duplicate,
    )


class Bars:
    """A progress bar for each video that has been started."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self.tasks: dict[str, TaskID] = {}

    def __call__(
        self, name: str, seconds: float | None, duration: float | None
    ) -> None:
        """Show how far a video has been read."""
        if name not in self.tasks:
            # One at a time; a hundred finished bars would fill the screen.
            for task in self.tasks.values():
                self.progress.update(task, visible=False)
            self.tasks[name] = self.progress.add_task(name, total=duration)
        # The last frames are still being matched when all have been read.
        self.progress.update(self.tasks[name], completed=seconds or 0)


def show_summary(summary: VideoSummary, console: Console) -> None:
    """Print what was written, and what was not, and why."""

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, markup=False, highlight=False)

    for file, seconds, text in summary.problems:
        say(f'{file}, at {clock(seconds)}: {text}', 'red')
    for video in summary.videos:
        for note in video['notes']:
            say(f'{video["file"]}: {note}', 'yellow')
    for note in summary.notes:
        say(note, 'yellow')
    if summary.resumed:
        say(f'{summary.resumed} videos were finished by an earlier call')
    for video in summary.videos:
        counts = [
            f'{count} {why}' for why, count in sorted(video['counts'].items())
        ]
        say(
            f'{video["name"]}: {len(video["samples"])} samples of '
            f'{video["looked_at"]} frames'
            + (f'; dropped {", ".join(counts)}' if counts else '')
        )
    for why, count in sorted(summary.dropped.items()):
        say(f'Dropped {count}: {why}', 'yellow')
    say(
        f'{summary.out}: {summary.samples["train"]} training and '
        f'{summary.samples["test"]} test samples from {summary.looked_at} '
        f'frames; see {summary.out / REPORTS[0]}'
    )


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    parser, args = parse_args(argv, prog)
    console = Console(stderr=True, soft_wrap=True)
    try:
        options = make_options(args)
    except ValueError as error:
        parser.error(str(error))
    bars = Bars(console)
    try:
        with bars.progress:
            summary = video_to_refsr(
                args.videos,
                args.out,
                options,
                args.holdout,
                args.overwrite,
                bars,
            )
    except (OSError, ValueError, ImportError) as error:
        console.print(
            f'Error: {error}', style='red', markup=False, highlight=False
        )
        return 2
    except KeyboardInterrupt:
        console.print('Interrupted: repeat the command to resume.')
        return 130
    show_summary(summary, Console(soft_wrap=True))
    return 1 if summary.problems else 0
