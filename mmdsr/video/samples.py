"""Extract the samples of one video."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from PIL import Image

from mmdsr.io.images import downscale
from mmdsr.video.filters import (
    DARK,
    Candidate,
    Framing,
    judge,
    measure,
    plan_framing,
)
from mmdsr.video.matching import FrameMatch
from mmdsr.video.options import VideoOptions
from mmdsr.video.overlays import Box, detect_overlays
from mmdsr.video.reader import Damage, Stats, VideoInfo, read_video
from mmdsr.video.records import VideoRecord
from mmdsr.video.references import Choice, MatchJournal, choose_references
from mmdsr.video.report import (
    Selection,
    clock,
    data_uri,
    draw_plan,
)
from mmdsr.video.stamps import Sampler

UNPAIRED = 'without a usable reference'

#: ``add(stem, hr, ref)`` writes a sample: (H, W, 3) uint8 RGB.
AddSample: TypeAlias = Callable[[str, np.ndarray, np.ndarray], Any]

_SURVEY = 24
"""Overlays are searched for in fewer than twice as many frames."""
_SHOWN_SAMPLES, _SHOWN_DROPPED = 12, 6


def new_record(name: str, path: Path) -> VideoRecord:
    """Create the record of a video.

    Args:
        name: Name of its run.
        path: The file.

    Returns:
        The record, which contains only the names.
    """
    return {
        'name': name,
        'file': path.name,
        'split': None,
        'framing': None,
        'overlays': [],
        'decoded': 0,
        'interlaced': 0,
        'looked_at': 0,
        'counts': {},
        'problems': [],
        'notes': [],
        'cuts': [],
        'samples': [],
        'dropped': [],
        'pictures': {'plan': None, 'samples': [], 'dropped': {}},
    }


def add_problem(record: VideoRecord, time: float, text: str) -> None:
    """Add a failure to the record of a video.

    Args:
        record: The record.
        time: Seconds into the video.
        text: Description of the failure.
    """
    record['problems'].append({'time': time, 'text': text})


def convert_video(
    info: VideoInfo,
    name: str,
    options: VideoOptions,
    add: AddSample,
    journal: MatchJournal | None = None,
    progress: Callable[[float], None] | None = None,
) -> VideoRecord:
    """Choose the samples of a video and write them one at a time.

    Args:
        info: The video.
        name: Name of its run.
        options: The settings.
        add: ``add(stem, hr, ref)`` writes a sample.
        journal: Storage of the matches.
        progress: ``progress(seconds)`` is called with the position in the
            video.

    Returns:
        The record of the video.
    """
    return _Conversion(info, name, options, add, journal, progress).run()


class _Conversion:
    def __init__(
        self,
        info: VideoInfo,
        name: str,
        options: VideoOptions,
        add: AddSample,
        journal: MatchJournal | None,
        progress: Callable[[float], None] | None,
    ) -> None:
        self.info, self.name, self.options = info, name, options
        self.add, self.journal = add, journal
        self.progress = progress or (lambda seconds: None)
        self.record = new_record(name, info.path)
        self.record.update(
            {
                'codec': info.codec,
                'container': info.container,
                'width': info.width,
                'height': info.height,
                'duration': info.duration,
                'rate': info.rate,
                'sar': info.sar,
            }
        )
        self.counts: Counter[str] = Counter()
        self.shown: Selection[dict[str, Any]] = Selection(_SHOWN_SAMPLES)
        self.shown_dropped: dict[str, Selection[dict[str, Any]]] = {}

    def run(self) -> VideoRecord:
        options, record = self.options, self.record
        try:
            framing = self._plan()
        except ValueError as error:
            add_problem(record, 0.0, f'{error}; nothing of it is used')
            return record
        record['framing'] = {'box': framing.box, 'size': framing.size}
        judged = judge(
            self._candidates(framing),
            options.dark,
            options.blur,
            options.duplicate,
            record['cuts'],
        )
        choices = choose_references(
            self._kept(judged),
            options.window,
            options.min_matches,
            options.min_spread,
            self.journal,
        )
        for choice in choices:
            if choice.reference is None and options.no_reference == 'drop':
                self._drop_unpaired(choice)
            else:
                self._write(choice)
        record['counts'] = dict(sorted(self.counts.items()))
        record['pictures']['samples'] = self.shown.items
        record['pictures']['dropped'] = {
            reason: selection.items
            for reason, selection in sorted(self.shown_dropped.items())
        }
        record['dropped'].sort(key=lambda entry: entry['frame'])
        return record

    def _plan(self) -> Framing:
        options, record = self.options, self.record
        boxes: list[Box] = []
        if options.crop is None:
            if options.overlays == 'auto':
                boxes = self._find_overlays()
            elif not isinstance(options.overlays, str):
                boxes = list(options.overlays)
        record['overlays'] = boxes
        framing = plan_framing(
            self.info.width,
            self.info.height,
            options.scale,
            boxes,
            options.crop,
            options.size,
        )
        share = framing.box[2] * framing.box[3]
        if share < 0.25 * self.info.width * self.info.height and boxes:
            record['notes'].append(
                'Less than a quarter of the picture is free of overlays. '
                'If that is wrong, use --crop or --overlays none.'
            )
        return framing

    def _find_overlays(self) -> list[Box]:
        survey = self._survey(key_frames=True)
        if len(survey) < _SURVEY // 2:
            survey = self._survey(key_frames=False)
        boxes, why = detect_overlays(survey)
        if why:
            self.record['notes'].append(f'Overlays were not detected: {why}.')
        return boxes

    def _survey(self, key_frames: bool) -> list[np.ndarray]:
        kept: Selection[np.ndarray] = Selection(_SURVEY)
        shape = self.info.height, self.info.width
        frames = read_video(
            self.info.path,
            self.options.deinterlace,
            self.options.sar,
            Sampler(None, self.options.step_seconds),
            key_frames=key_frames,
        )
        for _, _, image in frames:
            if image.shape[:2] == shape and image.mean() > self.options.dark:
                kept.offer(partial(cv2.cvtColor, image, cv2.COLOR_RGB2GRAY))
        return kept.items

    def _candidates(self, framing: Framing) -> Iterator[Candidate]:
        """Yield the frames to examine, cropped, resized and measured."""
        options, record = self.options, self.record
        problems: list[Damage] = []
        stats: Stats = {}
        frames = read_video(
            self.info.path,
            options.deinterlace,
            options.sar,
            Sampler(options.every, options.step_seconds),
            problems,
            stats=stats,
        )
        middle = (self.info.duration or 0) / 2
        for index, time, image in frames:
            if image.shape[:2] != (self.info.height, self.info.width):
                problems.append(
                    (
                        round(time, 3),
                        'the size of the picture changes to '
                        f'{image.shape[1]}x{image.shape[0]}; the rest is '
                        'not used',
                    )
                )
                break
            if time >= middle and record['pictures']['plan'] is None:
                record['pictures']['plan'] = draw_plan(
                    image, framing.box, record['overlays']
                )
            record['looked_at'] += 1
            self.progress(time)
            yield measure(index, time, framing.apply(image))
        frames.close()
        self._note_stamps(
            stats.get('restarts', []),
            stats.get('gaps', []),
            stats.get('lost_start', 0),
        )
        record['decoded'] = stats.get('decoded', 0)
        record['interlaced'] = stats.get('interlaced', 0)
        for time, text in problems:
            add_problem(record, time, text)

    def _note_stamps(
        self, restarts: list[float], gaps: list[float], lost_start: float
    ) -> None:
        notes = self.record['notes']
        if restarts:
            notes.append(
                f'Its time stamps restart at {_places(restarts)}; times '
                'continue there.'
            )
        if gaps:
            notes.append(
                f'It skips some time at {_places(gaps)}: parts were joined '
                'there, or something was not recorded.'
            )
        if lost_start:
            notes.append(
                f'It starts between two key frames: {lost_start:.1f} s '
                'before the first one cannot be decoded.'
            )
        if self.info.tracks > 1:
            notes.append(
                f'It contains {self.info.tracks} video tracks; the one with '
                f'{self.info.width}x{self.info.height} pixels is read.'
            )

    def _kept(
        self, judged: Iterable[tuple[Candidate, str]]
    ) -> Iterator[Candidate]:
        for candidate, reason in judged:
            if not reason:
                yield candidate
                continue
            detail = ''
            if reason == DARK:
                detail = f', mean {candidate.brightness:.0f}'
            self._drop(candidate, reason, detail)

    def _drop(
        self,
        candidate: Candidate,
        reason: str,
        detail: str = '',
        **more: float,
    ) -> None:
        self.counts[reason] += 1
        self.record['dropped'].append(
            {
                'frame': candidate.index,
                'time': round(candidate.time, 3),
                'reason': reason,
                **more,
            }
        )
        selection = self.shown_dropped.setdefault(
            reason, Selection(_SHOWN_DROPPED)
        )
        selection.offer(
            lambda: {
                'time': candidate.time,
                'frame': data_uri(candidate.image),
                'detail': detail,
            }
        )

    def _drop_unpaired(self, choice: Choice) -> None:
        match = choice.match
        self._drop(
            choice.frame,
            UNPAIRED,
            f', at best {match.inliers} matches over {match.spread:.0%} of it',
            **_facts(match),
        )

    def _write(self, choice: Choice) -> None:
        frame, reference = choice.frame, choice.reference
        stem = f'{self.name}_{frame.index:06d}'
        if reference is None:
            ref = _enlarged(frame.image, self.options.scale)
            source: dict[str, Any] = {'reference': 'self'}
        else:
            ref = reference.image
            source = {
                'reference': reference.index,
                'reference_time': round(reference.time, 3),
                'reference_sharpness': round(reference.sharpness, 2),
            }
        self.add(stem, frame.image, ref)
        entry = {
            'stem': stem,
            'frame': frame.index,
            'time': round(frame.time, 3),
            'sharpness': round(frame.sharpness, 2),
            **source,
            **_facts(choice.match),
        }
        self.record['samples'].append(entry)
        self.shown.offer(
            lambda: {
                **entry,
                'frame': data_uri(frame.image),
                'reference': None if reference is None else data_uri(ref),
            }
        )


def _places(times: list[float]) -> str:
    """Format a list of times."""
    more = ', ...' if len(times) > 5 else ''
    return ', '.join(map(clock, times[:5])) + more


def _facts(match: FrameMatch) -> dict[str, float]:
    return {
        'inliers': match.inliers,
        'spread': round(match.spread, 3),
        'scale': round(match.scale, 3),
    }


def _enlarged(image: np.ndarray, scale: int) -> np.ndarray:
    """Return an image after reduction and enlargement."""
    small = Image.fromarray(downscale(image, scale))
    height, width = image.shape[:2]
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
