"""Super-resolution of images; it needs torch, mmengine and Pillow only."""

from mmdsr.inference.super_resolver import SuperResolver

__all__ = ['SuperResolver']
