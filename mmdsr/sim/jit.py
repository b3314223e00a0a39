"""Compiled functions of the simulator, and the cache they are kept in."""

import hashlib
from pathlib import Path

from numba import config, njit

_HERE = Path(__file__).parent
KERNELS = (
    'scene/section',
    'trace/follow',
    'trace/geometry',
    'trace/bodies',
)
"""Modules that hold compiled functions."""


def _digest() -> str:
    sources = [(_HERE / f'{name}.py').read_bytes() for name in KERNELS]
    return hashlib.sha256(b'\0'.join(sources)).hexdigest()[:12]


# numba looks at a function's own file only: it would go on using a compiled
# function after another one that it calls, in another file, was changed.
_FOLDER = f'mmdsr-sim-{_digest()}'


def jit(function):
    """Compile a function at its first call; the result is kept on disk.

    Args:
        function: Function of numbers, arrays and other compiled functions.

    Returns:
        The compiled function.
    """
    root = config.CACHE_DIR
    config.CACHE_DIR = str(Path(root or _HERE / '__pycache__') / _FOLDER)
    try:
        return njit(cache=True, error_model='numpy')(function)
    finally:
        config.CACHE_DIR = root
