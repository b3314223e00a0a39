"""Hooks, samplers, checks and launching for mmengine's runner."""

from mmdsr.engine.ema_hook import EMAHook
from mmdsr.engine.fast_cpu import BFloat16OptimWrapper, ChannelsLastHook
from mmdsr.engine.non_finite_hook import StopOnNonFiniteHook
from mmdsr.engine.pos_weight_hook import PosWeightHook
from mmdsr.engine.predictions_hook import SavePredictionsHook
from mmdsr.engine.replay import ReplaySampler, SkipSeenDataHook
from mmdsr.engine.strip_hook import StripVisualizationHook

__all__ = [
    'BFloat16OptimWrapper',
    'ChannelsLastHook',
    'EMAHook',
    'PosWeightHook',
    'ReplaySampler',
    'SavePredictionsHook',
    'SkipSeenDataHook',
    'StopOnNonFiniteHook',
    'StripVisualizationHook',
]
