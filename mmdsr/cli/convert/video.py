"""Convert inspection videos to a super-resolution data set."""

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager

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
from mmdsr.io.console import plain_console
from mmdsr.video.options import VideoOptions
from mmdsr.video.report import clock


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='Exit code: 0 all done; 1 done, but a video could not be '
        'read completely; 2 nothing done; 130 interrupted (repeat the '
        'command to resume). docs/video.md describes how frames and '
        'references are chosen.',
    )
    parser.add_argument(
        'videos',
        nargs='+',
        metavar='VIDEO',
        help='MPG, MP4, AVI, WMV, MOV, TS, ... or folders of them',
    )
    parser.add_argument('out', help='data set to be made')
    VideoOptions.add_to(parser)
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


class Bars(AbstractContextManager):
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

    def __exit__(self, *_: object) -> None:
        # Without a video, not even an empty line is shown.
        if self.tasks:
            self.progress.stop()

    def __call__(
        self, name: str, seconds: float | None, duration: float | None
    ) -> None:
        """Update the progress bar of a video."""
        self.progress.start()
        if name not in self.tasks:
            # Show only this bar: a hundred finished ones would fill the
            # screen.
            for task in self.tasks.values():
                self.progress.update(task, visible=False)
            self.tasks[name] = self.progress.add_task(name, total=duration)
        # After the last frame is read, matching still continues.
        self.progress.update(self.tasks[name], completed=seconds or 0)


def show_summary(summary: VideoSummary, console: Console) -> None:
    """Print the counts and the reasons for skipped videos and frames."""

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style)

    for file, seconds, text in summary.problems:
        say(f'{file}, at {clock(seconds)}: {text}', 'red')
    for video in summary.videos:
        for note in video['notes']:
            say(f'{video["file"]}: {note}', 'yellow')
    for note in summary.notes:
        say(note, 'yellow')
    if summary.resumed:
        say(f'{summary.resumed} videos were finished by an earlier command')
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
    console = plain_console(stderr=True)
    try:
        if args.crop and args.overlays:
            raise ValueError('Give --crop or --overlays, not both.')
        options = VideoOptions.read(args)
    except ValueError as error:
        parser.error(str(error))
    try:
        with Bars(console) as bars:
            summary = video_to_refsr(
                args.videos,
                args.out,
                options,
                args.holdout,
                args.overwrite,
                bars,
            )
    except (OSError, ValueError, ImportError) as error:
        console.print(f'Error: {error}', style='red')
        return 2
    except KeyboardInterrupt:
        console.print('Interrupted: repeat the command to resume.')
        return 130
    show_summary(summary, plain_console())
    return 1 if summary.problems else 0
