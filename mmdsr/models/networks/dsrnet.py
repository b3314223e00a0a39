"""DSRNet, the network of the paper (Fig. 2)."""

from collections.abc import Sequence

from torch import Tensor

from mmdsr.models.networks.padding import (
    SCALE,
    check_depth,
    check_images,
    downscale,
    pad_to_multiple,
    upscale,
)
from mmdsr.models.networks.refsr_net import (
    DSROutput,
    RefSRNet,
    chosen_feats,
    crop_like,
)
from mmdsr.registry import MODELS


@MODELS.register_module()
class DSRNet(RefSRNet):
    """Depth-guided, reference-based x4 super-resolution.

    Args:
        variant (str): ``'paper'``: fusion by convolutions and
            deconvolutions, depth network inside, bicubic score maps.
            ``'released'``: the authors' released network, i.e. fusion by
            one shared convolution, depth maps as inputs, bilinear score
            maps. Defaults to ``'paper'``.
        channels (int or Sequence[int]): Width of all features, or of the
            encoders' level 1, 2, 3; the decoder has those widths at x4, x2,
            x1. Defaults to 64.
        encoder_blocks (Sequence[int]): Residual blocks per level of both
            encoders (Table 1). Defaults to (4, 4, 4), DSRNet-T.
        decoder_blocks (Sequence[int]): Residual blocks of the decoder, see
            :class:`RefDecoder`. Defaults to (2, 2, 2, 12, 8, 4), DSRNet-T.
        depth_net (dict or str, optional): Config of the depth network, or
            ``None`` to take depth maps as inputs. Defaults to ``'auto'``:
            ``mmdsr.DepthUNet`` of width 16 in the paper's variant, ``None``
            in the released one.
        block_size (int): Side of the matched blocks. Defaults to 16.
        dilations (Sequence[int]): Dilations of the coarse search.
            Defaults to (1,).
        crop_ratio (float): Window side over block side. Defaults to 1.5.
        depth_encoder_blocks (Sequence[int], optional): Residual blocks per
            level of the depth encoder. Defaults to None, as in the encoder.

    Raises:
        ValueError: If ``variant`` is unknown.
    """

    def __init__(
        self,
        variant: str = 'paper',
        channels: int | Sequence[int] = 64,
        encoder_blocks: Sequence[int] = (4, 4, 4),
        decoder_blocks: Sequence[int] = (2, 2, 2, 12, 8, 4),
        depth_net: dict | str | None = 'auto',
        block_size: int = 16,
        dilations: Sequence[int] = (1,),
        crop_ratio: float = 1.5,
        depth_encoder_blocks: Sequence[int] | None = None,
    ) -> None:
        if variant not in ('paper', 'released'):
            raise ValueError(
                f"variant must be 'paper' or 'released', got {variant!r}"
            )
        super().__init__(
            channels,
            encoder_blocks,
            decoder_blocks,
            block_size,
        )
        paper = variant == 'paper'
        if depth_net == 'auto':
            depth_net = dict(type='mmdsr.DepthUNet') if paper else None
        self.depth_net = MODELS.build(depth_net) if depth_net else None
        fusion = 'mmdsr.DepthFusion' if paper else 'mmdsr.SharedDepthFusion'
        self.dmm = MODELS.build(
            dict(
                type='mmdsr.DMM',
                depth_encoder=dict(
                    type='mmdsr.DepthEncoder',
                    channels=channels,
                    num_blocks=depth_encoder_blocks or encoder_blocks,
                ),
                fusion=dict(type=fusion, channels=channels),
                drimm=dict(
                    type='mmdsr.DRIMM',
                    block_size=block_size,
                    dilations=dilations,
                    crop_ratio=crop_ratio,
                    score_mode='bicubic' if paper else 'bilinear',
                ),
            )
        )

    @property
    def needs_depth(self) -> bool:
        """Whether depth maps must be given because none are predicted."""
        return self.depth_net is None

    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
        return_feats: bool | str = False,
    ) -> Tensor | DSROutput:
        """Super-resolve (Fig. 2 of the paper).

        Args:
            lr (Tensor): LR images (N, 3, H, W), RGB in [0, 1], H, W >= 16.
            ref (Tensor): Reference images (N, 3, Hr, Wr), RGB in [0, 1],
                any size >= 16. ``ref=lr`` is the paper's single-image mode.
            ref_down (Tensor, optional): Reference reduced by 4,
                (N, 3, ceil(Hr / 4), ceil(Wr / 4)). Computed from ``ref`` by
                an antialiased bicubic filter when left out.
            depth (Tensor, optional): Normalised inverse depth of LR
                (N, 1, H, W) in [0, 1]. Predicted when left out.
            depth_ref (Tensor, optional): The same for Ref-down.
            return_feats (bool or str): ``True`` or ``'scale'``: return
                everything, with features of the three levels; ``'block'``:
                with those of the residual blocks. Defaults to False.

        Returns:
            Tensor or DSROutput: Image (N, 3, 4H, 4W), not clamped; with
            ``return_feats`` also depth, confidence and features.

        Raises:
            ValueError: If an input has a wrong shape or depth is missing.
        """
        check_images(lr, ref, ref_down)
        if ref_down is None:
            ref_down = downscale(ref)
        depth = self.extract_depth(lr, depth, 'depth')
        depth_ref = self.extract_depth(ref_down, depth_ref, 'depth_ref')

        padded = self.pad_lr(lr)
        blocks, depth_blocks = (
            ([], []) if return_feats == 'block' else (None, None)
        )
        feats = self.encoder(padded, block_feats=blocks)
        ref_down_feats = self.encoder(
            self.pad_ref_down(ref_down), self.dmm.fusion.ref_down_levels
        )
        fused, warped, confidence, depth_feats, flow = self.dmm(
            feats,
            ref_down_feats,
            self.encoder(self.pad_ref(ref)),
            self.pad_lr(depth),
            self.pad_ref_down(depth_ref),
            depth_blocks,
        )
        sr = crop_like(
            self.decoder(fused, warped) + upscale(padded), lr, SCALE
        )
        if not return_feats:
            return sr
        confidence = crop_like(confidence, lr)
        return DSROutput(
            sr,
            depth,
            depth_ref,
            confidence,
            chosen_feats(feats, blocks),
            chosen_feats(depth_feats, depth_blocks),
            crop_like(flow, lr),
        )

    def extract_depth(
        self, image: Tensor, depth: Tensor | None, name: str
    ) -> Tensor:
        """Return the depth map of an image: the given one, or U's.

        Args:
            image (Tensor): LR or Ref-down (N, 3, H, W) in [0, 1].
            depth (Tensor, optional): Given depth (N, 1, H, W) in [0, 1].
            name (str): Name of the argument, for messages.

        Returns:
            Tensor: Normalised inverse depth (N, 1, H, W).

        Raises:
            ValueError: If there is neither, or the given one does not fit.
        """
        if depth is not None:
            check_depth(name, depth, image)
            return depth
        if self.depth_net is None:
            raise ValueError(
                f'{name} must be given: this network has no depth network'
            )
        # U pools four times; what is padded does not exist for the caller.
        padded = pad_to_multiple(image, self.depth_net.min_size)
        return crop_like(self.depth_net(padded), image)
