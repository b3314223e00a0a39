"""Data transforms that the hosts lack; they depend only on mmcv."""

from mmdsr.transforms.align_ref import AlignRef, LoadAlignment, SpoilRef
from mmdsr.transforms.downsample import Downsample
from mmdsr.transforms.flip_transpose import FlipTranspose
from mmdsr.transforms.load_depth import LoadDepth, inverse_depth
from mmdsr.transforms.load_flow import LoadFlow
from mmdsr.transforms.paired_ref_crop import PairedRefCrop
from mmdsr.transforms.super_resolve import SuperResolve

__all__ = [
    'AlignRef',
    'Downsample',
    'FlipTranspose',
    'LoadAlignment',
    'LoadDepth',
    'LoadFlow',
    'PairedRefCrop',
    'SpoilRef',
    'SuperResolve',
    'inverse_depth',
]
