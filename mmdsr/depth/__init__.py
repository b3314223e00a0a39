"""Depth of frames, from interchangeable sources."""

from mmdsr.depth.base import DepthMap, DepthProvider
from mmdsr.depth.build import PROVIDERS, build_provider

__all__ = ['PROVIDERS', 'DepthMap', 'DepthProvider', 'build_provider']
