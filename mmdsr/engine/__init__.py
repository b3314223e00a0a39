"""What the runner needs: hooks, samplers, checkpoints, launching."""

from mmdsr.engine.replay import ReplaySampler, SkipSeenDataHook
from mmdsr.engine.strip_hook import StripVisualizationHook

__all__ = ['ReplaySampler', 'SkipSeenDataHook', 'StripVisualizationHook']
