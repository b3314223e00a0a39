"""The version of mmdsr; ``setup.py`` reads it without importing mmdsr."""

__version__ = '0.1.0'
