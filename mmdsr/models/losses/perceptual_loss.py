"""Perceptual loss, Eq. 11 of the paper."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdsr.io.checkpoint import (
    compare,
    read_checkpoint,
    refuse,
    unwrap,
)
from mmdsr.io.fetch import vgg19
from mmdsr.models.hidden import Hidden
from mmdsr.registry import MODELS

#: Statistics of the images that VGG19 was trained on, RGB in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_CRITERIA = {'mse': F.mse_loss, 'l1': F.l1_loss}


def _load_vgg(weights: str | None, untrained: bool) -> nn.Sequential:
    """Build the convolutional part of VGG19, see :class:`PerceptualLoss`."""
    # torchvision takes a second to import, and only this loss needs it. Only
    # the convolutions are built: the classifier is 500 MB of unused weights.
    from torchvision.models.vgg import cfgs, make_layers

    features = make_layers(cfgs['E'])
    if weights is None:
        if not untrained:
            raise ValueError(
                'PerceptualLoss needs VGG19 weights: weights="torchvision" '
                'downloads them once (548 MB), weights="vgg19.pth" reads a '
                "local state dict of torchvision's VGG19. untrained=True "
                'uses random weights, for short runs without a download.'
            )
        # With torch's own initialization, the features shrink from layer to
        # layer, and the loss of deep ones vanishes.
        for layer in features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        return features
    path = vgg19() if weights == 'torchvision' else weights
    try:
        state = unwrap(read_checkpoint(path), path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'The VGG19 weights {weights} do not exist. Set "weights" of '
            'PerceptualLoss to "torchvision", or to a local file of '
            "torchvision's VGG19."
        ) from error
    # Files of the whole network and of its "features" both work.
    state = {
        key.removeprefix('features.'): value
        for key, value in state.items()
        if not key.startswith('classifier.')
    }
    own = features.state_dict()
    missing, unexpected, shapes = compare(own, state)
    refuse(own, missing, unexpected, shapes, path, 'VGG19 of L_per')
    features.load_state_dict(state)
    return features


@MODELS.register_module()
class PerceptualLoss(nn.Module):
    r"""VGG19 feature distance, Eq. 11.

    ``L_per = || phi_i(I_HR) - phi_i(I_SR) ||_2``. The paper does not name the
    layer ``i``; conv5_4 before its ReLU is that of MASA-SR, ESRGAN and the
    authors' code. mmagic's class of this name always downloads its weights
    and stores them in every checkpoint; this one does neither. The VGG is
    frozen, follows the device of its input, and runs in fp32 under AMP.

    Args:
        weights: ``'torchvision'`` to download ImageNet weights to torch's
            cache, or the path of a local state dict (no code from it is run).
            None is refused unless ``untrained``.
        layer_weights: Index of a layer in torchvision's ``vgg19().features``
            to its weight. Defaults to ``{'34': 1.0}``, conv5_4 before ReLU.
        criterion: ``'mse'`` (the paper's L2, as the mean of squares) or
            ``'l1'`` (MASA-SR).
        loss_weight: ``lambda_per`` of Eq. 15. The paper does not give it; the
            default is the value of the authors' code.
        untrained: Whether to accept random weights if ``weights`` is ``None``:
            for tests and the quick configs, which download nothing. Published
            figures need trained ones.

    Raises:
        CheckpointError: If the weights cannot be downloaded or read, or are
            not those of VGG19.
        FileNotFoundError: If ``weights`` is a path that does not exist.
        ValueError: If there are no weights, or an option is unknown.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        weights: str | None = None,
        layer_weights: dict[str, float] | None = None,
        criterion: str = 'mse',
        loss_weight: float = 1e-3,
        untrained: bool = False,
    ) -> None:
        super().__init__()
        if criterion not in _CRITERIA:
            raise ValueError(
                f'criterion must be one of {sorted(_CRITERIA)}, not '
                f'{criterion!r}.'
            )
        layer_weights = layer_weights or {'34': 1.0}
        self.layer_weights = {
            int(layer): weight for layer, weight in layer_weights.items()
        }
        self.criterion = criterion
        self.loss_weight = loss_weight
        vgg = _load_vgg(weights, untrained)
        last = max(self.layer_weights)
        if not 0 <= last < len(vgg):
            raise ValueError(
                f'layer_weights must name layers 0 to {len(vgg) - 1} of '
                f'VGG19, not {last}.'
            )
        vgg = nn.Sequential(*list(vgg)[: last + 1])
        for layer in vgg:
            # An in-place ReLU would change the features before it.
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        self._vgg = Hidden(vgg)
        for name, value in (('mean', IMAGENET_MEAN), ('std', IMAGENET_STD)):
            self.register_buffer(
                name, torch.tensor(value).view(1, 3, 1, 1), persistent=False
            )

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the features of the chosen layers.

        Args:
            image: RGB in [0, 1], (N, 3, H, W) with sides >= 16.

        Returns:
            One fp32 feature map per layer in ascending order.
        """
        x = (image.float() - self.mean) / self.std
        found = []
        for index, layer in enumerate(self._vgg.to(x)):
            x = layer(x)
            if index in self.layer_weights:
                found.append(x)
        return found

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Compute the weighted distance.

        Args:
            sr: Prediction, RGB in [0, 1], (N, 3, H, W). Gradients flow to it.
            hr: Ground truth, same shape.

        Returns:
            Scalar.
        """
        distance = _CRITERIA[self.criterion]
        with torch.autocast(sr.device.type, enabled=False):
            fake = self.features(sr)
            with torch.no_grad():
                real = self.features(hr)
            weights = [w for _, w in sorted(self.layer_weights.items())]
            loss = fake[0].new_zeros(())
            for weight, a, b in zip(weights, fake, real, strict=True):
                loss = loss + weight * distance(a, b)
        return self.loss_weight * loss
