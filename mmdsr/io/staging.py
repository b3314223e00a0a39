"""A data set in the making: beside its place until it is complete."""

import json
import shutil
from pathlib import Path

from mmdsr.io.checksums import write_checksums
from mmdsr.io.files import write_bytes
from mmdsr.io.manifest import FORMAT, MANIFEST, write_manifest

_NOTE, _WORK = 'writer.json', '.work'


class Staging:
    """A temporary folder that takes the place of ``OUT`` when published.

    All goes to ``.OUT.partial`` beside ``OUT``. With ``resumable=True`` an
    interrupted run leaves that folder, and the next one with the same
    ``settings`` goes on from it. One writer at a time per ``out``.

    Args:
        out (str or Path): Root of the data set to be made.
        settings (dict): What has to be equal for a left folder to be gone
            on from; anything JSON can hold.
        overwrite (bool): Replace an existing data set at ``out`` (only a
            folder that has a manifest is ever replaced), and drop what an
            interrupted run with other settings has left.
        resumable (bool): Keep and reuse the temporary folder.

    Attributes:
        out (Path): The final place.
        tmp_dir (Path): The temporary folder.
        work_dir (Path): A folder in it for what is not published.

    Raises:
        FileExistsError: If ``out`` exists and may not be replaced, or a
            partial data set with other settings is in the way.
    """

    def __init__(self, out, settings, overwrite=False, resumable=False):
        self.out = Path(out).absolute()
        self.overwrite = overwrite
        self.resumable = resumable
        self.tmp_dir = self.out.parent / f'.{self.out.name}.partial'
        self.work_dir = self.tmp_dir / _WORK
        self._check_out()
        # Through JSON, so that tuples compare equal to what is read back.
        self._open(json.loads(json.dumps(settings)))

    def _check_out(self):
        if not self.out.exists() and not self.out.is_symlink():
            return
        if not self.out.is_dir() or self.out.is_symlink():
            raise FileExistsError(
                f'{self.out} is not a plain folder; choose another place.'
            )
        if not any(self.out.iterdir()):
            return
        if not (self.out / MANIFEST).is_file():
            raise FileExistsError(
                f'{self.out} holds files but no {MANIFEST}, so it is not '
                'replaced; choose another place or empty it yourself.'
            )
        if not self.overwrite:
            raise FileExistsError(
                f'{self.out} exists already; ask for overwriting or choose '
                'another place.'
            )

    def _open(self, settings):
        note = self.tmp_dir / _NOTE
        if self.tmp_dir.exists():
            try:
                same = json.loads(note.read_text()) == settings
            except (OSError, ValueError):
                same = False
            if self.resumable and same:
                return
            if self.resumable and not self.overwrite and note.is_file():
                raise FileExistsError(
                    f'{self.tmp_dir} is left of an interrupted run with '
                    'other settings. Repeat that run, delete the folder, or '
                    'ask for overwriting.'
                )
            shutil.rmtree(self.tmp_dir)
        self.tmp_dir.mkdir(parents=True)
        write_bytes(note, json.dumps(settings).encode())

    def publish(
        self,
        splits,
        keep,
        scale=None,
        generator=None,
        checksums=False,
        format=FORMAT,
    ):
        """Complete the temporary folder and put it in the place of ``out``.

        Args:
            splits (dict[str, iterable[str]]): Split to its sample names.
            keep (Callable[[Path], bool]): Whether a file, by its path below
                the root, belongs to the data set; what an interrupted run
                left besides is removed.
            scale (int, optional): For the manifest, as the next two.
            generator (dict, optional): How the data was made.
            checksums (bool): Write ``SHA256SUMS`` and name it in the
                manifest.
            format (str): Name of the layout.

        Returns:
            Path: ``out``.

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
        sums = write_checksums(root, (_NOTE,)) if checksums else None
        write_manifest(root, splits, scale, generator, sums, format)
        # Nothing but the renaming comes after this: an interruption before
        # loses nothing.
        shutil.rmtree(self.work_dir, ignore_errors=True)
        (root / _NOTE).unlink()
        old = self.out.parent / f'.{self.out.name}.old'
        if old.exists():
            shutil.rmtree(old)
        if self.out.exists():
            self.out.replace(old)
        root.replace(self.out)
        if old.exists():
            shutil.rmtree(old)
        return self.out

    def discard(self):
        """Remove the temporary folder."""
        shutil.rmtree(self.tmp_dir, ignore_errors=True)
