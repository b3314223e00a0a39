"""Depth-aware, reference-based super-resolution for sewer images."""

from mmdsr.version import __version__

__all__ = ['__version__']
