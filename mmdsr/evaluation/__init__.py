"""Metrics and comparison strips."""

from mmdsr.evaluation.functional import psnr, ssim, to_uint8, to_y, upscale
from mmdsr.evaluation.metrics import PSNR, SSIM
from mmdsr.evaluation.strips import make_strip

__all__ = [
    'PSNR',
    'SSIM',
    'make_strip',
    'psnr',
    'ssim',
    'to_uint8',
    'to_y',
    'upscale',
]
