"""Common parts of the compared networks without a reference."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mmdsr.models.networks.padding import SCALE
from mmdsr.models.networks.refsr_net import DSROutput

#: Mean RGB of DIV2K, which EDSR and its successors subtract.
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


class SingleImageNet(nn.Module, ABC):
    """A network that accepts a reference like any other and ignores it.

    A subclass says in :meth:`enlarge` what it computes. Editors, inference
    and comparisons treat it like a reference-based network.
    """

    scale = SCALE
    needs_depth = False
    #: LR may have any size: :meth:`enlarge` pads it where necessary.
    lr_multiple = 1
    searches_from_center = False

    @abstractmethod
    def enlarge(self, lr: Tensor) -> Tensor:
        """Super-resolve.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1]. They are unchanged.

        Returns:
            Images (N, 3, 4H, 4W), not clamped.
        """

    def forward(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
    ) -> Tensor:
        """Super-resolve.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: Ignored.
            ref_down: Ignored.

        Returns:
            Images (N, 3, 4H, 4W), not clamped.

        Raises:
            ValueError: If ``lr`` is not a batch of RGB images.
        """
        if lr.ndim != 4 or lr.shape[1] != 3:
            raise ValueError(
                'lr must be RGB images of shape (N, 3, H, W), not '
                f'{tuple(lr.shape)}.'
            )
        return self.enlarge(lr)

    def explain(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
        feature_level: str = 'scale',
    ) -> DSROutput:
        """Super-resolve, in the form of a reference-based network.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: Ignored.
            ref_down: Ignored.
            feature_level: Ignored; there are no features to distill.

        Returns:
            The image with a confidence of 0: nothing is taken from a
            reference.
        """
        sr = self.forward(lr)
        confidence = lr.new_zeros(len(lr), 1, *lr.shape[-2:])
        return DSROutput(sr, None, None, confidence, (), None)


class WrappedNet(SingleImageNet):
    """A single-image network from another package.

    Args:
        net: Module that takes and returns RGB images in [0, 1].
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def enlarge(self, lr: Tensor) -> Tensor:
        """Super-resolve; see :class:`SingleImageNet`."""
        # These networks keep constants as plain tensors and replace them by
        # copies with the dtype and device of the last image. RCAN also scales
        # its input in place.
        constants = {
            name: value
            for name, value in vars(self.net).items()
            if isinstance(value, Tensor)
        }
        try:
            return self.net(lr.clone())
        finally:
            vars(self.net).update(constants)


def add_mean_buffer(module: nn.Module) -> None:
    """Give a network the mean of DIV2K as a constant, ``mean``.

    Args:
        module: Gets the buffer (3, 1, 1); it is not stored in checkpoints.
    """
    mean = torch.tensor(DIV2K_MEAN)[:, None, None]
    module.register_buffer('mean', mean, persistent=False)
