"""Super-resolved copies of a folder of images, as PNG files."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.sidecar import overlay_path
from mmdsr.inference.export_target import ExportTarget
from mmdsr.inference.jobs import Job, attach_references, list_jobs
from mmdsr.inference.journal import Journal, Record
from mmdsr.inference.outputs import ResultWriter
from mmdsr.inference.pairs import Enlarged
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.files import remove_leftovers
from mmdsr.io.folder_job import JobReport
from mmdsr.io.frames import real_path, shown
from mmdsr.io.manifest import MANIFEST
from mmdsr.io.pictures import Picture, read_picture
from mmdsr.io.stamps import Stamp, is_same, stamp
from mmdsr.video.files import SUFFIXES as RECORDINGS


@dataclass
class ExportReport(JobReport):
    """Outcome for the images; the totals are those of this process.

    Attributes:
        partial: Image to the pictures of it that were left out.
        notes: Image to the conversions when it was read.
    """

    partial: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, image: str, record: Record) -> None:
        """Add a result.

        Args:
            image: Name of its source in messages.
            record: Its record.
        """
        if record.note:
            self.notes[image] = record.note
        if record.pictures > 1:
            others = (
                'number 2 is'
                if record.pictures == 2
                else f'numbers 2 to {record.pictures} are'
            )
            self.partial[image] = (
                f'only the first of its {record.pictures} pictures is '
                f'enlarged, {others} left out; save them as separate files'
            )


class _Waiting(NamedTuple):
    """An image that has been read."""

    job: Job
    picture: Picture
    source: Stamp
    reference: Stamp | None


#: ``progress(items, text, total)`` returns the items, shown as progress.
Progress = Callable[[Iterable[Job], str, int], Iterable[Job]]


def export_folder(
    resolver: SuperResolver,
    source: str | Path,
    target: str | Path,
    refs: str | Path | None = None,
    device: str | torch.device | None = None,
    overwrite: bool = False,
    rank: int = 0,
    world_size: int = 1,
    progress: Progress | None = None,
    evidence: EvidenceOptions | None = None,
) -> ExportReport:
    """Super-resolve a folder into a folder that mirrors it.

    ``SOURCE/sub/name.jpg`` becomes ``TARGET/sub/name.png`` with exactly the
    pixels that ``resolver`` returns. Each file is complete or absent, so that
    the same call resumes one that was interrupted or could not read some
    images: existing results are kept if their source and reference have not
    changed. ``TARGET/manifest.json`` holds the settings; a call with other
    settings is refused unless ``overwrite`` is set. Files that this function
    did not write, or that were changed since, are never touched.

    Each result contains the record of how it was made, and so does
    ``name.png.json`` beside it; see :mod:`mmdsr.evidence`.

    Images are converted to sRGB; transparency is kept and enlarged
    bicubically.

    Args:
        resolver: The resolver that enlarges the images.
        source: An image, or a folder of images at any depth.
        target: Folder to be made; not in ``source``, and ``source`` not in
            it.
        refs: For a resolver with ``reference='file'``: folder of the
            references, mirrored like ``target``, any usual suffix; for a
            single image also the file of its reference. Defaults to None.
        device: Device to compute on. Defaults to None, a GPU if there is one.
        overwrite: Delete the results that calls with other settings have
            written to ``target``. Defaults to False.
        rank: Number of this process among ``world_size`` processes, from 0;
            each processes its share of the images. Defaults to 0.
        world_size: Number of processes. Defaults to 1.
        progress: Function that shows the progress. Defaults to None.
        evidence: Evidence to write with each result. Defaults to None, the
            side-car.

    Returns:
        The report. Images that cannot be read or written, or have no
        reference, do not stop the others; the report has the reasons.

    Raises:
        FileNotFoundError: If there is no image, or no folder of references.
        FileExistsError: If ``target`` contains other files, or results of
            other settings.
        MemoryError: If images are too large; the message says what to set.
        ValueError: If the arguments contradict each other.
    """
    source = Path(source)
    if not 0 <= rank < world_size:
        raise ValueError(
            f'rank must be in 0..{world_size - 1}, not {rank} (of '
            f'{world_size} processes).'
        )
    evidence = evidence or EvidenceOptions()
    device = str(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    resolver.check_device(device)
    resolver.references.refresh()
    jobs, unknown = list_jobs(source, Path(target))
    if evidence.confidence:
        _refuse_overlaid(jobs)
    attach_references(jobs, source, refs, resolver)
    _refuse_inside(jobs, Path(target))
    root = source if source.is_dir() else source.parent
    settings = {
        'tool': 'super_resolve',
        'source': str(real_path(root)),
        'refs': refs and str(real_path(refs)),
        **resolver.describe(),
    }
    if evidence.mark is not None:
        settings['mark'] = evidence.mark
    out = ExportTarget(target, settings)
    out.open(overwrite, first=rank == 0)
    jobs = jobs[rank::world_size]
    journal = Journal(out.root, rank)
    writer = ResultWriter(resolver, journal, evidence, device)
    targets = [job.target for job in jobs]
    targets += [out.root / key for job in jobs for key in writer.beside(job)]
    # The first process writes the manifest, too.
    remove_leftovers([*targets, out.root / MANIFEST] if not rank else targets)
    report = ExportReport(total=len(jobs))
    for path in [] if rank else unknown:
        report.failed[shown(path)] = (
            'a recording; enhance it by a command of its own'
            if path.suffix.lower() in RECORDINGS
            else f'{path.suffix} is an unsupported image format; save it as '
            'PNG'
        )
    show = progress or (lambda items, text, total: items)
    _Exporter(writer, device, report).run(show, jobs)
    return report


def _refuse_inside(jobs: list[Job], target: Path) -> None:
    """Refuse images and references that lie in the folder of the results."""
    folder = real_path(target)
    for job in jobs:
        for path in (job.source, job.reference):
            if path is not None and real_path(path).is_relative_to(folder):
                raise ValueError(
                    f'{shown(path)} is in {target}, the folder of the '
                    'results, and could be replaced: choose another folder '
                    'for them.'
                )


def _refuse_overlaid(jobs: list[Job]) -> None:
    """Refuse an image named as the confidence picture of another one."""
    results = {job.target: job for job in jobs}
    for job in jobs:
        other = results.get(overlay_path(job.target))
        if other is not None:
            raise ValueError(
                f'The confidence picture of {job.name} would overwrite the '
                f'result of {other.name}: rename one of the images.'
            )


class _Exporter:
    """Reads, enlarges and writes images one by one."""

    def __init__(
        self, writer: ResultWriter, device: str, report: ExportReport
    ) -> None:
        self.writer = writer
        self.resolver = writer.resolver
        self.device = device
        self.report = report
        self._batch = self.resolver.batch_size(device)
        self._waiting: list[_Waiting] = []

    def run(self, show: Progress, jobs: list[Job]) -> None:
        """Do all that is not done yet."""
        for job in show(jobs, 'Super-resolving', len(jobs)):
            try:
                one = self._read(job)
            except (OSError, ValueError) as error:
                self.report.failed[job.name] = _reason(error)
                continue
            if one is None:
                continue
            shape = one.picture.rgb.shape
            if self._waiting and self._waiting[0].picture.rgb.shape != shape:
                self._flush()
            self._waiting.append(one)
            if len(self._waiting) == self._batch:
                self._flush()
        self._flush()

    def _read(self, job: Job) -> _Waiting | None:
        """Read an image; None if its result exists and is up to date."""
        references = self.resolver.references
        if references.policy == 'file' and job.reference is None:
            # A file that is not an image is named as that.
            read_picture(job.source)
            raise ValueError('there is no reference with that name')
        reference = references.path(_metainfo(job))
        record = self.writer.journal.find(
            job.key, job.source, reference, self.writer.beside(job)
        )
        if record is not None:
            self.report.kept += 1
            self.report.add(job.name, record)
            return None
        # Before reading: what changes meanwhile is done again next time.
        source = stamp(job.source)
        shown_in = None if reference is None else stamp(reference)
        picture = read_picture(job.source)
        if not is_same(job.source, source):
            raise ValueError('it was changed while it was read; try again')
        return _Waiting(job, picture, source, shown_in)

    def _flush(self) -> None:
        """Compute and write the waiting images."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            results = self._enlarge(waiting)
        except (OSError, ValueError) as error:
            if len(waiting) == 1:
                self.report.failed[waiting[0].job.name] = _reason(error)
            else:
                # One is at fault: find out which.
                for one in waiting:
                    self._waiting = [one]
                    self._flush()
            return
        for one, result in zip(waiting, results, strict=True):
            try:
                self._write(one, result)
            except (OSError, ValueError) as error:
                self.report.failed[one.job.name] = (
                    f'not written: {_reason(error)}'
                )

    def _enlarge(self, waiting: list[_Waiting]) -> list[Enlarged]:
        images = [
            torch.from_numpy(one.picture.rgb.copy())
            .permute(2, 0, 1)
            .flip(0)
            .to(self.device)
            for one in waiting
        ]
        samples = [_metainfo(one.job) for one in waiting]
        return self.resolver.explain_pixels(images, samples)

    def _write(self, one: _Waiting, result: Enlarged) -> None:
        pixels = result.pixels.flip(0).permute(1, 2, 0).cpu().numpy()
        record = self.writer.write(
            *one, pixels, result.confidence, result.tile
        )
        self.report.written += 1
        self.report.add(one.job.name, record)


def _metainfo(job: Job) -> dict:
    return {'img_path': str(job.source), 'ref_path': job.reference}


def _reason(error: Exception) -> str:
    """Return the text of an error; of system errors without their number."""
    if isinstance(error, OSError) and error.errno is not None:
        return f'{error.strerror}: {error.filename}'
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return str(error).split('\n')[0] or type(error).__name__
