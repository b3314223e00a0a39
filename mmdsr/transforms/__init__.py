"""Data transforms that the hosts do not have; they need mmcv only."""

from mmdsr.transforms.downsample import Downsample
from mmdsr.transforms.load_depth import LoadDepth, inverse_depth
from mmdsr.transforms.paired_ref_crop import PairedRefCrop
from mmdsr.transforms.super_resolve import SuperResolve

__all__ = [
    'Downsample',
    'LoadDepth',
    'PairedRefCrop',
    'SuperResolve',
    'inverse_depth',
]
