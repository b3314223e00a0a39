"""Write results with the evidence of how they were made."""

from pathlib import Path

import numpy as np
from PIL import Image

from mmdsr.evidence import record as evidence
from mmdsr.evidence.collect import describe_frame, now, versions
from mmdsr.evidence.mark import draw_mark
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.overlay import draw_confidence
from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.evidence.writing import whole_result
from mmdsr.inference.jobs import Job
from mmdsr.inference.journal import Journal, Record
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.frames import shown
from mmdsr.io.pictures import Picture
from mmdsr.io.stamps import Stamp

#: What a record says about the transparency of a result.
ALPHA_NOTE = 'transparency enlarged bicubically'
#: Reason for having no reference, by policy.
_WHY_NONE = {
    'upscaled': 'none was requested; the enlarged image itself is used',
    'self': 'none was requested; the image itself is used',
    'neighbor': 'there is no neighboring frame',
}
_WHY_THIS = {
    'neighbor': 'the neighboring frame',
    'file': 'the file with that name',
}


def describe_settings(
    resolver: SuperResolver, device: str
) -> dict[str, evidence.Value]:
    """Return the settings that affect pixels, besides image and weights.

    Args:
        resolver: The resolver.
        device: Its device.

    Returns:
        Settings for a record.
    """
    settings: dict[str, evidence.Value] = dict(resolver.describe())
    if resolver.weights_file is None:
        return settings
    settings['network_digest'] = settings.pop('weights')
    return {
        **settings,
        'device': str(device),
        'batch': resolver.batch_size(device),
        'confidence': resolver.confidence_kind,
        'seen_from': evidence.SEEN
        if resolver.confidence_kind == 'share'
        else None,
    }


def describe_reference(
    resolver: SuperResolver, path: str | Path | None, sha256: str | None
) -> evidence.Reference:
    """Describe the reference of an image, or why it has none.

    Args:
        resolver: The resolver.
        path: File of the reference, if there is one.
        sha256: SHA-256 of that file.

    Returns:
        The description, as part of a record.
    """
    policy = resolver.references.policy
    if path is not None:
        name = shown(Path(path).name)
        return evidence.Reference(name, sha256, _WHY_THIS[policy])
    why = _WHY_NONE.get(policy, '')
    if resolver.interpolation is not None:
        why = 'an interpolation uses none'
    return evidence.Reference(None, None, why)


def with_alpha(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Add the transparency of an image to its result; see :data:`ALPHA_NOTE`.

    Args:
        pixels: The result ``(H, W, 3)``, RGB uint8.
        alpha: Transparency of the image ``(h, w)``, uint8.

    Returns:
        ``(H, W, 4)``, RGBA uint8.
    """
    size = pixels.shape[1], pixels.shape[0]
    large = Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC)
    return np.dstack([pixels, np.asarray(large)])


class ResultWriter:
    """Writes results, their records and confidence pictures.

    Args:
        resolver: The resolver that makes the results.
        journal: Journal of the files.
        options: The requested evidence.
        device: Device of the computation.
    """

    def __init__(
        self,
        resolver: SuperResolver,
        journal: Journal,
        options: EvidenceOptions,
        device: str,
    ) -> None:
        self.resolver = resolver
        self.journal = journal
        self.options = options
        weights = resolver.weights_file
        self._weights = weights and evidence.NamedFile(*weights)
        self._settings = describe_settings(resolver, device)
        self._versions = versions(resolver.backend)

    def beside(self, job: Job) -> list[str]:
        """Return the files beside a result, relative to the folder.

        Args:
            job: The image and its result.
        """
        paths = []
        if self.options.confidence:
            paths.append(overlay_path(job.target))
        if self.options.sidecar:
            paths.append(sidecar_path(job.target))
        return [self._key(path) for path in paths]

    def write(
        self,
        job: Job,
        picture: Picture,
        source: Stamp,
        reference: Stamp | None,
        pixels: np.ndarray,
        confidence: np.ndarray | None,
        tile: int | None,
    ) -> Record:
        """Write a result and the files beside it, or nothing.

        Args:
            job: The image and its result.
            picture: The image.
            source: Its file.
            reference: The file of its reference, if any.
            pixels: The result (H, W, 3), RGB uint8; it may be changed.
            confidence: Confidence in the reference (h, w) in [0, 1], if any.
            tile: Side of the tiles, ``None`` for the whole image.

        Returns:
            The line of the journal.

        Raises:
            OSError: If a file cannot be written.
            ValueError: If the result is too small for the mark.
        """
        notes = [picture.note]
        if picture.alpha is not None:
            notes.append(ALPHA_NOTE)
            pixels = with_alpha(pixels, picture.alpha)
        note = ', '.join(filter(None, notes))
        if self.options.mark is not None:
            draw_mark(pixels, self.options.mark)
        seen_in = describe_reference(
            self.resolver,
            reference and reference.path,
            reference and reference.sha256,
        )
        kind, drawn = self.resolver.confidence_kind, None
        if self.options.confidence:
            name = seen_in.name or f'none ({seen_in.why})'
            drawn = draw_confidence(pixels, confidence, kind, name)

        def describe(output: evidence.Output) -> evidence.Record:
            return evidence.Record(
                now(),
                evidence.Source(shown(job.source.name), source.sha256, note),
                self._weights,
                self._versions,
                self._settings,
                self.options.mark,
                output,
                (describe_frame(seen_in, confidence, kind, tile),),
            )

        target = job.target
        with whole_result(
            target, pixels, drawn, self.options.sidecar, describe
        ) as made:
            result = made.pop(target)
            beside = {self._key(path): one for path, one in made.items()}
            line = Record(
                job.key, source, reference, result, note, picture.count, beside
            )
            self.journal.add(line)
            self.journal.remove_beside(job.key, keep=beside)
        return line

    def _key(self, path: Path) -> str:
        return path.relative_to(self.journal.root).as_posix()
