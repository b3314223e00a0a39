"""``mmdsr enhance`` for recordings: options and output."""

import argparse
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mmdsr.errors import MissingExtraError, VideoError
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.inference import SuperResolver
from mmdsr.inference.ranks import Place
from mmdsr.recording.export import Hooks, enhance_recording
from mmdsr.recording.neighbors import POLICIES
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.outcome import RecordingReport
from mmdsr.recording.ownership import is_film
from mmdsr.recording.trial import Trial, try_frames
from mmdsr.video.files import SUFFIXES, is_video

#: Names of options that apply to recordings only, and to images only.
_RECORDINGS = (*RecordingOptions.option_names(), 'preview', 'dry_run', 'part')
_IMAGES = ('refs',)


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for recordings; each defaults to None."""
    group = parser.add_argument_group('recordings')
    RecordingOptions.add_to(group)
    group.add_argument(
        '--preview',
        action='store_true',
        default=None,
        help=(
            'write only three frames, as OUT.preview1.png and so on, and '
            'estimate the total time'
        ),
    )
    group.add_argument(
        '--dry-run',
        action='store_true',
        default=None,
        help='write nothing; describe the recording and estimate the time',
    )
    group.add_argument(
        '--part',
        metavar='I/N',
        help='process the I-th of N parts of the recording, counted from 1',
    )


def is_recording(source: str) -> bool:
    """Return whether a source is a recording."""
    path = Path(source)
    if path.is_file():
        return is_video(path)
    return not path.is_dir() and path.suffix.lower() in SUFFIXES


def refuse_misfits(args: argparse.Namespace, recording: bool) -> None:
    """Refuse options that do not apply to this kind of source.

    Raises:
        ValueError: If there is such an option.
    """
    wrong = _IMAGES if recording else _RECORDINGS
    given = [
        name for name in wrong if getattr(args, name) not in (None, False)
    ]
    if given:
        option = '--' + given[0].replace('_', '-')
        wanted = 'images' if recording else 'recordings'
        found = 'a recording' if recording else 'not a recording'
        raise ValueError(
            f'{option} is for {wanted}, but {args.source} is {found}: omit '
            f'{option}.'
        )


def _refuse_without_effect(args: argparse.Namespace) -> None:
    """Refuse options that would have no effect on a recording.

    Raises:
        ValueError: If there is such an option.
    """
    if args.preview and args.dry_run:
        raise ValueError(
            '--preview writes three frames and --dry-run nothing: omit one of '
            'them.'
        )
    target = Path(args.target)
    if args.crf is not None and target.suffix.lower() != '.mp4':
        raise ValueError(
            f'--crf is the quality of an MP4, but {target} will be without '
            'loss: omit --crf.'
        )
    if args.audio is not None and not is_film(target):
        raise ValueError(
            f'--audio is for films, but {target} will be a folder of frames: '
            'omit --audio.'
        )


def recording_options(args: argparse.Namespace) -> RecordingOptions:
    """Return the options of the recording.

    Raises:
        ValueError: If a value is invalid.
    """
    if args.reference in ('upscaled', 'self', 'file', 'neighbor'):
        raise ValueError(
            f'--reference {args.reference} is for images: for a recording, '
            f'give {", ".join(POLICIES)} or an image file.'
        )
    return RecordingOptions.read(args)


def parse_part(text: str | None, place: Place) -> tuple[int, int]:
    """Return the rank of this process, from 0, and the number of processes.

    Raises:
        ValueError: If the part is invalid or a launcher also sets one.
    """
    if text is None:
        return place.rank, place.world_size
    if place.launcher:
        raise ValueError(
            f'--part and {place.launcher} both divide the work: omit --part.'
        )
    one, _, all_of = text.partition('/')
    if not (one.isdecimal() and all_of.isdecimal()) or not (
        1 <= int(one) <= int(all_of)
    ):
        raise ValueError(
            f'--part {text} is not valid: give I/N with I from 1 to N, such '
            'as 2/4.'
        )
    return int(one) - 1, int(all_of)


class _Rate(ProgressColumn):
    """Frames per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f'{speed:.2f} frames/s' if speed else '- frames/s')


def run_recording(
    args: argparse.Namespace,
    place: Place,
    console: Console,
    make_resolver: Callable[[], SuperResolver],
) -> int:
    """Enhance a recording; return the exit code.

    Raises:
        ValueError: If the options or the recording cannot be used.
        OSError: If a file cannot be read or written.
    """
    refuse_misfits(args, recording=True)
    _refuse_without_effect(args)
    options = recording_options(args)
    part, parts = parse_part(args.part, place)
    resolver = make_resolver()
    device = args.device or place.device
    resolver.check_device(device)
    source, target = Path(args.source), Path(args.target)
    if source.exists() and not source.is_file():
        # A pipe would block, and its frames can be read only once.
        raise ValueError(f'{source} is not a regular file: save it as one.')
    try:
        if args.dry_run or args.preview:
            trial = try_frames(
                resolver,
                source,
                target,
                options,
                device,
                EvidenceOptions.read(args),
                write=args.preview,
            )
            _show_trial(trial, console)
            return 0
        with Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
            disable=bool(part) or not console.is_terminal,
        ) as bar:
            task = bar.add_task('Reading', total=None)
            report = enhance_recording(
                resolver,
                source,
                target,
                options,
                device,
                args.overwrite,
                part,
                parts,
                hooks=Hooks(
                    progress=lambda done, total: bar.update(
                        task, completed=done, total=max(done, total)
                    ),
                    status=lambda text: bar.update(task, description=text),
                ),
                evidence=EvidenceOptions.read(args),
            )
    except VideoError as error:
        raise ValueError(f'{source}: {error}.') from error
    except MissingExtraError as error:
        raise ValueError(str(error)) from error
    return _show(report, console)


def _show(report: RecordingReport, console: Console) -> int:
    for note in report.notes:
        console.print(note, style='yellow')
    for seconds, text in report.problems:
        console.print(f'Problem at {seconds} s: {text}', style='yellow')
    if report.finished:
        kept = report.total - report.written
        more = f', {kept} of them existed already' if kept > 0 else ''
        line = f'{report.total} frames written to {report.target}{more}'
    else:
        some = report.missing or 'some'
        left = 'segment is' if some == 1 else 'segments are'
        line = (
            f'{report.written} frames are finished; {some} {left} left to '
            f'other processes, and the last of them creates {report.target}. '
            'If they were stopped, repeat their commands.'
        )
    console.print(line)
    return 1 if report.problems else 0


def _show_trial(trial: Trial, console: Console) -> None:
    for line in trial.lines():
        console.print(line)
