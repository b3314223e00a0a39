"""Aligners, which find LR in a reference, behind one interface.

An aligner is a module that is called as ``aligner(lr, ref, ref_down, depth,
depth_ref)`` and returns the flow (N, 2, H, W) in LR pixels, see
:mod:`mmdsr.models.networks.flow`, and its confidence (N, 1, H, W) in [0, 1].
:class:`FlowNet` is a learned one; this module has the paper's matching and a
classical one.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from mmdsr.models.networks.flow import fit_reference, inside, warp
from mmdsr.models.networks.padding import SCALE, downscale, upscale
from mmdsr.registry import MODELS


@MODELS.register_module()
class DRIMMAligner(nn.Module):
    """Match map of the paper's network, as a flow in whole LR pixels.

    Args:
        network: Config of ``mmdsr.DSRNet`` or ``mmdsr.MASASRNet``.
    """

    def __init__(self, network: dict[str, Any]) -> None:
        super().__init__()
        self.network = MODELS.build(network)

    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Match LR with a reference; see the module docstring."""
        maps = {}
        if depth is not None:
            maps = dict(depth=depth, depth_ref=depth_ref)
        output = self.network.explain(lr, ref, ref_down, **maps)
        return output.flow, output.confidence.clamp(0, 1)


@MODELS.register_module()
class DISAligner(nn.Module):
    """Dense inverse search of OpenCV, without learning, on the CPU.

    Both images are enlarged by 4 and their contrast is equalized (CLAHE), as
    the lamp moves with the camera. The confidence is exp(-d), where d is the
    distance in LR pixels between a pixel and its image under the flow to the
    reference and back. There is no gradient.

    Args:
        preset: ``'ultrafast'``, ``'fast'`` or ``'medium'``.

    Raises:
        ValueError: If there is no such preset.
    """

    def __init__(self, preset: str = 'medium') -> None:
        super().__init__()
        if preset not in ('ultrafast', 'fast', 'medium'):
            raise ValueError(
                "preset must be 'ultrafast', 'fast' or 'medium', not "
                f'{preset!r}.'
            )
        self.preset = preset

    @torch.no_grad()
    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Search LR in a reference; see the module docstring."""
        if ref_down is None:
            ref_down = downscale(ref)
        size = lr.shape[-2:]
        # DIS needs two images of the same size.
        fitted, offset = fit_reference(ref_down, size, size)
        there = self._search(lr, fitted)
        back = self._search(fitted, lr)
        lost = (there + warp(back, there)).norm(dim=1, keepdim=True)
        there = there + lr.new_tensor(offset).view(1, 2, 1, 1)
        confidence = torch.exp(-lost) * inside(there, ref_down.shape[-2:])
        return there, confidence

    def _search(self, first: Tensor, second: Tensor) -> Tensor:
        if isinstance(first, FakeTensor):
            # FLOPs are counted on fake tensors, which OpenCV cannot process;
            # its cost is not counted.
            return first.new_empty(len(first), 2, *first.shape[-2:])
        import cv2

        search = cv2.DISOpticalFlow.create(
            getattr(cv2, f'DISOPTICAL_FLOW_PRESET_{self.preset.upper()}')
        )
        clahe = cv2.createCLAHE(3.0, (8, 8))

        def even(image: Tensor) -> np.ndarray:
            gray = upscale(image[None]).mean(1)[0].clamp(0, 1)
            array = (gray * 255).round().byte().cpu().numpy()
            return clahe.apply(np.ascontiguousarray(array))

        flows = []
        for one, other in zip(first, second, strict=True):
            flow = search.calc(even(one), even(other), None)  # type: ignore[call-overload] # no initial flow
            # The value at the center of an LR pixel is the mean of its cell.
            height, width = one.shape[-2:]
            cells = flow.reshape(height, SCALE, width, SCALE, 2)
            flows.append(cells.mean((1, 3)).transpose(2, 0, 1) / SCALE)
        return torch.from_numpy(np.stack(flows)).to(first)
