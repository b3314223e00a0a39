"""Super-resolution in front of the models of mmpretrain."""

from mmpretrain.models import ClsDataPreprocessor

from mmdsr.preprocessors.mixin import SuperResolveMixin
from mmdsr.registry import MODELS


@MODELS.register_module()
class SRClsDataPreprocessor(SuperResolveMixin, ClsDataPreprocessor):
    """mmpretrain's ``ClsDataPreprocessor`` on super-resolved images."""

    # Labels are of whole images, and some transforms do not keep img_shape.
    has_frame = False
