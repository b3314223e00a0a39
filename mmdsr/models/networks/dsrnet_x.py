"""DSRNet-X: warps the reference by sub-pixel flow and works at LR size.

This network is not in the paper. The paper's DRIMM matches whole LR pixels,
which are four HR pixels wide, so that the transferred detail cannot line up;
here a flow between pixels warps the reference at its full resolution. The
paper's decoder spends most of its cost at x4; here the warped reference is
folded into channels (pixel unshuffle) and the trunk runs at LR size.
"""

from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import ResBlock, conv3x3, init_zeros
from mmdsr.models.networks.depth_cues import DEPTH_PLANES, depth_evidence
from mmdsr.models.networks.encoder import check_feature_level
from mmdsr.models.networks.flow import inside
from mmdsr.models.networks.padding import SCALE, check_images, upscale
from mmdsr.models.networks.reference_fusion import (
    FOLDED,
    ReferenceFusion,
    gather_evidence,
)
from mmdsr.models.networks.reference_inputs import (
    find_own,
    match_depths,
    side_by_side,
)
from mmdsr.models.networks.refsr_net import DSROutput
from mmdsr.registry import MODELS


class Shown(NamedTuple):
    """Evidence of all references of an image together.

    Args:
        feat: Features for the trunk (N, C, H, W).
        detail: Detail, folded (N, 48, H, W).
        share: Share of the detail that comes from references (N, 1, H, W) in
            [0, 1).
        flow: Where they show LR, in LR pixels (N, 2, H, W) or (N, K, 2, H, W).
    """

    feat: Tensor
    detail: Tensor
    share: Tensor
    flow: Tensor


