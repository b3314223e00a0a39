"""Constant networks that belong to a model but not to its weights."""

from typing import Generic, TypeVar

from torch import Tensor, nn

ModuleT = TypeVar('ModuleT', bound=nn.Module)


class Hidden(Generic[ModuleT]):
    """Hold a frozen module that ``nn.Module`` does not register.

    An attribute that is a plain object is in neither ``parameters()``,
    ``state_dict()`` nor DDP's buckets, and neither ``train()`` nor
    ``init_weights()`` of the model reaches it: the constant weights of a VGG
    or a teacher do not belong in every checkpoint.

    Args:
        module: The network.
    """

    def __init__(self, module: ModuleT) -> None:
        self.module: ModuleT = module.eval().requires_grad_(False)

    def __deepcopy__(self, memo: dict[int, object]) -> 'Hidden[ModuleT]':
        # An averaged copy of a model shares the constant with the original.
        return self

    def to(self, tensor: Tensor) -> ModuleT:
        """Return the module, moved to the device of a tensor.

        Args:
            tensor: Input that the module will be called with.

        Returns:
            The network, in evaluation mode.
        """
        return self.module.to(tensor.device)
