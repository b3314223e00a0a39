"""Inception V3 with a loss for its auxiliary branch, and with any width."""

from collections.abc import Callable, Sequence

from mmpretrain.models.backbones import InceptionV3
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmdsr.registry import MODELS


@MODELS.register_module()
class AuxMultiLabelClsHead(MultiLabelClsHead):
    """Multi-label head of a backbone with an auxiliary branch.

    mmpretrain's ``InceptionV3`` returns the logits of both, but its heads
    ignore those of the branch (``aux_logits=True``): its weights would not be
    trained, and training in several processes would fail.

    Args:
        aux_weight: Weight of the loss of the branch.
        **kwargs: For mmpretrain's ``MultiLabelClsHead``.
    """

    def __init__(self, aux_weight: float = 0.4, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.aux_weight = aux_weight

    def loss(
        self,
        feats: tuple[Tensor | None, Tensor],
        data_samples: list[DataSample],
        **kwargs: object,
    ) -> dict[str, Tensor]:
        """Compute the losses of the branch and of the last layer.

        Args:
            feats: Logits ``(N, K)`` of the branch, if any, and of the last
                layer.
            data_samples: The labels.
            **kwargs: For the loss.

        Returns:
            ``loss`` and, with a branch, ``loss_aux``.
        """
        aux, _ = feats
        losses = super().loss(feats, data_samples, **kwargs)
        if aux is not None:
            of_branch = self._get_loss(aux, data_samples, **kwargs)
            losses['loss_aux'] = self.aux_weight * of_branch['loss']
        return losses


@MODELS.register_module()
class SlimInceptionV3(InceptionV3):
    """mmpretrain's Inception V3 with fewer channels in every layer.

    Args:
        width: Factor of all channels; a multiple of 1/16, since they are
            multiples of 16.
        **kwargs: For mmpretrain's ``InceptionV3``.

    Raises:
        ValueError: If the width does not divide the channels.
    """

    def __init__(self, width: float = 1.0, **kwargs: object) -> None:
        if width <= 0 or (16 * width) % 1:
            raise ValueError(
                f'width must be a positive multiple of 1/16, not {width}.'
            )
        super().__init__(**kwargs)
        if width != 1:
            _narrow(self, lambda number: int(number * width))


def _narrow(module: nn.Module, scaled: Callable[[int], int]) -> None:
    """Replace the layers inside a module by those of another width."""
    new: nn.Module
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            inputs = child.in_channels
            new = nn.Conv2d(
                inputs if inputs == 3 else scaled(inputs),
                scaled(child.out_channels),
                _pair(child.kernel_size),
                _pair(child.stride),
                child.padding
                if isinstance(child.padding, str)
                else _pair(child.padding),
                bias=child.bias is not None,
            )
        elif isinstance(child, nn.BatchNorm2d):
            new = nn.BatchNorm2d(scaled(child.num_features), eps=child.eps)
        elif isinstance(child, nn.Linear):
            # The last layers: the number of classes stays.
            new = nn.Linear(scaled(child.in_features), child.out_features)
        else:
            _narrow(child, scaled)
            continue
        setattr(module, name, new)


def _pair(sides: Sequence[int]) -> tuple[int, int]:
    height, width = sides
    return height, width
