"""How a film was made: what is recorded of each frame, and of the whole."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from mmdsr.evidence import record as evidence
from mmdsr.evidence.collect import describe_frame, versions
from mmdsr.evidence.digests import video_digest
from mmdsr.evidence.embedding import container_tags
from mmdsr.evidence.mark import draw_mark
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.inference.outputs import describe_settings
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.checksums import digest
from mmdsr.io.frames import shown
from mmdsr.recording.neighbors import Moment
from mmdsr.recording.painter import Painted

_SIDECAR = '.json'
_KEY = 'evidence'


class FilmEvidence:
    """Collects the record of a film.

    Args:
        resolver: What enhances.
        target: The film.
        options: What evidence is asked for.
        device: Where it is computed.
        reference: The image that is the reference of all frames, if any.
    """

    def __init__(
        self,
        resolver: SuperResolver,
        target: Path,
        options: EvidenceOptions,
        device: str,
        reference: Path | None = None,
    ) -> None:
        self.resolver, self.target, self.options = resolver, target, options
        self._settings = describe_settings(resolver, device)
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

    def tags(self, report: dict[str, Any]) -> dict[str, str]:
        """Return the metadata of the film."""
        return container_tags(self._record(report))

    def beside(self, path: Path, report: dict[str, Any]) -> dict[str, bytes]:
        """Return the side-car of the film, by what its name adds.

        Args:
            path: The film, in the making.
            report: What is known about it; the frames' part of the record
                goes from there into the side-car.
        """
        record = self._record(report)
        for frame in report['frames']:
            del frame[_KEY]
        if not self.options.sidecar or not path.is_file():
            return {}
        total, _ = video_digest(path)
        output = replace(
            record.output, pixels_sha256=total, file_sha256=digest(path)
        )
        text = evidence.to_json(replace(record, output=output))
        return {_SIDECAR: f'{text}\n'.encode('ascii')}

    def _record(self, report: dict[str, Any]) -> evidence.Record:
        settings = report['settings']
        weights = self.resolver.weights_file
        notes = '; '.join(report['notes'])[:4096]
        frames = TypeAdapter(tuple[evidence.Frame, ...]).validate_json(
            json.dumps([frame[_KEY] for frame in report['frames']])
        )
        flat: dict[str, evidence.Value] = {
            f'recording.{key}': value
            for key, value in settings['options'].items()
            if key != 'reference'
        }
        width, height = report['size']
        name = self.target.name
        return evidence.Record(
            report['created'],
            evidence.Source(
                shown(Path(settings['source']['path']).name),
                settings['source']['sha256'],
                notes,
            ),
            weights and evidence.NamedFile(*weights),
            versions(video=True),
            {**self._settings, **flat},
            self.options.mark,
            evidence.Output(shown(name), 'video', width, height, None),
            frames,
        )
