"""Versions, time and frame lines that a record contains."""

from datetime import datetime, timezone
from importlib import import_module, metadata

import numpy as np

from mmdsr.evidence.record import SEEN, Frame, Kind, Reference
from mmdsr.version import __version__

_PACKAGES = {'torch': 'torch', 'pillow': 'Pillow'}
#: Modules whose names differ from those of their packages.
_MODULES = {'Pillow': 'PIL'}


def versions(backend: str = 'torch', video: bool = False) -> dict[str, str]:
    """Return the version of each package that pixels depend on.

    Args:
        backend: Package that ran the network, torch besides another one, as
            it prepares the pictures.
        video: Whether frames were decoded and encoded by PyAV.
    """
    import cv2

    packages = {**_PACKAGES, backend: backend}
    if video:
        packages['av'] = 'av'
    return {
        'mmdsr': __version__,
        'opencv': cv2.__version__,
        **{key: _version(name) for key, name in packages.items()},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        # Another distribution of it, such as onnxruntime-gpu.
        module = import_module(_MODULES.get(package, package))
        return str(module.__version__)


def now() -> str:
    """Return the current UTC time in the format of a record."""
    return datetime.now(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def describe_frame(
    reference: Reference,
    confidence: np.ndarray | None,
    kind: Kind | None,
    tile: int | None = None,
    index: int = 0,
    time: float | None = None,
) -> Frame:
    """Return the record of how one picture was made.

    Args:
        reference: The reference of the picture.
        confidence: Share of the detail that came from it, (H, W) float in
            [0, 1]; ``None`` without a reference.
        kind: Kind of the confidence; ``None`` if the network has none.
        tile: Side of the tiles, ``None`` for the whole picture.
        index: Index of the frame in the source.
        time: Time in the source in seconds; ``None`` for an image.

    Returns:
        The line, with numbers rounded to four digits.
    """
    if confidence is None:
        return Frame(index, time, reference, None, 0.0, tile)
    mean = min(max(float(confidence.mean(dtype=np.float64)), 0.0), 1.0)
    seen = None
    if kind == 'share':
        seen = round(float((confidence >= SEEN).mean()), 4)
    return Frame(index, time, reference, round(mean, 4), seen, tile)
