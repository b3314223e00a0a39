"""mmdet's SSD head, able to predict."""

from mmdet.models.dense_heads import SSDHead as _SSDHead

from mmdsr.registry import MODELS


@MODELS.register_module()
class SSDHead(_SSDHead):
    """``SSDHead`` of mmdet, which fails when it predicts in mmdet 3.3.

    The base class asks ``loss_cls`` for a special activation there, and
    ``SSDHead`` is the one head that has no ``loss_cls`` (mmdetection issues
    11063, 11305 and 11780, open). ``None`` answers that question.

    Args:
        *args: As of mmdet's.
        **kwargs: As of mmdet's.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.loss_cls = None
