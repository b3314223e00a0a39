"""Depth from existing files."""

from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.depth.base import DepthMap, DepthProvider
from mmdsr.io.checksums import digest
from mmdsr.io.frames import Frame, Run, attach_depth
from mmdsr.io.images import DEPTH_UNIT, read_depth


class FileDepth(DepthProvider):
    """Reads the map that has the frame's name.

    Args:
        folder: Folder of the maps: 16-bit PNG, 0 = unknown, or ``.npy`` in
            meters.
        frames: Folder of the frames; the maps then lie below ``folder`` as the
            frames lie below ``frames``. Without it all maps lie in ``folder``
            itself.
        unit: Meters per step of a 16-bit PNG.
        kind: ``'metric'`` or ``'relative'``, which the files cannot tell.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If an argument does not fit.
    """

    name = 'file'

    def __init__(
        self,
        folder: str | Path,
        frames: str | Path | None = None,
        unit: float = DEPTH_UNIT,
        kind: str = 'metric',
    ) -> None:
        self.folder = self.source = Path(folder)
        self.frames = None if frames is None else Path(frames)
        if not self.folder.is_dir():
            raise FileNotFoundError(f'There is no folder {self.folder}.')
        if not 0 < unit < float('inf'):
            raise ValueError(f'unit must be > 0, not {unit}.')
        if kind not in ('metric', 'relative'):
            raise ValueError(
                f"kind must be 'metric' or 'relative', not {kind!r}."
            )
        self.unit, self.kind = unit, kind

    def _predict(self, image: np.ndarray, path: Path | None) -> DepthMap:
        if path is None:
            raise ValueError("The provider 'file' needs the frame's path.")
        found = self._find(path)
        depth = read_depth(found, self.unit)
        if depth.shape != image.shape[:2]:
            raise ValueError(
                f'its depth map {found} is '
                f'{depth.shape[1]}x{depth.shape[0]}, not '
                f'{image.shape[1]}x{image.shape[0]}'
            )
        return DepthMap(depth, self.kind)

    def _find(self, path: Path) -> Path:
        """Return the map of a frame."""
        frame = Frame(Path(path))
        root = self.frames or frame.path.parent
        try:
            attach_depth([Run('', [frame])], root, self.folder)
        except FileNotFoundError as error:
            raise ValueError(
                f'no depth map of {frame.path.name} in {self.folder}; it must '
                'have the folder and name of the frame, with the suffix .png '
                'or .npy'
            ) from error
        assert frame.depth_path is not None, 'no map and no error'
        return frame.depth_path

    def identity(self, path: Path) -> str:
        """Return the digest of the frame's map."""
        return digest(self._find(path))

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings, for a manifest."""
        return {
            'name': self.name,
            # Only the name: its path is meaningless elsewhere.
            'folder': self.folder.resolve().name,
            'unit': self.unit,
            'kind': self.kind,
        }
