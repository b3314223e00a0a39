"""Compiled functions of the simulator, and their cache."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from numba import config, njit

_Function = TypeVar('_Function', bound=Callable)
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


# numba checks only the file of the function itself: it would keep using a
# compiled function after a change to a function in another file that it calls.
_FOLDER = f'mmdsr-sim-{_digest()}'


def jit(function: _Function) -> _Function:
    """Compile a function at its first call; the result is kept on disk.

    Where no folder for it can be written, each process compiles anew.

    Args:
        function: Function of numbers, arrays and other compiled functions.

    Returns:
        The compiled function.
    """
    # numba creates the attributes of its settings at run time.
    root = config.CACHE_DIR  # type: ignore[attr-defined]
    folder = str(Path(root or _HERE / '__pycache__') / _FOLDER)
    config.CACHE_DIR = folder  # type: ignore[attr-defined]
    try:
        compiled = njit(cache=True, error_model='numpy')(function)
    except RuntimeError:
        # A read-only installation and no home: numba has no place for it.
        compiled = njit(error_model='numpy')(function)
    finally:
        config.CACHE_DIR = root  # type: ignore[attr-defined]
    # The result is called like the function itself.
    return cast(_Function, compiled)
