"""Records of a film and its frames: how they were made."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from mmdsr.evidence import record as evidence
from mmdsr.evidence.collect import describe_frame, versions
from mmdsr.evidence.digests import video_digest
from mmdsr.evidence.mark import draw_mark
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.overlay import draw_confidence
from mmdsr.evidence.writing import whole_result
from mmdsr.inference.outputs import describe_settings
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.checksums import digest
from mmdsr.io.frames import shown
from mmdsr.io.stamps import Stamp
from mmdsr.recording.confidence import shown_confidence
from mmdsr.recording.facts import Facts, notes_on
from mmdsr.recording.neighbors import Moment
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.painter import Painted, Painter
from mmdsr.recording.plan import Plan
from mmdsr.recording.writer import Shot

#: Key of a frame's record in the notes until the film is joined.
_KEY = 'evidence'
#: Characters of a text in a record.
_LONGEST = 4096


@dataclass(frozen=True)
class Origin:
    """Common content of all records of a recording.

    Attributes:
        settings: All that decides about the film, with its source.
        begun: When its making began, in UTC; the processes that share it
            write the same.
        notes: Conversions on reading, as far as they are known before
            the first frame.
    """

    settings: dict[str, Any]
    begun: str
    notes: Sequence[str]


class FilmEvidence:
    """Collects the record of a film, or writes those of its frames.

    Args:
        resolver: Resolver of the film.
        target: The film, or the folder of the frames.
        options: Which evidence is requested.
        device: Device of the computation.
        origin: Its source and settings.
        reference: The image that is the reference of all frames, if any.
    """

    def __init__(
        self,
        resolver: SuperResolver,
        target: Path,
        options: EvidenceOptions,
        device: str,
        origin: Origin,
        reference: Path | None = None,
    ) -> None:
        self.resolver, self.target, self.options = resolver, target, options
        self.origin = origin
        asked = dict(origin.settings['options'])
        # Records do not reveal paths.
        asked['reference'] = 'file' if reference else asked['reference']
        self._settings = {
            **without_policy(describe_settings(resolver, device)),
            **{f'recording.{key}': value for key, value in asked.items()},
        }
        self._versions = versions(resolver.backend, video=True)
        self._file = reference and evidence.NamedFile(
            shown(reference.name), digest(reference)
        )

    def frame(self, moment: Moment, painted: Painted) -> dict[str, Any]:
        """Draw the mark on a frame and sum up how it was made."""
        if self.options.mark is not None:
            draw_mark(painted.picture, self.options.mark)
        why = moment.why
        if self.resolver.interpolation is not None:
            why = 'an interpolation uses none'
        names = [
            self._file.name
            if one.index is None and self._file
            else f'frame {one.index}'
            for one in moment.references
        ]
        single = names and self._file and moment.references[0].index is None
        reference = evidence.Reference(
            ', '.join(names) or None,
            self._file.sha256 if single and self._file else None,
            why,
        )
        line = describe_frame(
            reference,
            painted.confidence,
            self.resolver.confidence_kind,
            painted.tile,
            moment.index,
            round(moment.time, 6),
        )
        return {_KEY: asdict(line)}

    def overlay(
        self,
        painter: Painter,
        moment: Moment,
        painted: Painted,
        kept: dict[str, Any],
    ) -> np.ndarray | None:
        """Draw the confidence picture of a frame, if requested.

        Args:
            painter: Painter of the picture.
            moment: The frame.
            painted: Its picture.
            kept: Result of :meth:`frame`.

        Returns:
            RGB (H + legend, W or more, 3) uint8.
        """
        if not self.options.confidence:
            return None
        (frame,) = _frames([kept])
        confidence, made = shown_confidence(painter, moment, painted)
        return draw_confidence(
            painted.picture,
            confidence,
            self.resolver.confidence_kind,
            frame.reference.name or f'none ({frame.reference.why})',
            made,
            frame.seen,
        )

    def write(self, path: Path, shot: Shot) -> dict[Path, Stamp]:
        """Write a frame as a separate file, with its record.

        Args:
            path: The PNG file.
            shot: The frame.

        Returns:
            The stamp of each file that was written.
        """
        frames = _frames([shot.kept])

        def describe(output: evidence.Output) -> evidence.Record:
            origin = self.origin
            return self._record(origin.begun, origin.notes, output, frames)

        with whole_result(
            path, shot.picture, shot.overlay, self.options.sidecar, describe
        ) as made:
            return made

    def film(
        self, report: dict[str, Any], overlay: evidence.NamedFile | None
    ) -> evidence.Record:
        """Return the record of the film, before it is joined.

        Args:
            report: Content of its report.
            overlay: Its confidence film, if there is one.
        """
        width, height = report['size']
        output = evidence.Output(
            shown(self.target.name),
            'video',
            width,
            height,
            None,
            confidence=overlay,
            sidecar=self.options.sidecar,
        )
        frames = _frames(report['frames'])
        return self._record(report['created'], report['notes'], output, frames)

    def _record(
        self,
        created: str,
        notes: Sequence[str],
        output: evidence.Output,
        frames: tuple[evidence.Frame, ...],
    ) -> evidence.Record:
        source = self.origin.settings['source']
        weights = self.resolver.weights_file
        return evidence.Record(
            created,
            evidence.Source(
                shown(Path(source['path']).name),
                source['sha256'],
                '; '.join(notes)[:_LONGEST],
            ),
            weights and evidence.NamedFile(*weights),
            self._versions,
            self._settings,
            self.options.mark,
            output,
            frames,
        )


def without_policy(settings: dict[str, Any]) -> dict[str, Any]:
    """Rename a resolver's reference policy in the settings of a recording.

    The options of a recording say where references come from; the policy of
    the resolver counts for frames without one.

    Args:
        settings: Settings of the resolver.
    """
    return {
        'without_reference' if key == 'reference' else key: value
        for key, value in settings.items()
    }


def begin_record(
    resolver: SuperResolver,
    target: Path,
    settings: dict[str, Any],
    options: RecordingOptions,
    evidence: EvidenceOptions,
    device: str,
    found: tuple[Facts, Plan],
    begun: str,
) -> FilmEvidence:
    """Return the recorder of a film, before its first frame.

    Args:
        resolver: Resolver of the film.
        target: The film, or the folder of the frames.
        settings: All that decides about the film, with its source.
        options: The options of the command.
        evidence: Which evidence is requested.
        device: Device of the computation.
        found: Metadata of the recording, and text and region found in it.
        begun: When its making began, in UTC.
    """
    facts, plan = found
    notes = [*plan.notes, *notes_on(facts, {})]
    reference = None
    if options.policy == 'file':
        reference = Path(options.reference)
    return FilmEvidence(
        resolver,
        target,
        evidence,
        device,
        Origin(settings, begun, notes),
        reference,
    )


def refuse_confidence(
    resolver: SuperResolver, options: RecordingOptions
) -> None:
    """Refuse a confidence picture that would show nothing.

    Args:
        resolver: Resolver of the film.
        options: The options of the command.

    Raises:
        ValueError: If no frame can have a reference.
    """
    why = ''
    if resolver.confidence_kind is None:
        why = 'an interpolation uses none'
    elif options.policy == 'none':
        why = "with reference='none' there is none"
    if why:
        raise ValueError(
            'The confidence shows what was seen in a reference, and '
            f'{why}: leave the confidence out.'
        )


def complete(record: evidence.Record, path: Path, sha256: str) -> str:
    """Return the side-car of a film.

    Args:
        record: Its record.
        path: The film, in the making.
        sha256: SHA-256 of that file.
    """
    total, _ = video_digest(path)
    output = replace(record.output, pixels_sha256=total, file_sha256=sha256)
    return evidence.to_json(replace(record, output=output))


def forget(frames: Iterable[dict[str, Any]]) -> None:
    """Remove from a report what the records of the frames contain.

    Args:
        frames: Lines of the frames.
    """
    for frame in frames:
        del frame[_KEY]


def _frames(kept: Iterable[dict[str, Any]]) -> tuple[evidence.Frame, ...]:
    text = json.dumps([one[_KEY] for one in kept])
    return TypeAdapter(tuple[evidence.Frame, ...]).validate_json(text)
