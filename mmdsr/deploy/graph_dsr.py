"""The paper's DSRNet as a graph for other runtimes.

Encoders, depth network, fusion and decoder are the network's own layers.
Matching and transfer (Eq. 5 to 8) are written with the operators that every
runtime has: patches side by side as channels, so that the search is a product
of matrices, and gathers in place of an embedding bag. Tests compare it with
the network.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.deploy.resizing import EnlargeFolded, Reduce
from mmdsr.models.networks.depth_unet import DepthUNet
from mmdsr.models.networks.dsrnet import DSRNet
from mmdsr.models.networks.matching import EPS
from mmdsr.models.networks.padding import PYRAMID, SCALE, pad_to_multiple
from mmdsr.models.networks.refsr_net import crop_like


class GraphDSR(nn.Module):
    """DSRNet with its depth network: LR and Ref in, image and score out.

    Args:
        network: A network that predicts depth and searches with dilation 1.
    """

    def __init__(self, network: DSRNet) -> None:
        super().__init__()
        self.network = network
        self.reduce = Reduce()
        self.bicubic = EnlargeFolded(3, SCALE, cubic=True)
        cubic = network.dmm.drimm.score_mode == 'bicubic'
        self.enlarge_score = nn.ModuleDict(
            {str(s): EnlargeFolded(1, s, cubic) for s in (2, SCALE)}
        )

    def forward(self, lr: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
        """Super-resolve.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: Their references (N, 1, 3, Hr, Wr), RGB in [0, 1].

        Returns:
            The image (N, 3, 4H, 4W), not clamped, and the match score of
            every pixel (N, 1, H, W) in [-1, 1].
        """
        network, dmm = self.network, self.network.dmm
        ref = ref[:, 0]
        ref_down = self.reduce(ref)
        multiples = network.lr_multiple, PYRAMID, SCALE * PYRAMID
        x, down, full, depth, depth_ref = (
            pad_to_multiple(image, multiple)
            for image, multiple in zip(
                (lr, ref_down, ref, *map(self.depth, (lr, ref_down))),
                (*multiples, *multiples[:2]),
                strict=True,
            )
        )
        levels = dmm.ref_down_levels
        fused = dmm.fusion(network.encoder(x), dmm.depth_encoder(depth))
        key = dmm.fusion(
            network.encoder(down, levels),
            dmm.depth_encoder(depth_ref, levels),
        )[0]
        row, col, score = self.match(fused[0], key)
        warped = self.transfer(network.encoder(full)[::-1], row, col, score)
        sr = network.decoder(fused, warped)
        sr = sr + F.pixel_shuffle(self.bicubic(x), SCALE)
        return crop_like(sr, lr, SCALE), crop_like(score, lr)

    def depth(self, image: Tensor) -> Tensor:
        """Predict the depth (N, 1, H, W) of an image."""
        net = cast(DepthUNet, self.network.depth_net)
        return crop_like(net(pad_to_multiple(image, net.min_size)), image)

    def match(
        self, query: Tensor, key: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Search the best match of every LR pixel (Eq. 5 to 7).

        Args:
            query: F_LR (N, C, H, W), sides multiples of the block size.
            key: F_Ref-down (N, C, h, w).

        Returns:
            Rows and columns in Ref-down (N, H, W), and scores
            (N, 1, H, W).
        """
        drimm = self.network.dmm.drimm
        side = drimm.block_size
        count, _, height, width = query.shape
        h, w = (_scalar(length) for length in key.shape[-2:])
        rows, cols = height // side, width // side

        keys = _patches(key, 'constant')  # (N, h, w, 9C)
        energy = keys.square().sum(-1, keepdim=True)
        keys = keys / energy.clamp_min(EPS**2).sqrt()
        keys = keys.flatten(1, 2)
        queries = _patches(query, 'replicate')  # (N, H, W, 9C)
        blocks = queries.view(count, rows, side, cols, side, -1)
        center = blocks[:, :, side // 2, :, side // 2].flatten(1, 2)
        index = (center @ keys.transpose(1, 2)).argmax(-1)  # (N, K)

        dy = _diameter(h, rows, drimm.crop_ratio)
        dx = _diameter(w, cols, drimm.crop_ratio)
        # Of the candidates' centers: a window is one pixel larger.
        top = (index // w - dy // 2).clamp_min(1).minimum(h - dy - 1)
        left = (index % w - dx // 2).clamp_min(1).minimum(w - dx - 1)
        image = torch.arange(count, device=key.device)[:, None] * (h * w)
        corner = (image + top * w + left).view(-1, 1, 1)
        offset = _count_to(dy)[:, None] * w + _count_to(dx)
        table = keys.flatten(0, 1)
        window = table[corner + offset.to(key.device)].flatten(1, 2)
        blocks = blocks.transpose(2, 3).flatten(0, 2).flatten(1, 2)
        best, winner = (blocks @ window.transpose(1, 2)).max(-1)

        def merge(block: Tensor) -> Tensor:
            """Put blocks (N * K, side ** 2) together to (N, H, W)."""
            block = block.view(count, rows, cols, side, side)
            return block.transpose(2, 3).flatten(3, 4).flatten(1, 2)

        row = merge(top.view(-1, 1) + winner // dx)
        col = merge(left.view(-1, 1) + winner % dx)
        energy = queries.square().sum(-1).clamp_min(EPS**2)
        return row, col, (merge(best) / energy.sqrt()).unsqueeze(1)

    def transfer(
        self,
        feats: tuple[Tensor, ...],
        row: Tensor,
        col: Tensor,
        score: Tensor,
    ) -> list[Tensor]:
        """Copy the matched features to the grid of LR and weight them (Eq. 8).

        Args:
            feats: Ref features at x1, x2, x4 of Ref-down.
            row: Rows of the matches (N, H, W).
            col: Columns of the matches (N, H, W).
            score: Scores (N, 1, H, W).

        Returns:
            Features at x1, x2, x4 of LR.
        """
        count, height, width = row.shape
        side = self.network.dmm.drimm.block_size
        parts = _neighbors(row, col, side)
        total = sum(inside for *_, inside in parts)
        image = torch.arange(count, device=row.device).view(-1, 1, 1, 1)
        warped = []
        for scale, feat in zip((1, 2, 4), feats, strict=True):
            channels = feat.shape[1]
            table_width = feat.shape[3] // scale
            table = feat.permute(0, 2, 3, 1).reshape(-1, scale * channels)
            line = torch.arange(scale, device=row.device)[:, None]
            taken_parts = []
            for rows, cols, inside in parts:
                y = (rows * scale)[:, :, None] + line
                index = (image * feat.shape[2] + y) * table_width
                taken = table[index + cols[:, :, None]]
                taken_parts.append(taken * (inside / total)[:, None, :, None])
            out = sum(taken_parts[1:], taken_parts[0])
            out = out.view(count, height * scale, width * scale, channels)
            out = out.permute(0, 3, 1, 2)
            warped.append(out * self.finer_score(score, scale))
        return warped

    def finer_score(self, score: Tensor, scale: int) -> Tensor:
        """Enlarge the score map inside each block, the up-arrow of Eq. 8."""
        if scale == 1:
            return score
        side = self.network.dmm.drimm.block_size
        count, _, height, width = score.shape
        rows, cols = height // side, width // side
        blocks = score.view(count, rows, side, cols, side).transpose(2, 3)
        blocks = self.enlarge_score[str(scale)](
            blocks.reshape(-1, 1, side, side)
        )
        blocks = F.pixel_shuffle(blocks, scale)
        fine = side * scale
        blocks = blocks.view(count, rows, cols, fine, fine).transpose(2, 3)
        return blocks.reshape(count, 1, height * scale, width * scale)


def _scalar(value: int | Tensor) -> Tensor:
    """Return a size as a tensor, which it is only during tracing."""
    return torch.as_tensor(value)


def _count_to(count: Tensor) -> Tensor:
    """Return 0, 1, ..., with the length given by a tensor."""
    # Its type hints allow only numbers.
    return torch.arange(cast(int, count))


def _patches(feat: Tensor, mode: str) -> Tensor:
    """Concatenate the 3x3 patch around each pixel (N, H, W, 9C)."""
    height, width = feat.shape[-2:]
    padded = F.pad(feat, (1,) * 4, mode=mode)
    taps = [
        padded[..., y : y + height, x : x + width]
        for y in range(3)
        for x in range(3)
    ]
    return torch.cat(taps, 1).permute(0, 2, 3, 1)


def _diameter(side: Tensor, blocks: int | Tensor, crop_ratio: float) -> Tensor:
    """Return the candidates along one axis, as in ``crop_diameter``."""
    half = side // (2 * _scalar(blocks)) * crop_ratio
    wanted = 2 * half.long() + 1
    return wanted.minimum(side - 3 + side % 2).clamp_min(1)


def _neighbors(
    row: Tensor, col: Tensor, side: int
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return where the nine patches that cover a pixel take it from.

    Args:
        row: Rows of the matches (N, H, W).
        col: Columns of the matches (N, H, W).
        side: Side of a block; patches of other blocks do not count.

    Returns:
        For each patch rows and columns (N, H, W), and 1 where it counts
        (H, W).
    """
    height, width = row.shape[-2:]
    y = torch.arange(height, device=row.device)[:, None] % side
    x = torch.arange(width, device=row.device) % side
    parts = []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            ok = (y + dy >= 0) & (y + dy < side)
            ok = ok & (x + dx >= 0) & (x + dx < side)
            # The pixel's own match stands in so that the index stays valid.
            rows = torch.where(ok, row.roll((-dy, -dx), (1, 2)) - dy, row)
            cols = torch.where(ok, col.roll((-dy, -dx), (1, 2)) - dx, col)
            parts.append((rows, cols, ok.float()))
    return parts
