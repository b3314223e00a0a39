"""Super-resolution in front of the models of mmdetection."""

from mmdet.models import DetDataPreprocessor

from mmdsr.preprocessors.mixin import SuperResolveMixin
from mmdsr.registry import MODELS


@MODELS.register_module()
class SRDetDataPreprocessor(SuperResolveMixin, DetDataPreprocessor):
    """mmdet's ``DetDataPreprocessor`` on super-resolved images."""
