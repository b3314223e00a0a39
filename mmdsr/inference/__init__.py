"""Super-resolution of images; it needs no host package."""

from mmdsr.inference.export import ExportReport, export_folder
from mmdsr.inference.super_resolver import SuperResolver

__all__ = ['ExportReport', 'SuperResolver', 'export_folder']
