"""Super-resolution in front of the models of mmsegmentation."""

from mmseg.models import SegDataPreProcessor

from mmdsr.preprocessors.mixin import SuperResolveMixin
from mmdsr.registry import MODELS


@MODELS.register_module()
class SRSegDataPreProcessor(SuperResolveMixin, SegDataPreProcessor):
    """mmseg's ``SegDataPreProcessor`` on super-resolved images."""
