"""DSRNet-X: the reference warped by sub-pixel flow, all work at LR size.

Not of the paper. What it changes, and why: the paper's DRIMM finds whole LR
pixels, which are four HR pixels, so that what it transfers cannot line up;
here a flow between pixels warps the reference at its full resolution. The
paper's decoder spends its cost at x4; here the warped reference is folded
into channels (pixel unshuffle) and the trunk runs at LR size.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import ResBlock, conv3x3
from mmdsr.models.networks.encoder import check_feature_level
from mmdsr.models.networks.flow import inside
from mmdsr.models.networks.padding import SCALE, check_images, upscale
from mmdsr.models.networks.reference_fusion import (
    FOLDED,
    ReferenceFusion,
    gather_evidence,
)
from mmdsr.models.networks.refsr_net import DSROutput
from mmdsr.registry import MODELS


class Shown(NamedTuple):
    """What all references together show of LR.

    Args:
        feat: Features for the trunk (N, C, H, W).
        detail: Detail, folded (N, 48, H, W).
        share: Share of the detail that comes from references (N, 1, H, W) in
            [0, 1).
        flow: Where they show it, in LR pixels (N, 2, H, W) or (N, K, 2, H, W).
    """

    feat: Tensor
    detail: Tensor
    share: Tensor
    flow: Tensor


class Trunk(nn.ModuleList):
    """Blocks in sequence."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the output of every block, given the first one's input."""
        outputs = []
        for block in self:
            x = block(x)
            outputs.append(x)
        return outputs


