"""Data sets."""

from mmdsr.datasets.refsr_dataset import RefSRDataset

__all__ = ['RefSRDataset']
