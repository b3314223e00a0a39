"""Matching against slow loops written from Eq. 5 to 8 of the paper."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from mmdsr.models.networks import matching
from mmdsr.models.networks.drimm import DRIMM
from mmdsr.models.networks.transfer import transfer, upsample_score


def features(n, c, h, w, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, c, h, w, generator=generator, dtype=dtype)


def cosine(p, q):
    return (p * q).sum() / (np.linalg.norm(p) * np.linalg.norm(q))


def patch(array, y, x, step=1):
    """3x3 patch (C, 3, 3) of a (C, H, W) array around a pixel."""
    return array[:, y - step : y + step + 1 : step, :][
        :, :, x - step : x + step + 1 : step
    ]


def slow_coarse(lr, ref, block, dilations):
    """Eq. 5: the center patch of each block against all of Ref-down."""
    _, height, width = lr.shape
    _, h, w = ref.shape
    best = []
    for top in range(0, height, block):
        for left in range(0, width, block):
            y, x = top + block // 2, left + block // 2
            scores = np.zeros((h, w))
            for step in dilations:
                padded = np.pad(ref, ((0, 0), (step, step), (step, step)))
                p = patch(lr, y, x, step)
                for j in range(h):
                    for i in range(w):
                        q = patch(padded, j + step, i + step, step)
                        scores[j, i] += cosine(p, q)
            best.append((int(scores.argmax()), scores.max()))
    return best


def slow_fine(lr, ref, block, starts, diameter):
    """Eq. 6 and 7: each patch of a block against those of its window."""
    _, height, width = lr.shape
    dy, dx = diameter
    padded = np.pad(lr, ((0, 0), (1, 1), (1, 1)), mode='edge')
    match = np.zeros((height, width, 2), int)
    score = np.zeros((height, width))
    per_row = width // block
    for y in range(height):
        for x in range(width):
            top, left = starts[y // block * per_row + x // block]
            p = patch(padded, y + 1, x + 1)
            table = np.array(
                [
                    [
                        cosine(p, patch(ref, top + 1 + j, left + 1 + i))
                        for i in range(dx)
                    ]
                    for j in range(dy)
                ]
            )
            j, i = np.unravel_index(table.argmax(), table.shape)
            match[y, x] = top + 1 + j, left + 1 + i
            score[y, x] = table[j, i]
    return match, score


def slow_transfer(ref_feat, match, block, scale):
    """Put 3s x 3s patches on the grid and average where they overlap."""
    c = ref_feat.shape[0]
    height, width = match.shape[:2]
    out = np.zeros((c, height * scale, width * scale))
    for top in range(0, height, block):
        for left in range(0, width, block):
            # A canvas with a margin of one LR pixel around the block.
            side = (block + 2) * scale
            total, count = np.zeros((c, side, side)), np.zeros((side, side))
            for y in range(block):
                for x in range(block):
                    j, i = match[top + y, left + x]
                    ys, xs = (j - 1) * scale, (i - 1) * scale
                    piece = ref_feat[
                        :, ys : ys + 3 * scale, xs : xs + 3 * scale
                    ]
                    rows = slice(y * scale, (y + 3) * scale)
                    cols = slice(x * scale, (x + 3) * scale)
                    total[:, rows, cols] += piece
                    count[rows, cols] += 1
            inner = slice(scale, side - scale)
            merged = total[:, inner, inner] / count[inner, inner]
            out[
                :,
                top * scale : (top + block) * scale,
                left * scale : (left + block) * scale,
            ] = merged
    return out


def test_block_grid_covers_the_map():
    assert matching.block_grid(48, 64, 16) == (3, 4, 16, 16)
    # Blocks may be larger than asked for, as long as they are equal.
    assert matching.block_grid(34, 20, 16) == (2, 1, 17, 20)
    assert matching.block_grid(64, 85, 16) == (4, 5, 16, 17)


@pytest.mark.parametrize(
    'size',
    [
        (15, 64),  # smaller than a block
        (88, 64),  # 5 blocks of 17 rows are 85 rows, not 88
        (64, 88),
    ],
)
def test_block_grid_refuses_uneven_maps(size):
    with pytest.raises(ValueError, match='pad it to multiples of 16'):
        matching.block_grid(*size, 16)


@pytest.mark.parametrize(
    ('ref', 'grid', 'expected'),
    [
        ((80, 112), (5, 7, 16, 16), (25, 25)),
        ((128, 128), (16, 16, 8, 8), (13, 13)),
        # One block as large as Ref-down: the window must still fit.
        ((16, 17), (1, 1, 16, 16), (13, 15)),
    ],
)
def test_crop_diameter(ref, grid, expected):
    grid = matching.BlockGrid(*grid)
    assert matching.crop_diameter(ref, grid, 1.5) == expected


@pytest.mark.parametrize('dilations', [(1,), (1, 2, 3)])
def test_coarse_match_is_eq_5(dilations):
    lr, ref = features(2, 3, 16, 24, 0), features(2, 3, 13, 18, 1)
    grid = matching.block_grid(16, 24, 8)
    index, score = matching.coarse_match(lr, ref, grid, dilations)
    for sample in range(2):
        slow = slow_coarse(
            lr[sample].numpy(), ref[sample].numpy(), 8, dilations
        )
        assert index[sample].tolist() == [i for i, _ in slow]
        np.testing.assert_allclose(
            score[sample].numpy(), [s for _, s in slow], atol=1e-10
        )


def test_windows_are_shifted_not_cut():
    index = torch.tensor([[0, 9, 50, 99]])  # corners of 10x10 and (5, 0)
    top, left = matching.window_start(index, (10, 10), (3, 5))
    assert top.tolist() == [[0, 0, 3, 5]]
    assert left.tolist() == [[0, 3, 0, 3]]


@pytest.mark.parametrize('max_elements', [1, 2**22])
def test_fine_match_and_score_are_eq_6_and_7(max_elements):
    lr, ref = features(2, 3, 8, 16, 2), features(2, 3, 12, 15, 3)
    grid = matching.block_grid(8, 16, 8)
    diameter = (5, 7)
    top = torch.tensor([[0, 4], [2, 5]])
    left = torch.tensor([[6, 0], [3, 1]])
    row, col = matching.fine_match(
        lr, ref, grid, top, left, diameter, max_elements
    )
    score = matching.match_score(lr, ref, row, col)
    for sample in range(2):
        starts = list(
            zip(top[sample].tolist(), left[sample].tolist(), strict=True)
        )
        match, slow = slow_fine(
            lr[sample].numpy(), ref[sample].numpy(), 8, starts, diameter
        )
        assert np.array_equal(row[sample].numpy(), match[..., 0])
        assert np.array_equal(col[sample].numpy(), match[..., 1])
        np.testing.assert_allclose(score[sample, 0].numpy(), slow, atol=1e-10)


def test_transfer_merges_overlapping_patches():
    generator = np.random.default_rng(4)
    h, w = 9, 11
    match = np.stack(
        [
            generator.integers(1, h - 1, (2, 8, 16)),
            generator.integers(1, w - 1, (2, 8, 16)),
        ],
        axis=-1,
    )
    refs = [features(2, 3, h * s, w * s, s) for s in (1, 2, 4)]
    grid = matching.block_grid(8, 16, 8)
    row, col = torch.from_numpy(match).unbind(-1)
    warped = transfer(refs, row, col, grid)
    for scale, ref, fast in zip((1, 2, 4), refs, warped, strict=True):
        for sample in range(2):
            slow = slow_transfer(ref[sample].numpy(), match[sample], 8, scale)
            np.testing.assert_allclose(fast[sample].numpy(), slow, atol=1e-12)


def test_transfer_of_the_identity_map_copies_the_reference():
    refs = [features(1, 2, 10 * s, 10 * s, s) for s in (1, 2, 4)]
    rows, cols = torch.meshgrid(
        torch.arange(1, 9), torch.arange(1, 9), indexing='ij'
    )
    grid = matching.block_grid(8, 8, 8)
    warped = transfer(refs, rows[None], cols[None], grid)
    for scale, ref, out in zip((1, 2, 4), refs, warped, strict=True):
        torch.testing.assert_close(
            out, ref[:, :, scale : 9 * scale, scale : 9 * scale]
        )


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
def test_score_is_enlarged_inside_its_block(mode):
    score = torch.rand(2, 1, 8, 12, dtype=torch.float64)
    grid = matching.block_grid(8, 12, 4)
    out = upsample_score(score, grid, 2, mode)
    assert out.shape == (2, 1, 16, 24)
    for y in range(2):
        for x in range(3):
            block = score[:, :, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            torch.testing.assert_close(
                out[:, :, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8],
                F.interpolate(block, scale_factor=2, mode=mode),
            )
    assert upsample_score(score, grid, 1, mode) is score


def test_gradients_of_score_and_transfer():
    lr = features(1, 2, 4, 4, 5).requires_grad_()
    ref = features(1, 2, 6, 6, 6).requires_grad_()
    row = torch.tensor([[[1, 2, 3, 4]] * 4])
    assert gradcheck(
        lambda a, b: matching.match_score(a, b, row, row.mT), (lr, ref)
    )
    grid = matching.block_grid(4, 4, 4)
    ref_x2 = features(1, 2, 12, 12, 7).requires_grad_()
    assert gradcheck(
        lambda a, b: tuple(transfer([a, b], row, row.mT, grid)),
        (ref, ref_x2),
    )


def test_flat_features_give_finite_scores_and_gradients():
    lr = torch.zeros(1, 2, 16, 16, requires_grad=True)
    ref = torch.zeros(1, 2, 20, 20, requires_grad=True)
    row = torch.full((1, 16, 16), 3)
    score = matching.match_score(lr, ref, row, row)
    score.sum().backward()
    assert score.abs().max() == 0
    assert lr.grad.isfinite().all()
    assert ref.grad.isfinite().all()


def test_drimm_finds_a_known_displacement():
    """LR cut from Ref-down is found where it was cut, at all scales."""
    refs = [features(1, 8, 40 * s, 48 * s, s) for s in (1, 2, 4)]
    lr_feat = refs[0][:, :, 5:37, 7:39].clone()
    drimm = DRIMM(block_size=16)
    warped, score, *_ = drimm(lr_feat, refs[0], refs)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(
        score[inner], torch.ones_like(score[inner]), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        warped[0][:, :, 2:-2, 2:-2], lr_feat[:, :, 2:-2, 2:-2]
    )
    x4 = refs[2][:, :, 20:148, 28:156]
    # The score of the border pixels reaches two LR pixels inwards.
    torch.testing.assert_close(
        warped[2][:, :, 12:-12, 12:-12], x4[:, :, 12:-12, 12:-12]
    )


def test_drimm_treats_the_samples_of_a_batch_alone():
    lr = features(3, 4, 16, 32, 8)
    refs = [features(3, 4, 20 * s, 24 * s, 9 + s) for s in (1, 2, 4)]
    drimm = DRIMM(block_size=8, dilations=(1, 2))
    warped, score, *_ = drimm(lr, refs[0], refs)
    for k in range(3):
        alone, alone_score, *_ = drimm(
            lr[k : k + 1], refs[0][k : k + 1], [r[k : k + 1] for r in refs]
        )
        torch.testing.assert_close(score[k : k + 1], alone_score)
        for a, b in zip(warped, alone, strict=True):
            torch.testing.assert_close(a[k : k + 1], b)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(dilations=()), 'dilations'),
        (dict(block_size=8, dilations=(4,)), 'must not leave its block'),
        (dict(crop_ratio=0), 'crop_ratio'),
        (dict(score_mode='nearest'), "'bicubic' or 'bilinear'"),
    ],
)
def test_drimm_refuses_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        DRIMM(**options)
