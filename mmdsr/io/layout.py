"""The sample layout on disk, which converters write and data sets read.

::

    ROOT/manifest.json
    ROOT/SPLIT/lr/STEM.png         RGB uint8, hr reduced by the scale
    ROOT/SPLIT/hr/STEM.png         RGB uint8
    ROOT/SPLIT/ref/STEM.png        RGB uint8, an adjacent frame at full size
    ROOT/SPLIT/depth_lr/STEM.png   uint16 millimeters at the size of lr
    ROOT/SPLIT/depth_ref/STEM.png  uint16 millimeters, ref's size / scale
    ROOT/SPLIT/flow/STEM.png       3 x uint16, size of lr: dx, dy, visible

``SPLIT`` is ``train`` or ``test``. A stem is ``RUN_FRAME``: the part before
the last underscore is the name of the run, and no run is in two splits. The
depth folders are optional; 0 means unknown. So is the flow folder, which
contains the true match of lr and ref; see :mod:`mmdsr.io.flow_values`.
"""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mmdsr.io.files import write_bytes
from mmdsr.io.flow_values import write_flow
from mmdsr.io.images import (
    DEPTH_UNIT,
    check_image,
    decode_depth,
    downscale,
    downscale_depth,
    encode_depth,
    write_png,
)
from mmdsr.io.manifest import (
    SPLITS,
    read_manifest,
    run_of,
    write_manifest,
)
from mmdsr.io.staging import Staging

__all__ = [
    'DEPTH_KEYS',
    'DEPTH_UNIT',
    'FLOW_KEY',
    'IMAGE_KEYS',
    'SPLITS',
    'RefSRWriter',
    'decode_depth',
    'downscale',
    'downscale_depth',
    'encode_depth',
    'is_written',
    'read_manifest',
    'run_of',
    'write_manifest',
    'write_sample',
]

IMAGE_KEYS = ('lr', 'hr', 'ref')
DEPTH_KEYS = ('depth_lr', 'depth_ref')
FLOW_KEY = 'flow'


def write_sample(
    folder: str | Path,
    stem: str,
    hr: np.ndarray,
    ref: np.ndarray,
    depth_hr: np.ndarray | None = None,
    depth_ref_hr: np.ndarray | None = None,
    scale: int = 4,
    lr: np.ndarray | None = None,
    flow: np.ndarray | None = None,
    visible: np.ndarray | None = None,
) -> None:
    """Write one sample; the reduced images are derived here.

    Safe to call from several processes at a time. Each file is written under a
    temporary name and renamed; ``hr`` is written last, so that a sample with
    ``hr`` is complete, however the process ended.

    Args:
        folder: Folder of the split; created if missing.
        stem: Sample name, ``RUN_FRAME``.
        hr: ``(H, W, 3)`` uint8 RGB, sides divisible by ``scale``.
        ref: ``(Hr, Wr, 3)`` uint8 RGB, sides divisible by ``scale``.
        depth_hr: ``(H, W)`` meters of ``hr``; NaN or <= 0 unknown.
        depth_ref_hr: ``(Hr, Wr)`` meters of ``ref``.
        scale: Reduction factor.
        lr: ``(H / scale, W / scale, 3)`` uint8 RGB, for a reduction other than
            :func:`downscale`.
        flow: ``(H / scale, W / scale, 2)`` LR pixels
            from ``lr`` to the reduced ``ref``; see
            :mod:`mmdsr.io.flow_values`.
        visible: ``(H / scale, W / scale)`` bool, where the flow leads to the
            same spot; given with ``flow``.

    Raises:
        ValueError: If a name, type, shape or size is not as said.
    """
    run_of(stem)
    check_image('hr', hr, scale)
    check_image('ref', ref, scale)
    if lr is None:
        lr = downscale(hr, scale)
    check_image('lr', lr, 1)
    if (lr.shape[0] * scale, lr.shape[1] * scale) != hr.shape[:2]:
        raise ValueError(
            f'{stem}: lr is {lr.shape[:2]}, hr reduced by {scale} has '
            f'{hr.shape[0] // scale, hr.shape[1] // scale}.'
        )
    images = {'lr': lr, 'ref': ref}
    for key, depth, image in (
        ('depth_lr', depth_hr, hr),
        ('depth_ref', depth_ref_hr, ref),
    ):
        if depth is None:
            continue
        if np.shape(depth) != image.shape[:2]:
            raise ValueError(
                f'{stem}: the depth for {key} is {np.shape(depth)}, its image '
                f'is {image.shape[:2]}: give both at full size.'
            )
        images[key] = encode_depth(downscale_depth(depth, scale))
    if flow is not None:
        if np.shape(flow)[:2] != lr.shape[:2]:
            raise ValueError(
                f'{stem}: flow is {np.shape(flow)}, lr is {lr.shape[:2]}.'
            )
        if visible is None:
            raise ValueError(f'{stem}: flow is given without visible.')
        write_flow(Path(folder) / FLOW_KEY / f'{stem}.png', flow, visible)
    for key, image in {**images, 'hr': hr}.items():
        write_png(Path(folder) / key / f'{stem}.png', image)


def is_written(folder: str | Path, stem: str, depth: bool = False) -> bool:
    """Return whether :func:`write_sample` has finished a sample.

    Args:
        folder: Folder of the split.
        stem: Sample name.
        depth: Whether both depth maps must be there, too.

    Returns:
        True if every file is there.
    """
    keys = IMAGE_KEYS + (DEPTH_KEYS if depth else ())
    return all((Path(folder) / key / f'{stem}.png').is_file() for key in keys)


