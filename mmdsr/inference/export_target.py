"""The folder of an export, which may also contain other files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdsr.inference.journal import Journal
from mmdsr.io.folder_job import ManifestJob

FORMAT = 'mmdsr-super-resolved'


class ExportTarget(ManifestJob):
    """A folder that several processes and several calls may fill.

    Unlike with :class:`mmdsr.io.staging.Staging`, the files appear in their
    final place one by one; the manifest comes first. Only what the journals
    list is ever deleted.

    Args:
        root: The folder.
        settings: Settings that must be equal for files to be kept.
    """

    def __init__(self, root: Path | str, settings: Mapping[str, Any]) -> None:
        super().__init__(
            root,
            settings,
            FORMAT,
            'choose another folder, repeat that command, or allow '
            'overwriting (--overwrite)',
        )

    def drop(self) -> None:
        """Delete the files that the journals list, and the journals."""
        Journal(self.root).drop()
