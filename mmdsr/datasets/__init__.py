"""Data sets."""

from mmdsr.datasets.mixed_dataset import MixedDataset
from mmdsr.datasets.refsr_dataset import RefSRDataset

__all__ = ['MixedDataset', 'RefSRDataset']
