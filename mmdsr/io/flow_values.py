"""Values of flow images: the position of each LR pixel in the reference.

``flow[y, x] = (dx, dy)``, at the size of ``lr`` and in its pixels: the spot at
the center of LR pixel ``(x, y)`` lies in the reduced reference at ``(x + dx, y
+ dy)``. Integer coordinates are centers of pixels, so LR pixel ``(x, y)`` is
at ``(4 x + 1.5, 4 y + 1.5)`` in HR, for scale 4.

On disk it is a 16-bit PNG with three channels, in this order: red ``dx``,
green ``dy``, both ``2**15 + 64 * pixels``; blue 1 where the spot is visible in
the reference, otherwise 0, also if it is unknown.
"""

from pathlib import Path

import cv2
import numpy as np

from mmdsr.io.files import write_bytes
from mmdsr.io.images import open_image

FLOW_STEPS = 64
"""Steps per LR pixel of the flow images."""

_ZERO = 2**15
_UINT16_MAX = 65535


def encode_flow(flow: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Encode flow as the three 16-bit channels of the flow images.

    Args:
        flow: ``(H, W, 2)`` LR pixels, ``dx`` first.
        visible: ``(H, W)`` bool.

    Returns:
        ``(H, W, 3)`` uint16. Flow that is not finite or not within +-512
        pixels becomes zero and invisible.

    Raises:
        ValueError: If the shapes are different.

    Examples:
        >>> import numpy as np
        >>> from mmdsr.io.flow_values import decode_flow, encode_flow
        >>> flow = np.array([[[0.5, -2.0], [600.0, 0.0]]])
        >>> encoded = encode_flow(flow, np.ones((1, 2), bool))
        >>> encoded.tolist()
        [[[32800, 32640, 1], [32768, 32768, 0]]]

        Flow that is too large is decoded as invisible:

        >>> flow, visible = decode_flow(encoded)
        >>> flow.tolist(), visible.tolist()
        ([[[0.5, -2.0], [0.0, 0.0]]], [[True, False]])
    """
    flow, visible = np.asarray(flow, np.float64), np.asarray(visible)
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f'flow must be (H, W, 2), not {flow.shape}.')
    if visible.shape != flow.shape[:2] or visible.dtype != bool:
        raise ValueError(
            f'visible must be bool {flow.shape[:2]}, not {visible.dtype} '
            f'{visible.shape}.'
        )
    with np.errstate(invalid='ignore'):
        steps = np.rint(flow * FLOW_STEPS) + _ZERO
        fits = ((steps >= 0) & (steps <= _UINT16_MAX)).all(axis=2)
    encoded = np.empty((*visible.shape, 3), np.uint16)
    encoded[..., :2] = np.where(fits[..., None], steps, _ZERO)
    encoded[..., 2] = visible & fits
    return encoded


def decode_flow(encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode the channels of a flow image.

    Args:
        encoded: ``(H, W, 3)`` uint16.

    Returns:
        Flow, ``(H, W, 2)`` float32 LR pixels, and visible, ``(H, W)`` bool.

    Raises:
        ValueError: If it is not a flow image.
    """
    encoded = np.asarray(encoded)
    if (
        encoded.dtype != np.uint16
        or encoded.ndim != 3
        or encoded.shape[2] != 3
    ):
        raise ValueError(
            'a flow image has three channels of 16 bits, this one is '
            f'{encoded.dtype} {encoded.shape}'
        )
    if encoded[..., 2].max(initial=0) > 1:
        raise ValueError(
            'the third channel of a flow image is 0 or 1, here it goes up '
            f'to {encoded[..., 2].max()}'
        )
    flow = (encoded[..., :2].astype(np.float32) - _ZERO) / FLOW_STEPS
    return flow, encoded[..., 2] == 1


def read_flow(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a flow image.

    Args:
        path: The PNG file.

    Returns:
        Flow, ``(H, W, 2)`` float32 LR pixels, and visible, ``(H, W)`` bool.

    Raises:
        ValueError: If the file is missing, damaged or of another kind.
    """
    path = Path(path)
    try:
        # Pillow reads only 8 bits of three channels, but it reports every kind
        # of damage, whereas OpenCV returns what it could decode.
        open_image(path)
        data = np.fromfile(path, np.uint8)
        encoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if encoded is None:
            raise ValueError('unreadable as PNG')
        # OpenCV returns BGR.
        return decode_flow(
            encoded[..., ::-1] if encoded.ndim == 3 else encoded
        )
    except ValueError as error:
        raise ValueError(f'{path} is not a flow image: {error}.') from error


def write_flow(
    path: str | Path, flow: np.ndarray, visible: np.ndarray
) -> None:
    """Write a flow image so that the file is either complete or absent.

    Args:
        path: Target; its folder is created if missing.
        flow: ``(H, W, 2)`` LR pixels.
        visible: ``(H, W)`` bool.

    Raises:
        ValueError: See :func:`encode_flow`.
    """
    encoded = encode_flow(flow, visible)
    _, data = cv2.imencode('.png', np.ascontiguousarray(encoded[..., ::-1]))
    write_bytes(Path(path), data.tobytes())
