"""Metrics and comparison strips."""

from mmdsr.evaluation.depth_error import DepthError
from mmdsr.evaluation.functional import psnr, ssim, to_uint8, to_y, upscale
from mmdsr.evaluation.match_accuracy import MatchAccuracy
from mmdsr.evaluation.metrics import PSNR, SSIM
from mmdsr.evaluation.multi_label import (
    SewerMLMetric,
    f1_normal,
    f2_ciw,
    f_scores,
)
from mmdsr.evaluation.strips import make_strip

__all__ = [
    'PSNR',
    'SSIM',
    'DepthError',
    'MatchAccuracy',
    'SewerMLMetric',
    'f1_normal',
    'f2_ciw',
    'f_scores',
    'make_strip',
    'psnr',
    'ssim',
    'to_uint8',
    'to_y',
    'upscale',
]
