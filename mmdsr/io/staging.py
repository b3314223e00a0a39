"""An unfinished data set, which is kept in a temporary folder."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mmdsr.io.checksums import write_checksums
from mmdsr.io.folder_job import FolderJob
from mmdsr.io.frames import real_path, shown
from mmdsr.io.manifest import FORMAT, MANIFEST, write_manifest

_NOTE, _WORK = '.writer.json', '.work'


def refuse_inside(out: str | Path, sources: Iterable[str | Path]) -> None:
    """Refuse a data set that would replace a folder with its sources.

    Args:
        out: Root of the data set to be made.
        sources: Files and folders that it is made from.

    Raises:
        ValueError: If one of them is ``out`` or below it.
    """
    root = real_path(out)
    for source in sources:
        if real_path(source).is_relative_to(root):
            raise ValueError(
                f'{shown(source)} is inside {shown(out)}, which the new data '
                'set would replace: choose another folder.'
            )


class Staging:
    """A temporary folder that replaces ``OUT`` when it is published.

    Files are written to ``.OUT.partial`` beside ``OUT``. With
    ``resumable=True``, an interrupted run leaves that folder, and the next run
    with the same ``settings`` continues from it. Each ``out`` may have only
    one writer at a time.

    Args:
        out: Root of the data set to be made.
        settings: Settings that must be equal to continue an interrupted run;
            must be serializable as JSON.
        overwrite: Replace an existing data set at ``out`` (only a folder that
            has a manifest is ever replaced), and drop what an interrupted run
            with other settings has left.
        resumable: Keep and reuse the temporary folder.
        sources: Files and folders that the data set is made from.

    Attributes:
        out: The final root.
        tmp_dir: The temporary folder.
        job: Job that fills it.
        work_dir: A folder in it for files that are not published.

    Raises:
        FileExistsError: If ``out`` exists and may not be replaced.
        ValueError: If a source is in ``out`` and would be deleted with it.
        OtherSettingsError: If a partial data set with other settings is in
            the way.
    """

    def __init__(
        self,
        out: str | Path,
        settings: dict[str, Any],
        overwrite: bool = False,
        resumable: bool = False,
        sources: Iterable[str | Path] = (),
    ) -> None:
        refuse_inside(out, sources)
        self.out = Path(out).absolute()
        self.overwrite = overwrite
        self.resumable = resumable
        self.tmp_dir = self.out.parent / f'.{self.out.name}.partial'
        self.work_dir = self.tmp_dir / _WORK
        self._check_out()
        self.job = FolderJob(
            self.tmp_dir,
            settings,
            _NOTE,
            'it is left over from an interrupted run; repeat that run, '
            'delete the folder, or allow overwriting (--overwrite)',
        )
        self._open()

    def _check_out(self) -> None:
        if not self.out.exists() and not self.out.is_symlink():
            return
        if not self.out.is_dir() or self.out.is_symlink():
            raise FileExistsError(
                f'{self.out} is not a plain folder: choose another folder.'
            )
        if not any(self.out.iterdir()):
            return
        if not (self.out / MANIFEST).is_file():
            raise FileExistsError(
                f'{self.out} contains files but no {MANIFEST}, so it is not '
                'replaced: choose another folder or empty it yourself.'
            )
        if not self.overwrite:
            raise FileExistsError(
                f'{self.out} already exists: allow overwriting '
                '(--overwrite) or choose another folder.'
            )

    def _open(self) -> None:
        # A run that was killed at its start has left no note.
        if self.tmp_dir.exists() and not (
            self.resumable and self.job.note.is_file()
        ):
            shutil.rmtree(self.tmp_dir)
        self.job.open(self.overwrite)

    def publish(
        self,
        splits: Mapping[str, Iterable[str]],
        keep: Callable[[Path], bool],
        scale: int | None = None,
        generator: dict[str, Any] | None = None,
        checksums: bool = False,
        format: str = FORMAT,
    ) -> Path:
        """Complete the temporary folder and move it to ``out``.

        Args:
            splits: Sample names of each split.
            keep: Function that returns whether a file, given its path below
                the root, belongs to the data set; leftovers of an interrupted
                run are removed.
            scale: Reduction factor, for the manifest.
            generator: How the data was made, for the manifest.
            checksums: Write ``SHA256SUMS`` and name it in the manifest.
            format: Name of the layout.

        Returns:
            ``out``.

        Raises:
            ValueError: If a run is in two splits.
        """
        root = self.tmp_dir
        for path in [path for path in root.rglob('*') if path.is_file()]:
            name = path.relative_to(root)
            if name.parts[0] not in (_NOTE, _WORK) and not keep(name):
                path.unlink()
        for path in sorted(root.glob('**/'), reverse=True):
            if path != root and not any(path.iterdir()):
                path.rmdir()
        sums = write_checksums(root) if checksums else None
        write_manifest(root, splits, scale, generator, sums, format)
        old = self.out.parent / f'.{self.out.name}.old'
        if old.exists():
            shutil.rmtree(old)
        # What an interrupted run continues from is left until it is done.
        if self.out.exists():
            self.out.replace(old)
        root.replace(self.out)
        shutil.rmtree(self.out / _WORK, ignore_errors=True)
        (self.out / _NOTE).unlink()
        if old.exists():
            shutil.rmtree(old)
        return self.out

    def discard(self) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self.tmp_dir, ignore_errors=True)