class Trunk(nn.ModuleList):
    """Blocks in sequence."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the output of every block, given the input of the first."""
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
        use_reference: False ignores the reference: the trunk alone, a
            single-image network.
        depth_cues: Whether the network takes depth maps of both images, which
            indicate where the flow is right and how much larger the reference
            shows a spot, see
            :func:`~mmdsr.models.networks.depth_cues.depth_evidence`.

    Raises:
        ValueError: If an aligner or depth is given that is never used, or the
            trunk has no block.
    """

    scale = SCALE
    #: Depth may be unknown (NaN) in some or all pixels.
    takes_unknown_depth = True
    #: K references per image may be given.
    takes_several_references = True
    #: Required divisor of the LR size: LR may have any size.
    lr_multiple = 1
    #: The search starts with the centers of LR and Ref aligned, so that tiles
    #: of both have to be cut at the same place.
    searches_from_center = True

    def __init__(
        self,
        channels: int = 64,
        num_blocks: int = 9,
        aligner: dict[str, Any] | None = None,
        use_reference: bool = True,
        depth_cues: bool = False,
    ) -> None:
        super().__init__()
        if num_blocks < 1:
            raise ValueError(f'num_blocks must be 1 or more, not {num_blocks}')
        if (aligner or depth_cues) and not use_reference:
            unused = 'the aligner' if aligner else 'depth'
            raise ValueError(
                f'{unused} is unused with use_reference=False: omit it.'
            )
        self.channels = channels
        self.depth_cues = depth_cues
        self.aligner = MODELS.build(aligner) if aligner else None
        #: Whether depth maps must be given as inputs.
        self.needs_depth = depth_cues or bool(
            getattr(self.aligner, 'depth_input', False)
        )
        self.head = conv3x3(3, channels)
        planes = DEPTH_PLANES if depth_cues else 0
        self.fusion = (
            ReferenceFusion(channels, planes) if use_reference else None
        )
        blocks = [ResBlock(channels) for _ in range(num_blocks)]
        self.trunk = Trunk(blocks)
        self.tail = conv3x3(channels, FOLDED)
        # One gate per sub-pixel: wrong detail is wrong in all colors.
        self.gate = conv3x3(channels, SCALE**2) if use_reference else None
        # Start at bicubic interpolation, with residual blocks at identity.
        for conv in (*(block.conv2 for block in blocks), self.tail, self.gate):
            if conv is not None:
                init_zeros(conv)

    def feature_channels(
        self, feature_level: str = 'scale'
    ) -> tuple[list[int], None]:
        """Return the widths of the features that :meth:`explain` returns.

        Args:
            feature_level: ``'scale'``: three features, after each third of the
                trunk; ``'block'``: one per residual block.

        Returns:
            Widths of the trunk, and ``None``, as there is no depth encoder.

        Raises:
            ValueError: If ``feature_level`` is unknown.
        """
        check_feature_level(feature_level)
        count = len(self.trunk) if feature_level == 'block' else 3
        return [self.channels] * count, None

    def align(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Find LR in a reference.

        Args:
            lr: LR images (N, 3, H, W).
            ref: References (N, 3, Hr, Wr).
            ref_down: References reduced by 4. Computed by default.
            depth: Depth of LR (N, 1, H, W), for an aligner that takes it.
            depth_ref: Depth of Ref-down, of the same kind.

        Returns:
            Flow (N, 2, H, W) in LR pixels and its confidence (N, 1, H, W) in
            [0, 1], 0 outside the reference.

        Raises:
            ValueError: If the network has no aligner.
        """
        if self.aligner is None:
            raise ValueError(
                'this network has no aligner: pass flow and confidence.'
            )
        return self.aligner(lr, ref, ref_down, depth, depth_ref)

    def forward(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
        flow: Tensor | None = None,
        confidence: Tensor | None = None,
    ) -> Tensor:
        """Super-resolve images.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1], H, W >= 16.
            ref: One reference per image (N, 3, Hr, Wr) or K of them
                (N, K, 3, Hr, Wr), RGB in [0, 1], any size >= 16. None, or LR
                itself, means no reference; in a batch, this holds for each
                image.
            ref_down: Reference reduced by 4. Computed by default.
            depth: Normalized inverse depth of LR (N, 1, H, W) in [0, 1], NaN
                where unknown; for a network that needs it, with a reference.
            depth_ref: Depth of Ref-down in the same form, of one reference or
                of K of them.
            flow: Where the references show LR, in LR pixels (N, 2, H, W) or
                (N, K, 2, H, W). Found by the aligner by default.
            confidence: Confidence of the given flow (N, 1, H, W) or
                (N, K, 1, H, W) in [0, 1]. Defaults to 1 wherever the flow
                stays inside the reference.

        Returns:
            Image (N, 3, 4H, 4W), not clamped.

        Raises:
            ValueError: If an input has a wrong shape, or the network has no
                aligner and no flow is given.
        """
        shown = self.look(
            lr, ref, ref_down, depth, depth_ref, flow, confidence
        )
        feats = self.trunk(self.embed(lr, shown))
        return upscale(lr) + self.residual(feats[-1], shown)

    def explain(
        self,
        lr: Tensor,
        ref: Tensor | None = None,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
        flow: Tensor | None = None,
        confidence: Tensor | None = None,
        feature_level: str = 'scale',
    ) -> DSROutput:
        """Super-resolve images and return all intermediate results.

        Args:
            lr: See :meth:`forward`.
            ref: See :meth:`forward`.
            ref_down: See :meth:`forward`.
            depth: See :meth:`forward`.
            depth_ref: See :meth:`forward`.
            flow: See :meth:`forward`.
            confidence: See :meth:`forward`.
            feature_level: ``'scale'``: three features of the trunk;
                ``'block'``: those of all residual blocks.

        Returns:
            Image, flow, confidence and features. The confidence is the share
            of the detail of a pixel that comes from references.

        Raises:
            ValueError: As in :meth:`forward`, or if ``feature_level`` is
                unknown.
        """
        check_feature_level(feature_level)
        shown = self.look(
            lr, ref, ref_down, depth, depth_ref, flow, confidence
        )
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
        depth: Tensor | None,
        depth_ref: Tensor | None,
        flow: Tensor | None,
        confidence: Tensor | None,
    ) -> Shown | None:
        """Gather what the references show.

        Args:
            lr: LR images (N, 3, H, W).
            ref: See :meth:`forward`.
            ref_down: See :meth:`forward`.
            depth: See :meth:`forward`.
            depth_ref: See :meth:`forward`.
            flow: See :meth:`forward`.
            confidence: See :meth:`forward`.

        Returns:
            The evidence, or None without any reference.

        Raises:
            ValueError: As in :meth:`forward`.
        """
        own = None if ref is None else find_own(lr, ref)
        if (
            ref is None
            or self.fusion is None
            or (own is not None and bool(own.all()))
        ):
            check_images(lr, lr, None)
            return None
        flow_shape = *ref.shape[:-3], 2, *lr.shape[-2:]
        many, ref, ref_down, flow, confidence, count = side_by_side(
            lr, ref, ref_down, flow, confidence
        )
        check_images(many, ref, ref_down)
        if self.needs_depth:
            depth, depth_ref = match_depths(many, ref, depth, depth_ref, count)
        if flow is None:
            flow, confidence = self.align(
                many, ref, ref_down, depth, depth_ref
            )
        elif confidence is None:
            size = [-(-side // SCALE) for side in ref.shape[-2:]]
            confidence = inside(flow, size)
        if own is not None:
            # In a batch, an image without a reference is its own reference.
            confidence = confidence * ~own.view(-1, 1, 1, 1)
        evidence = gather_evidence(many, ref, flow)
        cues = None
        if self.depth_cues and depth is not None and depth_ref is not None:
            cues = depth_evidence(flow, depth, depth_ref, confidence)
        feat, detail, share = self.fusion(evidence, confidence, count, cues)
        return Shown(feat, detail, share, flow.reshape(flow_shape))

    def embed(self, lr: Tensor, shown: Shown | None) -> Tensor:
        """Return the first features (N, C, H, W) of the trunk."""
        feat = self.head(lr)
        return feat if shown is None else feat + shown.feat

    def residual(self, feat: Tensor, shown: Shown | None) -> Tensor:
        """Return what the last features of the trunk add to bicubic.

        Args:
            feat: Features (N, C, H, W).
            shown: Evidence of the references.

        Returns:
            Image (N, 3, 4H, 4W).
        """
        folded = self.tail(feat)
        if shown is not None and self.gate is not None:
            folded = folded + self.gate(feat).repeat(1, 3, 1, 1) * shown.detail
        return F.pixel_shuffle(folded, SCALE)
