"""The folder of an export: whose it is, and what its files were made with."""

import json
import time
from pathlib import Path

from mmdsr.inference.journal import Journal
from mmdsr.io.manifest import MANIFEST, read_manifest, write_manifest

FORMAT = 'mmdsr-super-resolved'
#: Seconds that the other processes wait for the first one.
_PATIENCE = 120


class ExportTarget:
    """A folder that several processes and several calls may fill.

    Unlike :class:`mmdsr.io.staging.Staging` the files appear in
    their place one by one; the manifest comes first.

    Args:
        root (str or Path): The folder.
        settings (dict): What has to be equal for files to be kept.
    """

    def __init__(self, root, settings):
        self.root = Path(root)
        # Through JSON, so that tuples compare equal to what is read back.
        self.settings = json.loads(json.dumps(settings))

    def open(self, overwrite=False, first=True):
        """Make the folder, or make sure that its files may be kept.

        Args:
            overwrite (bool): Drop the files that were made with other
                settings; what the journals do not list is left alone.
            first (bool): Whether this process may change the folder; the
                others wait until one has. Defaults to True.

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
            # Before the manifest changes: the other processes wait for that,
            # and then begin journals of their own.
            Journal(self.root).drop()
        write_manifest(
            self.root, {}, generator=self.settings, scale=None, format=FORMAT
        )

    def _wait(self, overwrite):
        limit = time.monotonic() + _PATIENCE
        while (made_with := self._made_with()) != self.settings:
            if made_with is not None and not overwrite:
                raise FileExistsError(self._difference(made_with))
            if time.monotonic() > limit:
                raise TimeoutError(
                    f'Process 0 has not made {self.root} after '
                    f'{_PATIENCE} s; see what it said.'
                )
            time.sleep(0.2)

    def _made_with(self):
        """Return the settings of the files in it, None if there are none."""
        if self.root.is_symlink() and not self.root.exists():
            raise FileExistsError(
                f'{self.root} is a link that leads nowhere; remove it or '
                'choose another place.'
            )
        if not self.root.exists():
            return None
        if not self.root.is_dir():
            raise FileExistsError(
                f'{self.root} is a file; choose another place.'
            )
        if not (self.root / MANIFEST).is_file():
            # A hidden file may be the manifest in the making.
            if any(not p.name.startswith('.') for p in self.root.iterdir()):
                raise FileExistsError(
                    f'{self.root} holds files but no {MANIFEST}, so nothing '
                    'is written there; choose another place or empty it '
                    'yourself.'
                )
            return None
        try:
            return read_manifest(self.root, (FORMAT,))['generator']
        except ValueError as error:
            raise FileExistsError(
                f'{self.root} holds something else, so nothing is written '
                f'there; choose another place. ({error})'
            ) from error

    def _difference(self, made_with):
        keys = sorted(made_with.keys() | self.settings.keys())
        changes = [
            f'{key} was {made_with.get(key)!r}, is {self.settings.get(key)!r}'
            for key in keys
            if made_with.get(key) != self.settings.get(key)
        ]
        return (
            f'{self.root} was made with other settings ({"; ".join(changes)}'
            '). Choose another place, repeat that call, or ask for '
            'overwriting.'
        )
