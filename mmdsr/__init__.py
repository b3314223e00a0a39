"""Depth-aware, reference-based super-resolution for sewer images.

    >>> import mmdsr
    >>> resolver = mmdsr.SuperResolver(weights='dsrnet_x_nano')
    >>> picture = resolver.enhance('frame.png')  # doctest: +SKIP

The names listed here are imported on first use: ``import mmdsr`` alone
needs neither torch nor any other package.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mmdsr.version import __version__

if TYPE_CHECKING:
    from mmdsr.inference import SuperResolver
    from mmdsr.models.networks import DSRNet, DSRNetX, MASASRNet
    from mmdsr.weights import available as list_weights
    from mmdsr.weights import load_published as load_weights

__all__ = [
    'DSRNet',
    'DSRNetX',
    'MASASRNet',
    'SuperResolver',
    '__version__',
    'list_weights',
    'load_weights',
]
#: Name to the module and attribute that are imported on first use.
_EXPORTS = {
    'DSRNet': ('mmdsr.models.networks', 'DSRNet'),
    'DSRNetX': ('mmdsr.models.networks', 'DSRNetX'),
    'MASASRNet': ('mmdsr.models.networks', 'MASASRNet'),
    'SuperResolver': ('mmdsr.inference', 'SuperResolver'),
    'list_weights': ('mmdsr.weights', 'available'),
    'load_weights': ('mmdsr.weights', 'load_published'),
}


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module, own = _EXPORTS[name]
    value = getattr(import_module(module), own)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
