"""Load the true flow from LR to the reference, where it is known."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.io.flow_values import read_flow
from mmdsr.io.images import read_depth
from mmdsr.io.layout import DEPTH_KEYS
from mmdsr.io.manifest import MANIFEST, read_manifest
from mmdsr.registry import TRANSFORMS

if TYPE_CHECKING:
    from mmdsr.sim.data.correspondence import View


@lru_cache(maxsize=8)
def _views(
    root: str, *written: tuple[int, int] | None
) -> dict[tuple[str, str, str], 'View']:
    """Read the cameras of a data set, again if a file has changed.

    There are none if its depth is estimated: a flow from it is not exact.
    """
    from mmdsr.sim.data.correspondence import read_views

    manifest = read_manifest(root, formats=None) or {}
    made_by = manifest.get('generator')
    while isinstance(made_by, dict):
        if 'depth' in made_by:
            return {}
        # A packed data set keeps what its source was made by.
        made_by = made_by.get('source')
    return read_views(root)


def _written(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is rewritten; None without one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


@TRANSFORMS.register_module()
class LoadFlow(BaseTransform):
    """Load or compute the exact flow from LR to the reduced reference.

    A flow file (``flow_path``) is read. Without one, the flow follows
    from the depth maps and the cameras in ``poses.csv`` of a simulated data
    set, unless its depth was estimated later. With neither, nothing is
    visible.

    Required keys: ``img``, and from :class:`mmdsr.RefSRDataset` ``flow_path``,
    ``data_root``, ``split``, ``stem``, ``depth_lr_path``,
    ``depth_ref_path``.
    Added keys: ``flow`` ``(h, w, 2)`` float32 in LR pixels, see
    :func:`mmdsr.sim.data.correspondence.correspondence`; ``visible`` ``(h, w,
    1)`` float32, 1 where the reference shows the spot, 0 elsewhere.

    Place it before crops and :class:`mmdsr.FlipTranspose`, which transform the
    flow with the images; mmagic's ``Flip`` and ``RandomTransposeHW`` do not
    transform its direction.

    Args:
        scale: Full size over the size of LR.
        missing: What to do if no flow is known: with ``'nothing'``, no pixel
            is visible; ``'error'`` raises an error.

    Raises:
        ValueError: If an argument or the size of a file is not valid.
        FileNotFoundError: If no flow is known and ``missing='error'``.
    """

    def __init__(self, scale: int = 4, missing: str = 'nothing') -> None:
        if missing not in ('nothing', 'error'):
            raise ValueError(
                f"missing must be 'nothing' or 'error', not {missing!r}."
            )
        self.scale = scale
        self.missing = missing

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add flow and visibility.

        Args:
            results: The sample so far.

        Returns:
            The sample with ``flow`` and ``visible``.
        """
        size = results['img'].shape[:2]
        found = self._find(results)
        if found is None:
            if self.missing == 'error':
                raise FileNotFoundError(
                    f'No flow is known for {results.get("img_path")}: the '
                    'data set has neither flow files nor poses.csv with '
                    'simulated depth maps of both images.'
                )
            found = np.zeros((*size, 2), np.float32), np.zeros(size, bool)
        flow, visible = found
        if flow.shape[:2] != size:
            raise ValueError(
                f'The flow of {results.get("img_path")} is '
                f'{flow.shape[1]}x{flow.shape[0]}, but the image is '
                f'{size[1]}x{size[0]}. Create the data set again.'
            )
        results['flow'] = flow
        results['visible'] = visible[..., None].astype(np.float32)
        return results

    def _find(
        self, results: dict[str, Any]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        path = results.get('flow_path')
        if path is not None:
            return read_flow(path)
        named = [results.get(f'{key}_path') for key in DEPTH_KEYS]
        depths = [Path(path) for path in named if path]
        root = results.get('data_root')
        if root is None or not all(path.is_file() for path in depths):
            return None
        if len(depths) < len(named):
            return None
        written = [
            _written(Path(root, name)) for name in ('poses.csv', MANIFEST)
        ]
        views = _views(str(root), *written)
        keys = [
            (results['split'], results['stem'], image)
            for image in ('image', 'ref')
        ]
        # Only the camera of the stored reference is known.
        if results.get('reference', 'adjacent') != 'adjacent' or not all(
            key in views for key in keys
        ):
            return None
        from mmdsr.sim.data.correspondence import correspondence

        depth, depth_ref = (read_depth(file) for file in depths)
        view, view_ref = (views[key] for key in keys)
        return correspondence(depth, depth_ref, view, view_ref, self.scale)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(scale={self.scale}, '
            f'missing={self.missing!r})'
        )