class RefSRWriter:
    """Write a data set into a temporary folder, then rename it.

    ``OUT`` appears only when everything is written and checked. Until then,
    files are written to ``.OUT.partial`` beside it. Either call :meth:`add`,
    or let other processes call :func:`write_sample` on :meth:`split_dir` and
    call :meth:`register` afterwards. As a context manager, it closes itself;
    after an exception, it removes its files unless ``resumable``.

    With ``resumable=True`` an interrupted run leaves its temporary folder, and
    the next writer with the same ``generator`` and ``scale`` continues from
    it: skip the samples for which :meth:`is_written` is true, but register
    them. Each ``out`` may have only one writer at a time.

    Args:
        out: Root of the data set to be made.
        scale: Reduction factor.
        generator: Settings, stored in the manifest; must be serializable as
            JSON.
        overwrite: Replace an existing data set at ``out`` (only a folder that
            has a manifest is ever replaced), and drop what an interrupted run
            with other settings has left.
        resumable: Keep and reuse the temporary folder.
        checksums: Write ``SHA256SUMS`` and name it in the manifest, for
            :func:`mmdsr.io.checksums.verify`.
        sources: Files and folders that the data set is made from.

    Attributes:
        out: The final root.
        tmp_dir: The temporary folder.
        work_dir: A folder in it for files that are not published.

    Raises:
        FileExistsError: If ``out`` exists and may not be replaced, or a
            partial data set with other settings is in the way.
        ValueError: If a source is in ``out`` and would be deleted with it.
    """

    def __init__(
        self,
        out: str | Path,
        scale: int = 4,
        generator: dict[str, Any] | None = None,
        overwrite: bool = False,
        resumable: bool = False,
        checksums: bool = False,
        sources: Iterable[str | Path] = (),
    ) -> None:
        self.scale = scale
        self.generator = generator or {}
        self.checksums = checksums
        self._staging = Staging(
            out,
            {'scale': scale, 'generator': self.generator},
            overwrite,
            resumable,
            sources,
        )
        self.out, self.tmp_dir = self._staging.out, self._staging.tmp_dir
        self.work_dir = self._staging.work_dir
        self._splits: dict[str, set[str]] = {}
        self._extras: set[Path] = set()

    def split_dir(self, split: str) -> Path:
        """Return the folder for :func:`write_sample` to write a split into.

        Args:
            split: ``'train'`` or ``'test'``.

        Returns:
            A folder in the temporary folder.

        Raises:
            ValueError: If there is no such split.
        """
        if split not in SPLITS:
            raise ValueError(f'split must be one of {SPLITS}, not {split!r}.')
        return self.tmp_dir / split

    def is_written(self, split: str, stem: str, depth: bool = False) -> bool:
        """Return whether a sample is complete in the temporary folder.

        Args:
            split: ``'train'`` or ``'test'``.
            stem: Sample name.
            depth: Whether both depth maps must be there, too.

        Returns:
            True if every file is there.
        """
        return is_written(self.split_dir(split), stem, depth)

    def add(
        self,
        split: str,
        stem: str,
        hr: np.ndarray,
        ref: np.ndarray,
        depth_hr: np.ndarray | None = None,
        depth_ref_hr: np.ndarray | None = None,
        lr: np.ndarray | None = None,
        flow: np.ndarray | None = None,
        visible: np.ndarray | None = None,
    ) -> None:
        """Write and register one sample.

        Args:
            split: ``'train'`` or ``'test'``.
            stem: Sample name, ``RUN_FRAME``.
            hr: ``(H, W, 3)`` uint8 RGB, sides divisible by the scale.
            ref: ``(Hr, Wr, 3)`` uint8 RGB, sides divisible by the scale.
            depth_hr: ``(H, W)`` meters; NaN or <= 0 unknown.
            depth_ref_hr: ``(Hr, Wr)`` meters.
            lr: See :func:`write_sample`.
            flow: See :func:`write_sample`.
            visible: See :func:`write_sample`.

        Raises:
            ValueError: See :func:`write_sample` and :meth:`register`.
        """
        write_sample(
            self.split_dir(split),
            stem,
            hr,
            ref,
            depth_hr,
            depth_ref_hr,
            self.scale,
            lr,
            flow,
            visible,
        )
        self.register(split, stem)

    def register(self, split: str, stem: str) -> None:
        """Register a sample that has already been written.

        Args:
            split: ``'train'`` or ``'test'``.
            stem: Sample name.

        Raises:
            ValueError: If a file is missing, or the sample is already
                registered.
        """
        if not self.is_written(split, stem):
            raise ValueError(
                f'{stem} is not completely written to {self.split_dir(split)}.'
            )
        stems = self._splits.setdefault(split, set())
        if stem in stems:
            raise ValueError(f'{stem} is in the {split} split twice.')
        stems.add(stem)

    def add_extra(self, name: str, data: bytes) -> None:
        """Write a file that is not a sample, such as a report.

        Args:
            name: Its path below the root.
            data: Contents.
        """
        write_bytes(self.tmp_dir / name, data)
        self._extras.add(Path(name))

    def close(self) -> Path:
        """Write the manifest and move the finished data set to its root.

        Returns:
            ``out``.

        Raises:
            ValueError: If there is no sample, or a run is in two splits.
        """
        if not any(self._splits.values()):
            raise ValueError('There is no sample to write.')
        return self._staging.publish(
            self._splits,
            self._keeps,
            self.scale,
            self.generator,
            self.checksums,
        )

    def _keeps(self, path: Path) -> bool:
        return path in self._extras or (
            len(path.parts) == 3
            and path.suffix == '.png'
            and path.stem in self._splits.get(path.parts[0], ())
        )

    def discard(self) -> None:
        """Remove the temporary folder."""
        self._staging.discard()

    def __enter__(self) -> 'RefSRWriter':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            # After a successful close, there is nothing to remove.
            if not self._staging.resumable:
                self.discard()
