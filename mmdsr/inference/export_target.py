"""The folder of an export: who owns it, and how its files were made."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdsr.inference.journal import Journal
from mmdsr.io.manifest import MANIFEST, read_manifest, write_manifest

FORMAT = 'mmdsr-super-resolved'
#: Seconds that the other processes wait for the first one.
_PATIENCE = 120


class ExportTarget:
    """A folder that several processes and several calls may fill.

    Unlike with :class:`mmdsr.io.staging.Staging`, the files appear in their
    final place one by one; the manifest comes first.

    Args:
        root: The folder.
        settings: What has to be equal for files to be kept.
    """

    def __init__(self, root: Path | str, settings: Mapping[str, Any]) -> None:
        self.root = Path(root)
        # Through JSON, so that tuples compare equal to what is read back.
        self.settings = json.loads(json.dumps(settings))

    def open(self, overwrite: bool = False, first: bool = True) -> None:
        """Make the folder, or check that its files may be kept.

        Args:
            overwrite: Delete the files that were made with other settings;
                what the journals do not list is left alone.
            first: Whether this process may change the folder; the others wait
                until one has. Defaults to True.

        Raises:
            FileExistsError: If it holds something else, or was made with
                other settings.
            TimeoutError: If no other process has made the folder.
        """
        if not first:
            self._wait(overwrite)
            return
        made_with = self._made_with()
        if made_with == self.settings:
            return
        if made_with is not None:
            if not overwrite:
                raise FileExistsError(self._difference(made_with))
            # Before the manifest changes: the other processes wait for that
            # and then start their own journals.
            Journal(self.root).drop()
        write_manifest(
            self.root, {}, generator=self.settings, scale=None, format=FORMAT
        )

    def _wait(self, overwrite: bool) -> None:
        limit = time.monotonic() + _PATIENCE
        while (made_with := self._made_with()) != self.settings:
            if made_with is not None and not overwrite:
                raise FileExistsError(self._difference(made_with))
            if time.monotonic() > limit:
                raise TimeoutError(
                    f'Process 0 has not made {self.root} after '
                    f'{_PATIENCE} s: see its output.'
                )
            time.sleep(0.2)

    def _made_with(self) -> dict[str, Any] | None:
        """Return the settings of the files in it, None if there are none."""
        if self.root.is_symlink() and not self.root.exists():
            raise FileExistsError(
                f'{self.root} is a link that leads nowhere: remove it or '
                'choose another folder.'
            )
        if not self.root.exists():
            return None
        if not self.root.is_dir():
            raise FileExistsError(
                f'{self.root} is a file: choose another folder.'
            )
        if not (self.root / MANIFEST).is_file():
            # A hidden file may be the manifest in the making.
            if any(not p.name.startswith('.') for p in self.root.iterdir()):
                raise FileExistsError(
                    f'{self.root} holds files but no {MANIFEST}, so nothing '
                    'is written there: choose another folder or empty this '
                    'one.'
                )
            return None
        try:
            manifest = read_manifest(self.root, (FORMAT,))
        except ValueError as error:
            raise FileExistsError(
                f'{self.root} holds something else, so nothing is written '
                f'there: choose another folder. ({error})'
            ) from error
        return None if manifest is None else manifest['generator']

    def _difference(self, made_with: dict[str, Any]) -> str:
        keys = sorted(made_with.keys() | self.settings.keys())
        changes = [
            f'{key} was {made_with.get(key)!r}, is {self.settings.get(key)!r}'
            for key in keys
            if made_with.get(key) != self.settings.get(key)
        ]
        return (
            f'{self.root} was made with other settings ({"; ".join(changes)}'
            '): choose another folder, repeat that call, or ask for '
            'overwriting.'
        )
