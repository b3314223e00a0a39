"""Turn videos into a reference-based super-resolution data set."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.converters.frames_to_refsr import check_holdout, split_runs
from mmdsr.converters.summary import Summary
from mmdsr.errors import VideoError
from mmdsr.extras import require
from mmdsr.io.files import write_bytes
from mmdsr.io.frames import Run, shown
from mmdsr.io.layout import RefSRWriter, is_written, read_manifest
from mmdsr.io.listing import natural_order, some
from mmdsr.video.files import find_videos, name_videos
from mmdsr.video.options import VideoOptions
from mmdsr.video.reader import VideoInfo, probe
from mmdsr.video.records import VideoRecord
from mmdsr.video.references import MatchJournal
from mmdsr.video.report import report_html, report_json
from mmdsr.video.samples import (
    add_problem,
    convert_video,
    new_record,
)

REPORTS = ('report.html', 'report.json')


@dataclass
class VideoSummary:
    """Outcome for the videos.

    Attributes:
        out: The data set.
        videos: Records, see :func:`mmdsr.video.samples.new_record`.
        notes: Notes on the whole data set.
        resumed: Number of videos that an earlier call had finished.
    """

    out: Path
    videos: list[VideoRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    resumed: int = 0

    @property
    def samples(self) -> Counter[str]:
        """Number of samples in each split."""
        counter: Counter[str] = Counter()
        for video in self.videos:
            counter[video['split'] or ''] += len(video['samples'])
        return counter

    @property
    def dropped(self) -> Counter[str]:
        """Number of dropped frames by reason."""
        counter: Counter[str] = Counter()
        for video in self.videos:
            counter.update(video['counts'])
        return counter

    @property
    def looked_at(self) -> int:
        """Number of frames examined."""
        return sum(video['looked_at'] for video in self.videos)

    @property
    def problems(self) -> list[tuple[str, float, str]]:
        """File, seconds and description of each failure."""
        return [
            (video['file'], problem['time'], problem['text'])
            for video in self.videos
            for problem in video['problems']
        ]


def video_to_refsr(
    videos: Iterable[Path | str],
    out: Path | str,
    options: VideoOptions | None = None,
    holdout: Sequence[Any] = (0.2,),
    overwrite: bool = False,
    progress: Callable[..., Any] | None = None,
) -> VideoSummary:
    """Write the data set of some videos.

    Frames are examined one by one: burned-in text is cropped, dark, blurred
    and repeated frames are dropped, and each remaining frame gets the best
    neighbor as reference, or none. The outcome for each frame is in
    ``OUT/report.html`` and ``OUT/report.json``.

    A video belongs to one split. ``holdout`` names videos, or is a fraction of
    them as in :func:`mmdsr.converters.frames_to_refsr.frames_to_refsr`; a
    single video is not divided: it is used for training unless ``holdout``
    names it or is 1.

    A video that cannot be read completely does not affect the others; the
    failure is reported in the summary. An interrupted call leaves
    ``.OUT.partial``; the same call resumes from there and writes the same
    bytes as an uninterrupted one. A data set that the same call has finished
    is kept unchanged.

    Args:
        videos: Files, and folders of them.
        out: Root of the new data set.
        options: How frames are chosen and paired.
        holdout: Names of videos, or one fraction in [0, 1].
        overwrite: Replace an existing data set.
        progress: ``progress(name, seconds, duration)`` is called with the
            position in a video; ``duration`` is None if it is unknown. For a
            finished video, ``seconds == duration``.

    Returns:
        Summary of what was written and what was left out.

    Raises:
        ValueError: If an argument is refused or no sample is left.
        FileExistsError: If ``out`` is in the way.
        FileNotFoundError: If there are no videos.
        MissingExtraError: Without PyAV or Jinja.
    """
    require('video', 'av', 'jinja2')
    options = options or VideoOptions()
    show = progress or (lambda name, seconds, duration: None)
    summary = VideoSummary(Path(out))
    others: list[Path] = []
    paths = find_videos(videos, others)
    if others:
        count = (
            'One file is' if len(others) == 1 else f'{len(others)} files are'
        )
        summary.notes.append(
            f'{count} left out as unreadable: '
            f'{some([shown(path) for path in others])}.'
        )
    jobs = natural_order(
        zip(name_videos(paths), paths, strict=True), lambda job: job[0]
    )
    infos, failures = _probe_all(jobs, options.sar)
    splits = _split([name for name, _ in jobs], failures, holdout, summary)
    settings = {
        'tool': 'video_to_refsr',
        **options.as_dict(),
        'holdout': [str(value) for value in holdout],
        'videos': [
            {'name': name, 'file': path.name, 'bytes': path.stat().st_size}
            for name, path in jobs
        ],
    }
    if not overwrite and _recall(summary, options.scale, settings):
        return summary
    with RefSRWriter(
        out,
        options.scale,
        settings,
        overwrite,
        resumable=True,
        sources=paths,
    ) as writer:
        for name, path in jobs:
            if name in failures:
                record = new_record(name, path)
                add_problem(record, 0.0, failures[name])
            else:
                job = _Job(writer, splits[name], infos[name], name)
                record = job.run(options, summary, show)
            summary.videos.append(record)
        if not sum(summary.samples.values()):
            writer.discard()
            raise ValueError(_nothing_left(summary))
        _note_splits(summary)
        _write_reports(writer, settings, summary)
    return summary


def _recall(
    summary: VideoSummary, scale: int, settings: dict[str, Any]
) -> bool:
    """Load the summary of a data set that the same call has finished.

    A call may be repeated after an interruption at its very end.

    Args:
        summary: Summary to fill.
        scale: Scale of the call.
        settings: Settings of the call.

    Returns:
        Whether there is such a data set and it is complete.
    """
    out, report = summary.out, summary.out / REPORTS[1]
    manifest = read_manifest(out, formats=None)
    if manifest is None or not report.is_file():
        return False
    # Through JSON, so that tuples compare equal to what is read back.
    same = scale, json.loads(json.dumps(settings))
    if (manifest.get('scale'), manifest['generator']) != same:
        return False
    content = json.loads(report.read_bytes())
    found = {
        split: [
            entry['stem']
            for video in content['videos']
            if video['split'] == split
            for entry in video['samples']
        ]
        for split in manifest['splits']
    }
    if any(
        sorted(found[split]) != stems
        or not all(is_written(out / split, stem) for stem in stems)
        for split, stems in manifest['splits'].items()
    ):
        return False
    summary.videos, summary.notes = content['videos'], content['notes']
    summary.resumed = len(summary.videos)
    return True


def _probe_all(
    jobs: Sequence[tuple[str, Path]], sar: str
) -> tuple[dict[str, VideoInfo], dict[str, str]]:
    infos, failures = {}, {}
    for name, path in jobs:
        try:
            infos[name] = probe(path, sar)
        except VideoError as error:
            failures[name] = str(error)
        except OSError as error:  # e.g. without permission
            failures[name] = error.strerror or str(error)
    if not infos:
        listed = '; '.join(
            f'{path}: {failures[name]}' for name, path in jobs[:10]
        )
        raise ValueError(f'No video can be read. {listed}')
    return infos, failures


def _split(
    names: Collection[str],
    failures: dict[str, str],
    holdout: Sequence[str | float],
    summary: VideoSummary,
) -> dict[str, str]:
    """Return the split of each readable video."""
    check_holdout(holdout, names)
    # The name of a broken file is still a valid name.
    wanted = [value for value in holdout if str(value) not in failures]
    runs = [Run(name) for name in names if name not in failures]
    if not wanted:
        return {run.name: 'train' for run in runs}
    parts = split_runs(runs, wanted, 1, Summary(summary.out))
    if len(parts) > len(runs):
        # A single run would be divided; frames of one video are too similar.
        summary.notes.append(
            'There is only one video, and a video is never divided: all of '
            'it is used for training, and nothing is held out. Give more '
            'videos, or use --holdout 1 to make it the test split.'
        )
        return {runs[0].name: 'train'}
    return {run.name: split for split, run in parts}


@dataclass
class _Job:
    """One video being converted."""

    writer: RefSRWriter
    split: str
    info: VideoInfo
    name: str

    def run(
        self,
        options: VideoOptions,
        summary: VideoSummary,
        show: Callable[[str, float | None, float | None], None],
    ) -> VideoRecord:
        state = self.writer.work_dir / f'{self.name}.json'
        duration = self.info.duration
        record = self._finished(state)
        if record is not None:
            summary.resumed += 1
        else:
            self.writer.work_dir.mkdir(exist_ok=True)
            journal = MatchJournal(state.with_name(f'{self.name}.matches'))
            show(self.name, 0.0, duration)
            record = convert_video(
                self.info,
                self.name,
                options,
                self._add,
                journal,
                lambda seconds: show(self.name, seconds, duration),
            )
            record['split'] = self.split
            # Read back later, so numbers must round-trip.
            data = json.dumps(record).encode()
            write_bytes(state, data)
            record = json.loads(data)
        show(self.name, duration, duration)
        return record

    def _finished(self, state: Path) -> VideoRecord | None:
        """Return the record of a video that an earlier call has finished."""
        if not state.is_file():
            return None
        record = json.loads(state.read_bytes())
        stems = [entry['stem'] for entry in record['samples']]
        if not all(self.writer.is_written(self.split, s) for s in stems):
            return None
        for stem in stems:
            self.writer.register(self.split, stem)
        return record

    def _add(self, stem: str, hr: np.ndarray, ref: np.ndarray) -> None:
        if self.writer.is_written(self.split, stem):
            self.writer.register(self.split, stem)
        else:
            self.writer.add(self.split, stem, hr, ref)


def _note_splits(summary: VideoSummary) -> None:
    """Add a note if all samples of a split were dropped."""
    for split in ('train', 'test'):
        videos = [v for v in summary.videos if v['split'] == split]
        if videos and not summary.samples[split]:
            names = ', '.join(video['name'] for video in videos)
            summary.notes.append(
                f'The {split} split is empty: no frame of {names} is left.'
            )


def _nothing_left(summary: VideoSummary) -> str:
    reasons = [f'{why}: {count}' for why, count in summary.dropped.items()]
    reasons += [f'{file}: {text}' for file, _, text in summary.problems]
    return (
        f'No sample is left of {summary.looked_at} examined frames ('
        + '; '.join(reasons)
        + ').'
    )


def _write_reports(
    writer: RefSRWriter, settings: dict[str, Any], summary: VideoSummary
) -> None:
    page, data = REPORTS
    title = f'Frames and references of {summary.out.name}'
    videos, notes = summary.videos, summary.notes
    writer.add_extra(page, report_html(title, settings, videos, notes))
    writer.add_extra(data, report_json(settings, videos, notes))
