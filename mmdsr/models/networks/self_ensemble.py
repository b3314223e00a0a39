"""Eight flips and turns of the input, averaged: the "+" of EDSR+ and RCAN+."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mmdsr.models.networks.refsr_net import DSROutput
from mmdsr.registry import MODELS


def turn(image: Tensor, number: int) -> Tensor:
    """Flip and transpose a map.

    Args:
        image: Map (..., H, W).
        number: Which of the eight: 1 mirrors rows, 2 mirrors columns, 4
            exchanges both, afterwards; 0 changes nothing.

    Returns:
        Map (..., H, W), or (..., W, H) from 4 on.
    """
    dims = [dim for bit, dim in ((1, -2), (2, -1)) if number & bit]
    image = image.flip(dims) if dims else image
    return image.transpose(-2, -1) if number & 4 else image


def turn_back(image: Tensor, number: int) -> Tensor:
    """Undo :func:`turn`.

    Args:
        image: What :func:`turn` gave, at any resolution.
        number: The number passed to :func:`turn`.

    Returns:
        The original map.
    """
    image = image.transpose(-2, -1) if number & 4 else image
    dims = [dim for bit, dim in ((1, -2), (2, -1)) if number & bit]
    return image.flip(dims) if dims else image


@MODELS.register_module()
class SelfEnsemble(nn.Module):
    """Any network, tested on all flips and turns of its input.

    The paper describes RCAN+ only as "RCAN with a self-supervised strategy".
    This class assumes the geometric self-ensemble of Lim et al. (2017), the
    "+" of the RCAN paper: it changes neither the training nor the parameters
    nor the cost given in Table 2. References and depth maps are turned with
    the image. A training step runs the network once.

    Args:
        network: Config of the network.
    """

    def __init__(self, network: dict) -> None:
        super().__init__()
        self.network = MODELS.build(network)
        self.scale: int = self.network.scale
        self.needs_depth: bool = self.network.needs_depth
        self.lr_multiple: int = self.network.lr_multiple
        self.searches_from_center: bool = getattr(
            self.network, 'searches_from_center', False
        )
        self.takes_unknown_depth: bool = getattr(
            self.network, 'takes_unknown_depth', False
        )

    @property
    def depth_net(self) -> nn.Module | None:
        """Depth network of the network, ``None`` if it has none."""
        return getattr(self.network, 'depth_net', None)

    def _turned(
        self,
        maps: tuple[Tensor | None, ...],
        depth: Tensor | None,
        depth_ref: Tensor | None,
    ) -> Iterator[tuple[int, list[Tensor | None], dict[str, Tensor]]]:
        """Yield the inputs in all orientations; in training, in one."""
        # A network that takes no depth has no such arguments.
        given = {'depth': depth, 'depth_ref': depth_ref}
        named = {key: x for key, x in given.items() if x is not None}
        for number in range(1 if self.training else 8):
            yield (
                number,
                [None if x is None else turn(x, number) for x in maps],
                {key: turn(x, number) for key, x in named.items()},
            )

    def forward(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> Tensor:
        """Super-resolve.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: References (N, 3, Hr, Wr), as the network needs them.
            ref_down: References reduced by 4.
            depth: Depth of LR (N, 1, H, W), for a network that takes it.
            depth_ref: Depth of Ref-down (N, 1, h, w), of the same kind.

        Returns:
            Mean (N, 3, 4H, 4W) of all results, not clamped.
        """
        turned = self._turned((lr, ref, ref_down), depth, depth_ref)
        results = [
            turn_back(self.network(*maps, **named), number)
            for number, maps, named in turned
        ]
        return torch.stack(results).mean(0)

    def explain(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
        feature_level: str = 'scale',
    ) -> DSROutput:
        """Super-resolve images and return all intermediate results.

        Args:
            lr: See :meth:`forward`.
            ref: See :meth:`forward`.
            ref_down: See :meth:`forward`.
            depth: See :meth:`forward`.
            depth_ref: See :meth:`forward`.
            feature_level: See ``explain`` of the network.

        Returns:
            The mean image; all other results are those of the unturned input.
        """
        turned = self._turned((lr, ref, ref_down), depth, depth_ref)
        outputs = [
            (
                number,
                self.network.explain(
                    *maps, feature_level=feature_level, **named
                ),
            )
            for number, maps, named in turned
        ]
        results = [turn_back(output.sr, number) for number, output in outputs]
        return outputs[0][1]._replace(sr=torch.stack(results).mean(0))
