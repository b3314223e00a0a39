"""FlowNet, a learned flow from LR to the reference."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import init_zeros
from mmdsr.models.networks.flow import (
    enlarge_flow,
    even_light,
    fit_reference,
    inside,
    local_correlation,
    pixel_grid,
    sample,
    warp,
    zoom_out,
)
from mmdsr.models.networks.padding import (
    check_depth,
    downscale,
    pad_to_multiple,
)
from mmdsr.registry import MODELS

_SLOPE = 0.1  # of the leaky ReLUs
_FAR = 0.005  # inverse depth that counts as 0: 50 m if 1 is 0.25 m
_DOUBT = 2.0
"""Logit by which a search at another zoom must be more confident: where it
finds most and costs nothing in short steps (docs/results.md)."""


def depth_plane(depth: Tensor) -> Tensor:
    """Turn a depth map into an input for convolutions.

    Args:
        depth: Normalized inverse depth (N, 1, H, W) in [0, 1]; NaN is unknown.

    Returns:
        Its logarithm, as far depths differ little in the inverse, from -0.5
        (far, or unknown) to 0.5.
    """
    nearest = torch.nan_to_num(depth, nan=0.0).clamp(_FAR, 1)
    return 0.5 - nearest.log() / math.log(_FAR)


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1), nn.LeakyReLU(_SLOPE, True)
    )


class Refine(nn.Module):
    """Correct flow and confidence at one level.

    Args:
        channels: Width of the features.
        width: Width of the convolutions.
        radius: Reach of the search, in pixels of the level.
    """

    def __init__(self, channels: int, width: int, radius: int) -> None:
        super().__init__()
        self.radius = radius
        candidates = (2 * radius + 1) ** 2
        self.body = nn.Sequential(
            _conv(candidates + channels + 3, width),
            _conv(width, width),
            _conv(width, width),
        )
        self.head = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, feat: Tensor, other: Tensor, state: Tensor) -> Tensor:
        """Correct.

        Args:
            feat: Features of LR (N, C, H, W).
            other: Features of Ref-down (N, C, H, W).
            state: Flow and logit of its confidence (N, 3, H, W).

        Returns:
            The corrected state.
        """
        flow = state[:, :2]
        costs = local_correlation(
            feat, warp(other, flow, 'zeros'), self.radius
        )
        return state + self.head(self.body(torch.cat([costs, feat, state], 1)))


@MODELS.register_module()
class FlowNet(nn.Module):
    """Small coarse-to-fine flow from LR to Ref-down.

    Both images have features at LR, LR/2, LR/4, ... At each level, from the
    coarsest to the finest, a local correlation around the current flow and a
    few convolutions correct it. Ref-down may have another size than LR: the
    search starts with aligned centers.

    A camera that moves forward shows a spot larger in Ref than in LR. Further
    searches in a reduced Ref-down, with the same weights, find it there; of
    each pixel, the flow prevails that is clearly more confident.

    Args:
        channels: Width of the features at LR, LR/2, LR/4, and so on.
        widths: Width of the correction at these levels.
        radii: Radius of the search at these levels, in pixels of the level.
        repeats: Number of corrections at each level, with the same weights.
        depth_input: Whether depth maps of both images are inputs, too.
        zooms: Factors > 1 by which Ref-down is reduced for further searches,
            each of which costs about as much as the first one.

    Raises:
        ValueError: If the lengths differ, or a factor is not > 1.
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 48, 64),
        widths: Sequence[int] = (32, 48, 64, 64),
        radii: Sequence[int] = (2, 3, 4, 4),
        repeats: Sequence[int] = (2, 1, 1, 1),
        depth_input: bool = False,
        zooms: Sequence[float] = (),
    ) -> None:
        super().__init__()
        if any(zoom <= 1 for zoom in zooms):
            raise ValueError(f'zooms must be > 1, not {tuple(zooms)}.')
        if not len(channels) == len(widths) == len(radii) == len(repeats):
            raise ValueError(
                'channels, widths, radii and repeats must each have one value '
                'per level.'
            )
        self.repeats = tuple(repeats)
        self.depth_input = depth_input
        self.zooms = tuple(zooms)
        self.levels = nn.ModuleList()
        before = 4 + depth_input
        for level, width in enumerate(channels):
            self.levels.append(
                nn.Sequential(
                    _conv(before, width, 1 + (level > 0)),
                    nn.Conv2d(width, width, 3, 1, 1),
                )
            )
            before = width
        parts = [
            Refine(*sizes)
            for sizes in zip(channels, widths, radii, strict=True)
        ]
        self.refine = nn.ModuleList(parts)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init_zeros(module)
                nn.init.kaiming_normal_(module.weight, a=_SLOPE)
        for part in parts:
            nn.init.zeros_(part.head.weight)

    def features(
        self, image: Tensor, depth: Tensor | None = None
    ) -> list[Tensor]:
        """Return the features of an image at all levels, finest first.

        Args:
            image: Image (N, 3, H, W), RGB in [0, 1].
            depth: Its normalized inverse depth (N, 1, H, W), if the network
                has ``depth_input``.

        Returns:
            Features (N, C, H / 2**level, W / 2**level).
        """
        planes = [image - 0.5, even_light(image)]
        if depth is not None:
            planes.append(depth_plane(depth))
        x = torch.cat(planes, 1)
        feats = []
        for level in self.levels:
            x = level(x)
            feats.append(x)
            x = F.leaky_relu(x, _SLOPE)
        return feats

    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Find LR in a reference; see :mod:`mmdsr.models.networks.aligners`.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: References (N, 3, Hr, Wr).
            ref_down: References reduced by 4. Computed by default.
            depth: Normalized inverse depth of LR (N, 1, H, W), NaN where
                unknown; used with ``depth_input``.
            depth_ref: Normalized inverse depth of Ref-down (N, 1, h, w).

        Returns:
            Flow (N, 2, H, W) in LR pixels, and the probability (N, 1, H, W)
            that it is right to within a pixel, 0 where it leaves the
            reference.

        Raises:
            ValueError: If depth is an input and missing, or does not fit.
        """
        if ref_down is None:
            ref_down = downscale(ref)
        depth, depth_ref = self._depths(lr, ref_down, depth, depth_ref)
        feats = self._lr_features(lr, depth)
        size = lr.shape[-2:]
        flow, logit = self._search(feats, size, ref_down, depth_ref)[-1]
        for zoom in self.zooms:
            other = self._zoomed(feats, size, ref_down, depth_ref, zoom)
            flow, logit = prevail(flow, logit, *other)
        height, width = size
        flow, logit = flow[..., :height, :width], logit[..., :height, :width]
        return flow, logit.sigmoid() * inside(flow, ref_down.shape[-2:])

    def estimate(
        self,
        lr: Tensor,
        ref_down: Tensor,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> list[tuple[Tensor, Tensor]]:
        """Estimate the flow at all levels by the first search, for training.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref_down: Reduced references (N, 3, h, w).
            depth: See :meth:`forward`.
            depth_ref: See :meth:`forward`.

        Returns:
            For each correction, coarsest first and on the grid of its level:
            the flow in pixels of that grid (N, 2, H', W') and the logit
            (N, 1, H', W') of the probability that it is right to within a
            pixel. The grids are those of LR padded to a multiple of the
            coarsest pixel.

        Raises:
            ValueError: If depth is an input and missing, or does not fit.
        """
        depth, depth_ref = self._depths(lr, ref_down, depth, depth_ref)
        feats = self._lr_features(lr, depth)
        return self._search(feats, lr.shape[-2:], ref_down, depth_ref)

    def _depths(
        self,
        lr: Tensor,
        ref_down: Tensor,
        depth: Tensor | None,
        depth_ref: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the depth maps that the network takes, None if none."""
        if not self.depth_input:
            return None, None
        return (
            _require_depth('depth', depth, lr),
            _require_depth('depth_ref', depth_ref, ref_down),
        )

    def _lr_features(self, lr: Tensor, depth: Tensor | None) -> list[Tensor]:
        multiple = 2 ** (len(self.levels) - 1)
        if depth is not None:
            depth = pad_to_multiple(depth, multiple)
        return self.features(pad_to_multiple(lr, multiple), depth)

    def _search(
        self,
        feats: list[Tensor],
        size: Sequence[int],
        ref_down: Tensor,
        depth_ref: Tensor | None,
    ) -> list[tuple[Tensor, Tensor]]:
        """Search LR, given by features and size, as :meth:`estimate` does."""
        padded = feats[0].shape[-2:]
        if depth_ref is not None:
            depth_ref, _ = fit_reference(depth_ref, size, padded)
        ref_down, offset = fit_reference(ref_down, size, padded)
        # As sums, which an exported graph computes for each size.
        zero = ref_down.new_zeros(1, 1, 1, 1)
        shift = torch.cat([zero + side for side in offset], 1)
        others = self.features(ref_down, depth_ref)
        return [
            (state[:, :2] + shift / 2**level, state[:, 2:])
            for level, state in self._corrections(feats, others)
        ]

    def _zoomed(
        self,
        feats: list[Tensor],
        size: Sequence[int],
        ref_down: Tensor,
        depth_ref: Tensor | None,
        zoom: float,
    ) -> tuple[Tensor, Tensor]:
        """Search LR in a reduced reference: flow to Ref-down, and logit."""
        here = pixel_grid(feats[0])
        ref_size = ref_down.shape[-2:]
        # Factors below 2 hardly need a low pass.
        place = zoom_out(here, size, ref_size, zoom)
        place = place.expand(len(ref_down), -1, -1, -1)
        if depth_ref is not None:
            depth_ref = sample(depth_ref, place)
        others = self.features(sample(ref_down, place), depth_ref)
        _, state = self._corrections(feats, others)[-1]
        there = zoom_out(here + state[:, :2], size, ref_size, zoom)
        return there - here, state[:, 2:]

    def _corrections(
        self, feats: list[Tensor], others: list[Tensor]
    ) -> list[tuple[int, Tensor]]:
        """Return the level and the state after each correction."""
        coarsest = feats[-1]
        state = coarsest.new_zeros(len(coarsest), 3, *coarsest.shape[-2:])
        results = []
        for level in reversed(range(len(self.levels))):
            if level < len(self.levels) - 1:
                state = _finer(state)
            for _ in range(self.repeats[level]):
                state = self.refine[level](feats[level], others[level], state)
                results.append((level, state))
        return results


def prevail(
    flow: Tensor, logit: Tensor, other: Tensor, sure: Tensor
) -> tuple[Tensor, Tensor]:
    """Take another flow where it is clearly more confident.

    Args:
        flow: Flow (N, 2, H, W).
        logit: Logit of its confidence (N, 1, H, W).
        other: The other flow (N, 2, H, W).
        sure: Logit of its confidence (N, 1, H, W).

    Returns:
        Flow (N, 2, H, W) and logit (N, 1, H, W).
    """
    better = sure - _DOUBT > logit
    return torch.where(better, other, flow), torch.where(better, sure, logit)


def _require_depth(name: str, depth: Tensor | None, image: Tensor) -> Tensor:
    """Return a depth map that must be given and fit its image."""
    if depth is None:
        raise ValueError(
            f'{name} must be given: this FlowNet has depth_input=True.'
        )
    check_depth(name, depth, image)
    return depth


def _finer(state: Tensor) -> Tensor:
    flow = enlarge_flow(state[:, :2], 2)
    logit = F.interpolate(
        state[:, 2:], scale_factor=2, mode='bilinear', align_corners=False
    )
    return torch.cat([flow, logit], 1)
