"""Constant networks that belong to a model but not to its weights."""

from torch import Tensor, nn


class Hidden:
    """Holds a frozen module out of reach of ``nn.Module``'s registration.

    An attribute that is a plain object is in neither ``parameters()``,
    ``state_dict()`` nor DDP's buckets, and neither ``train()`` nor
    ``init_weights()`` of the model reaches it: the constant weights of a VGG
    or a teacher do not belong into every checkpoint.

    Args:
        module: The network.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval().requires_grad_(False)

    def __deepcopy__(self, memo):
        # An average of a model needs no second copy of what never changes.
        return self

    def to(self, tensor: Tensor) -> nn.Module:
        """Return the module, moved to the device of a tensor.

        Args:
            tensor: What the module is to be called with.

        Returns:
            The network, in evaluation mode.
        """
        return self.module.to(tensor.device)
