"""Weights of any single-image network that spandrel can read, besides ours."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.errors import (
    CheckpointError,
    MissingExtraError,
    UnknownNetworkError,
)
from mmdsr.extras import require
from mmdsr.io.checkpoint import read_checkpoint, unwrap
from mmdsr.models.networks.padding import SCALE
from mmdsr.models.networks.single_image import WrappedNet
from mmdsr.weights.load import load_published


class PeerNet(WrappedNet):
    """A network that spandrel has built from a checkpoint.

    Args:
        net: Takes and returns RGB images in [0, 1].
        minimum: Shortest side of LR.
        multiple: What both sides of LR must be divisible by.
        square: Whether LR must be square.
    """

    def __init__(
        self,
        net: nn.Module,
        minimum: int = 0,
        multiple: int = 1,
        square: bool = False,
    ) -> None:
        super().__init__(net)
        self.minimum = minimum
        self.multiple = multiple
        self.square = square

    def enlarge(self, lr: Tensor) -> Tensor:
        """Super-resolve; see :class:`SingleImageNet`."""
        height, width = lr.shape[-2:]
        sides = [max(side, self.minimum) for side in (height, width)]
        if self.square:
            sides = [max(sides)] * 2
        bottom, right = (
            side + -side % self.multiple - own
            for side, own in zip(sides, (height, width), strict=True)
        )
        padded = F.pad(lr, (0, right, 0, bottom), mode='replicate')
        result = super().enlarge(padded)
        return result[..., : height * SCALE, : width * SCALE]


def load_weights(name_or_path: str | Path) -> nn.Module:
    """Load published weights, or a checkpoint of another program.

    Args:
        name_or_path: Name or file of published weights; otherwise a file with
            the weights of a x4 network that spandrel knows. Users are
            responsible for the license of such a file.

    Returns:
        The network in float32, in evaluation mode.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.
    """
    try:
        return load_published(name_or_path)
    except UnknownNetworkError as error:
        state = unwrap(read_checkpoint(name_or_path), name_or_path)
        # A checkpoint of a training with mmdsr, which has a config.
        if any(key.startswith('generator.') for key in state):
            raise
        try:
            require('peers', 'spandrel')
        except MissingExtraError as missing:
            raise CheckpointError(
                f'{error} If it is of another program: {missing}'
            ) from missing
        return _load_peer(state, Path(name_or_path), error)


def _load_peer(
    state: dict[str, Tensor], path: Path, reason: CheckpointError
) -> PeerNet:
    """Let spandrel identify the network of weights."""
    from spandrel import (
        ImageModelDescriptor,
        ModelLoader,
        UnsupportedModelError,
    )

    try:
        found = ModelLoader().load_from_state_dict(state)
    except UnsupportedModelError as error:
        raise CheckpointError(
            f'{reason} It is not a network that spandrel knows, either.'
        ) from error
    # Weights that only resemble those of a network may cause any error.
    except Exception as error:
        lines = str(error).splitlines() or ['']
        raise CheckpointError(
            f'{path} looks like weights of a network that spandrel knows, but '
            f'they do not fit ({type(error).__name__}: {lines[0][:100]}): get '
            'the file again.'
        ) from error
    name = found.architecture.name
    if not isinstance(found, ImageModelDescriptor) or found.purpose != 'SR':
        raise CheckpointError(
            f'{path} contains a {name} that does not enlarge a single image: '
            'use a x4 super-resolution network.'
        )
    if found.scale != SCALE:
        raise CheckpointError(
            f'{path} contains a {name} that enlarges by {found.scale}: use '
            f'its x{SCALE} weights.'
        )
    if (found.input_channels, found.output_channels) != (3, 3):
        raise CheckpointError(
            f'{path} contains a {name} for images with {found.input_channels} '
            'channels: use one for RGB.'
        )
    size = found.size_requirements
    net = found.model.float().requires_grad_(False)
    return PeerNet(net, size.minimum, size.multiple_of, size.square).eval()
