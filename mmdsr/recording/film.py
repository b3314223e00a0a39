"""From a recording to the enhanced one: the command's engine."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from mmdsr.errors import VideoError
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.frames import read_rgb
from mmdsr.recording.evidence import FilmEvidence
from mmdsr.recording.facts import Facts
from mmdsr.recording.neighbors import Moment, find_references, reach_of
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.painter import Look, Painted, Painter
from mmdsr.recording.plan import Plan
from mmdsr.recording.stages import Flow, steps
from mmdsr.recording.staging import Staging, film_in, pictures_in
from mmdsr.recording.writer import (
    FilmWriter,
    PictureWriter,
    Shot,
    TwinWriter,
    Writer,
)
from mmdsr.video.reader import Stats, read_video
from mmdsr.video.spans import Spans

#: Is told of a frame and its picture, which it may draw on; what it returns
#: is kept with the frame, JSON must hold it.
Observer = Callable[[Moment, Painted], dict]


def _policy(resolver: SuperResolver, options: RecordingOptions) -> str:
    return 'none' if resolver.interpolation else options.policy


def read_reference(
    resolver: SuperResolver, options: RecordingOptions
) -> np.ndarray | None:
    """Read the reference of all frames, before anything is made.

    Args:
        resolver: Resolver with scale 4.
        options: The options of the command.

    Returns:
        RGB (H, W, 3) uint8; None if no file is used.

    Raises:
        ValueError: If the file is no image that can be used.
    """
    if _policy(resolver, options) != 'file':
        return None
    try:
        picture, _ = read_rgb(Path(options.reference))
    except ValueError as error:
        raise ValueError(
            f'The reference {options.reference} cannot be used: {error}.'
        ) from error
    return picture


@dataclass
class Watch:
    """Outcome for the frames of the source.

    Attributes:
        first: First frame between start and end; None if there is none.
        last: Last one.
        problems: Seconds and text of each damage.
        stats: Counts of the reader.
    """

    first: int | None = None
    last: int | None = None
    problems: list[tuple[float, str]] = field(default_factory=list)
    stats: Stats = field(default_factory=lambda: Stats())


class Film:
    """One recording on its way to the enhanced one.

    Args:
        resolver: Resolver with scale 4.
        source: The recording.
        facts: Metadata of the recording.
        plan: Text and region found beforehand.
        options: The options of the command.
        device: Device to compute on.
        overlap: Whether decoding, matching, enhancing and encoding run
            beside each other, or one by one.
        observer: Called for each frame.
        record: Records how each frame was made; None if nothing does.
        reference: Result of :func:`read_reference`.
    """

    def __init__(
        self,
        resolver: SuperResolver,
        source: Path,
        facts: Facts,
        plan: Plan,
        options: RecordingOptions,
        device: str | torch.device,
        overlap: bool = True,
        observer: Observer | None = None,
        record: FilmEvidence | None = None,
        reference: np.ndarray | None = None,
    ) -> None:
        self.resolver, self.source, self.facts = resolver, source, facts
        self.plan, self.record = plan, record
        self.options, self.overlap, self.observer = options, overlap, observer
        look = Look(
            options.scale, options.show, plan.texts, options.side_by_side
        )
        self.painter = Painter(resolver, look, plan.track, device)
        self.policy = _policy(resolver, options)
        self.reach = reach_of(self.policy, facts.rate)
        self.reference = reference

    def spans(
        self, part: int = 0, parts: int = 1, done: tuple[int, ...] = ()
    ) -> Spans:
        """Return the frames that are needed."""
        options = self.options
        return Spans(
            options.segment * options.every,
            part,
            parts,
            done,
            options.every,
            self.reach,
            options.start,
            options.end,
        )

    def moments(self, spans: Spans, watch: Watch) -> Flow[Moment]:
        """Yield the wanted frames with their references."""
        frames = steps(self._decode(spans, watch), self.overlap, 8)
        found = find_references(
            frames,
            self.policy,
            lambda index, time: spans.selects(index) and spans.within(time),
            self.painter.part,
            self.facts.rate,
            self.reference,
        )
        with closing(found):
            yield from found

    def _decode(
        self, spans: Spans, watch: Watch
    ) -> Flow[tuple[int, float, np.ndarray]]:
        size = self.facts.height, self.facts.width

        def follow(index: int, time: float) -> bool:
            if spans.within(time) and index % spans.every == 0:
                watch.first = index if watch.first is None else watch.first
                watch.last = index
            return spans.end is None or time < spans.end

        frames = read_video(
            self.source,
            self.options.deinterlace,
            'keep',
            spans,
            watch.problems,
            stats=watch.stats,
            watch=follow,
        )
        with closing(frames):
            for index, seconds, picture in frames:
                if picture.shape[:2] != size:
                    watch.problems.append(
                        (
                            round(seconds, 3),
                            'the picture changes its size to '
                            f'{picture.shape[1]}x{picture.shape[0]}; the '
                            'rest is not used',
                        )
                    )
                    return
                yield index, seconds, picture

    def pictures(
        self, moments: Iterator[Moment]
    ) -> Flow[tuple[Moment, Painted, dict]]:
        """Yield the frames with their pictures and notes."""
        for moment in moments:
            painted = self.painter.paint(moment)
            kept = self.record.frame(moment, painted) if self.record else {}
            if self.observer:
                kept.update(self.observer(moment, painted))
            yield moment, painted, kept

    def make(
        self,
        staging: Staging,
        suffix: str,
        part: int,
        parts: int,
        progress: Callable[[int], None],
    ) -> None:
        """Make the missing segments of a part.

        Args:
            staging: Staging of the film.
            suffix: Suffix of the film, '' for a folder of frames.
            part: Number of this process among ``parts``, from 0.
            parts: Number of processes.
            progress: Called with the number of further finished frames.

        Raises:
            VideoError: If no frame can be decoded.
            ValueError: If there is no frame between start and end.
            FileNotFoundError: If another process has finished the film.
        """
        missing = staging.missing()
        if missing is not None and not any(n % parts == part for n in missing):
            return
        spans = self.spans(part, parts, tuple(staging.done()))
        watch, options = Watch(), self.options
        # Each step reads from the one before it in a separate thread.
        moments = steps(self.moments(spans, watch), self.overlap)
        painted = steps(self.pictures(moments), self.overlap)
        with closing(painted):
            self._write(staging, suffix, spans, painted, progress)
        if watch.first is None or watch.last is None:
            if not options.start and options.end is None:
                why = ''.join(f' ({text})' for _, text in watch.problems[:1])
                raise VideoError(f'no frame of it can be decoded{why}')
            raise ValueError(
                f'{self.source} has no frame between {options.start} s '
                f'and {options.end or "its end"}: set --start and --end '
                f'within its {self.facts.duration:.1f} s.'
            )
        first, last = map(spans.segment, (watch.first, watch.last))
        # Of some segments every frame may be damaged.
        for number in set(range(first, last + 1)).difference(staging.done()):
            if number % parts == part:
                staging.finish(number, [])
        staging.end(
            first, last, dict(problems=watch.problems, stats=watch.stats)
        )

    def _write(
        self,
        staging: Staging,
        suffix: str,
        spans: Spans,
        painted: Iterator[tuple[Moment, Painted, dict]],
        progress: Callable[[int], None],
    ) -> None:
        item = next(painted, None)
        while item is not None:
            number, begun = spans.segment(item[0].index), time.monotonic()
            # Otherwise, its folder would be made again.
            staging.check_there()
            staging.clear_leftovers([number])
            lines = []
            with self.writer(staging.root, suffix, number) as writer:
                while (
                    item is not None and spans.segment(item[0].index) == number
                ):
                    shot = self.shot(*item)
                    more = writer.add(shot)
                    lines.append({**self._line(item[0]), **shot.kept, **more})
                    size = shot.picture.shape[1], shot.picture.shape[0]
                    progress(1)
                    item = next(painted, None)
            staging.finish(number, lines, time.monotonic() - begun, size)

    def shot(self, moment: Moment, painted: Painted, kept: dict) -> Shot:
        """Return a frame as it is written, with its confidence picture.

        Args:
            moment: The frame.
            painted: Its picture.
            kept: Its notes.
        """
        overlay = None
        if self.record:
            overlay = self.record.overlay(self.painter, moment, painted, kept)
        return Shot(moment.index, painted.picture, overlay, kept)

    def writer(self, folder: Path, suffix: str, number: int) -> Writer:
        """Return the writer of a segment."""
        record = self.record
        if not suffix:
            write = record.write if record else None
            return PictureWriter(pictures_in(folder), write)
        films = [
            FilmWriter(
                film_in(folder, number, overlay),
                suffix,
                self.facts,
                self.options.crf,
            )
            for overlay in (False, True)
        ]
        if record and record.options.confidence:
            return TwinWriter(*films)
        return films[0]

    def _line(self, moment: Moment) -> dict:
        """Return the line of a frame in the report."""
        line = dict(
            index=moment.index,
            time=round(moment.time, 6),
            ticks=self.facts.ticks(moment.time),
            references=[
                dict(frame=one.index, score=one.score)
                for one in moment.references
            ],
            why=moment.why,
            cut=moment.cut,
        )
        if self.painter.track is not None:
            box = self.painter.box(moment.picture, moment.time)
            line['region'] = list(box)
        return line
