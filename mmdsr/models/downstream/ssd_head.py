"""mmdet's SSD head, able to predict."""

from mmdet.models.dense_heads import SSDHead as _SSDHead

from mmdsr.registry import MODELS


@MODELS.register_module()
class SSDHead(_SSDHead):
    """``SSDHead`` of mmdet, fixed to predict, which fails in mmdet 3.3.

    The base class checks ``loss_cls`` for a custom activation there, but
    ``SSDHead`` is the only head without a ``loss_cls`` (mmdetection issues
    11063, 11305 and 11780, open). Setting it to ``None`` avoids the failure.

    Args:
        *args: For mmdet's ``SSDHead``.
        **kwargs: For mmdet's ``SSDHead``.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.loss_cls = None