@MODELS.register_module()
class DSRNetX(nn.Module):
    """Reference-based x4 super-resolution by sub-pixel alignment.

    Args:
        channels: Width of the trunk.
        num_blocks: Residual blocks of the trunk.
        aligner: Config of the alignment network, such as
            ``dict(type='mmdsr.FlowNet')``; ``None`` for a network that takes
            flows as inputs, or no reference at all.
        use_reference: False leaves the reference out: the trunk alone, a
            single-image network.

    Raises:
        ValueError: If an aligner is given that is never used.
    """

    scale = SCALE
    #: Whether depth maps must be given as inputs.
    needs_depth = False
    #: What the LR size must be divisible by; any size will do.
    lr_multiple = 1
    #: The search starts with the centers of LR and Ref on each other, so that
    #: tiles of both have to be cut at the same place.
    searches_from_center = True

    def __init__(
        self,
        channels: int = 64,
        num_blocks: int = 9,
        aligner: dict | None = None,
        use_reference: bool = True,
    ) -> None:
        super().__init__()
        if aligner and not use_reference:
            raise ValueError('use_reference=False leaves the aligner unused')
        self.channels = channels
        self.aligner = MODELS.build(aligner) if aligner else None
        self.head = conv3x3(3, channels)
        self.fusion = ReferenceFusion(channels) if use_reference else None
        self.trunk = Trunk(ResBlock(channels) for _ in range(num_blocks))
        self.tail = conv3x3(channels, FOLDED)
        # One gate per sub-pixel: where detail is wrong, all colors are.
        self.gate = conv3x3(channels, SCALE**2) if use_reference else None
        self._init_weights()

    def _init_weights(self) -> None:
        """Start at bicubic interpolation, with residual blocks at identity."""
        for block in self.trunk:
            nn.init.zeros_(block.conv2.weight)
            nn.init.zeros_(block.conv2.bias)
        for conv in (self.tail, self.gate):
            if conv is not None:
                nn.init.zeros_(conv.weight)
                nn.init.zeros_(conv.bias)

    def feature_channels(
        self, feature_level: str = 'scale'
    ) -> tuple[list[int], None]:
        """Return the widths of the features that :meth:`explain` gives.

        Args:
            feature_level: ``'scale'``: three features, after each third of the
                trunk; ``'block'``: one per residual block.

        Returns:
            Of the trunk; there is no depth encoder.

        Raises:
            ValueError: If ``feature_level`` is unknown.
        """
        check_feature_level(feature_level)
        count = len(self.trunk) if feature_level == 'block' else 3
        return [self.channels] * count, None

    def align(
        self, lr: Tensor, ref: Tensor, ref_down: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Find LR in a reference.

        Args:
            lr: LR images (N, 3, H, W).
            ref: References (N, 3, Hr, Wr).
            ref_down: References reduced by 4. Computed when left out.

        Returns:
            Flow (N, 2, H, W) in LR pixels and its confidence (N, 1, H, W) in
            [0, 1], 0 outside of the reference.

        Raises:
            ValueError: If the network has no aligner.
        """
        if self.aligner is None:
            raise ValueError(
                'This network has no aligner: give it flow and confidence.'
            )
        return self.aligner(lr, ref, ref_down)

    def forward(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
        flow: Tensor | None = None,
        confidence: Tensor | None = None,
    ) -> Tensor:
        """Super-resolve.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1], H, W >= 16.
            ref: One reference per image (N, 3, Hr, Wr) or K of them
                (N, K, 3, Hr, Wr), RGB in [0, 1], any size >= 16. Left out, or
                LR itself: no reference. Images of a batch that come with
                themselves have none.
            ref_down: Reference reduced by 4. Computed when left out.
            flow: Where the references show LR, in LR pixels (N, 2, H, W) or
                (N, K, 2, H, W). Found by the aligner when left out.
            confidence: Confidence of the given flow (N, 1, H, W) or
                (N, K, 1, H, W) in [0, 1]. Defaults to 1 wherever the flow
                stays on the reference.

        Returns:
            Image (N, 3, 4H, 4W), not clamped.

        Raises:
            ValueError: If an input has a wrong shape, or the network has no
                aligner and no flow is given.
        """
        shown = self.look(lr, ref, ref_down, flow, confidence)
        feats = self.trunk(self.embed(lr, shown))
        return upscale(lr) + self.residual(feats[-1], shown)

    def explain(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
        flow: Tensor | None = None,
        confidence: Tensor | None = None,
        feature_level: str = 'scale',
    ) -> DSROutput:
        """Super-resolve and give all that was computed on the way.

        Args:
            lr: As of :meth:`forward`.
            ref: Likewise.
            ref_down: Likewise.
            flow: Likewise.
            confidence: Likewise.
            feature_level: ``'scale'``: three features of the trunk;
                ``'block'``: those of all residual blocks.

        Returns:
            The same image, flow, confidence and features. The confidence says
            which share of a pixel's detail a reference showed.

        Raises:
            ValueError: As of :meth:`forward`, or if ``feature_level`` is
                unknown.
        """
        check_feature_level(feature_level)
        shown = self.look(lr, ref, ref_down, flow, confidence)
        feats = self.trunk(self.embed(lr, shown))
        sr = upscale(lr) + self.residual(feats[-1], shown)
        if feature_level == 'scale':
            total = len(feats)
            feats = [feats[(i * total + 2) // 3 - 1] for i in (1, 2, 3)]
        if shown is None:
            share, flow = lr.new_zeros(len(lr), 1, *lr.shape[-2:]), None
        else:
            share, flow = shown.share, shown.flow
        return DSROutput(sr, None, None, share, tuple(feats), None, flow)

    def look(
        self,
        lr: Tensor,
        ref: Tensor | None,
        ref_down: Tensor | None,
        flow: Tensor | None,
        confidence: Tensor | None,
    ) -> Shown | None:
        """Gather what the references show; as of :meth:`forward`.

        Args:
            lr: LR images (N, 3, H, W).
            ref: References.
            ref_down: References reduced by 4.
            flow: Where they show LR.
            confidence: Confidence of the flow.

        Returns:
            What they show; None without any reference.
        """
        own = None if ref is None else _find_own(lr, ref)
        if (
            ref is None
            or self.fusion is None
            or (own is not None and bool(own.all()))
        ):
            check_images(lr, lr, None)
            return None
        flow_shape = *ref.shape[:-3], 2, *lr.shape[-2:]
        many, ref, ref_down, flow, confidence, count = _side_by_side(
            lr, ref, ref_down, flow, confidence
        )
        check_images(many, ref, ref_down)
        if flow is None:
            flow, confidence = self.align(many, ref, ref_down)
        elif confidence is None:
            size = [-(-side // SCALE) for side in ref.shape[-2:]]
            confidence = inside(flow, size)
        if own is not None:
            # In a batch, an image without a reference comes with itself.
            confidence = confidence * ~own.view(-1, 1, 1, 1)
        evidence = gather_evidence(many, ref, flow)
        fused = self.fusion(evidence, confidence, count)
        return Shown(*fused, flow.reshape(flow_shape))

    def embed(self, lr: Tensor, shown: Shown | None) -> Tensor:
        """Return the first features (N, C, H, W) of the trunk."""
        feat = self.head(lr)
        return feat if shown is None else feat + shown.feat

    def residual(self, feat: Tensor, shown: Shown | None) -> Tensor:
        """Return what the trunk's last features add to bicubic.

        Args:
            feat: Features (N, C, H, W).
            shown: What references show.

        Returns:
            Image (N, 3, 4H, 4W).
        """
        folded = self.tail(feat)
        if shown is not None:
            folded = folded + self.gate(feat).repeat(1, 3, 1, 1) * shown.detail
        return F.pixel_shuffle(folded, SCALE)


def _find_own(lr: Tensor, ref: Tensor) -> Tensor | None:
    """Tell which references are LR itself, (N,) or (N, K); None: none is."""
    if ref.shape[-3:] != lr.shape[-3:] or len(ref) != len(lr):
        return None
    own = lr if ref.ndim == lr.ndim else lr[:, None]
    return (ref == own).flatten(-3).all(-1)


def _side_by_side(lr, ref, ref_down, flow, confidence):
    """Lay the K references of each image side by side in the batch."""
    if ref.ndim == 5 and not ref.shape[1]:
        raise ValueError(f'ref has no reference in it: {tuple(ref.shape)}')
    count = ref.shape[1] if ref.ndim == 5 else 1
    parts = [
        part.flatten(0, 1) if part is not None and part.ndim == 5 else part
        for part in (ref, ref_down, flow, confidence)
    ]
    for name, part, channels in zip(
        ('flow', 'confidence'), parts[2:], (2, 1), strict=True
    ):
        wanted = (count * len(lr), channels, *lr.shape[-2:])
        if part is not None and tuple(part.shape) != wanted:
            raise ValueError(
                f'{name} must have the shape {wanted} (all references of the '
                f'batch in a row, or K in a second dimension), got '
                f'{tuple(part.shape)}'
            )
    many = lr if count == 1 else lr.repeat_interleave(count, 0)
    return many, *parts, count
