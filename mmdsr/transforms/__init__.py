"""Data transforms that mmagic does not have; they need mmcv only."""

from mmdsr.transforms.load_depth import LoadDepth, inverse_depth
from mmdsr.transforms.paired_ref_crop import PairedRefCrop

__all__ = ['LoadDepth', 'PairedRefCrop', 'inverse_depth']
