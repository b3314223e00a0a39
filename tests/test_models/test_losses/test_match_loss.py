"""The loss of the match against loops written from its definition."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from mmdsr.models.losses import MatchLoss, match_loss
from mmdsr.models.losses.match_loss import place_cross_entropy
from mmdsr.models.networks.drimm import Matched
from mmdsr.registry import MODELS


def make(lr=(16, 24), ref=(20, 28), dilations=(1,), seed=0, block=8):
    """Features, a true flow and what of it holds, in double precision."""
    rng = np.random.default_rng(seed)
    features = [rng.normal(size=(2, 3, *size)) for size in (lr, ref)]
    matched = Matched(
        *(torch.from_numpy(part) for part in features), block, dilations, 1.5
    )
    # As much of LR as is not padded, some of it out of the window's reach.
    height, width = lr[0] - 3, lr[1] - 2
    flow = rng.normal(0, 3, (2, 2, height, width))
    y, x = np.mgrid[:height, :width]
    u, v = x + flow[:, 0], y + flow[:, 1]
    inside = (u > -0.5) & (u < ref[1] - 0.5) & (v > -0.5) & (v < ref[0] - 0.5)
    visible = inside & (rng.random(u.shape) < 0.8)
    return (
        matched,
        torch.from_numpy(flow),
        torch.from_numpy(visible[:, None].astype(float)),
    )


def patch(wide, y, x, step=1):
    """Patch (C, 3, 3) around a pixel, of features with 3 zeros around."""
    rows, cols = (
        slice(k + 3 - step, k + 4 + step, step) for k in (int(y), int(x))
    )
    return wide[:, rows, cols]


def cosine(p, q):
    return (p * q).sum() / np.sqrt((p * p).sum() * (q * q).sum())


def cross_entropy(logits, x, y):
    """-sum of the bilinear shares times the log of the softmax."""
    log_p = logits - np.log(np.exp(logits).sum())
    total = 0
    for j, i in np.ndindex(*logits.shape):
        share = max(0, 1 - abs(y - j)) * max(0, 1 - abs(x - i))
        total -= share * log_p[j, i]
    return total


def slow_match_loss(matched, flow, visible, temperature):
    block = matched.block_size
    coarse, fine = [], []
    for n in range(len(flow)):
        lr = matched.lr_feat[n].numpy()
        ref = matched.ref_down_feat[n].numpy()
        seen, move = visible[n, 0].numpy(), flow[n].numpy()
        h, w = ref.shape[1:]
        rows, cols = (side // block for side in lr.shape[1:])
        # Diameters of the candidates, as of the released code.
        dy = 2 * int(h // (2 * rows) * 1.5) + 1
        dx = 2 * int(w // (2 * cols) * 1.5) + 1
        edged = np.pad(lr, ((0, 0), (1, 1), (1, 1)), mode='edge')
        zeros = ((0, 0), (3, 3), (3, 3))
        lr, ref = np.pad(lr, zeros), np.pad(ref, zeros)

        def truth(y, x, seen=seen, move=move):
            if y >= seen.shape[0] or x >= seen.shape[1] or not seen[y, x]:
                return None
            return y + move[1, y, x], x + move[0, y, x]

        for row, col in np.ndindex(rows, cols):
            cy, cx = (k * block + block // 2 for k in (row, col))
            scores = np.zeros((h, w))
            for j, i in np.ndindex(h, w):
                for step in matched.dilations:
                    scores[j, i] += cosine(
                        patch(lr, cy, cx, step), patch(ref, j, i, step)
                    ) / len(matched.dilations)
            place = truth(cy, cx)
            at = np.unravel_index(scores.argmax(), scores.shape)
            if place is not None:
                v, u = (
                    min(max(p, 0), side - 1)
                    for p, side in zip(place, (h, w), strict=True)
                )
                coarse.append(cross_entropy(scores / temperature, u, v))
                at = round(v), round(u)
            first = [
                min(max(center - d // 2, 1), side - 1 - d)
                for center, d, side in zip(at, (dy, dx), (h, w), strict=True)
            ]
            for y, x in np.ndindex(block, block):
                y, x = row * block + y, col * block + x
                place = truth(y, x)
                if place is None:
                    continue
                v, u = place[0] - first[0], place[1] - first[1]
                if not (0 <= v <= dy - 1 and 0 <= u <= dx - 1):
                    continue
                p = edged[:, y : y + 3, x : x + 3]
                logits = np.zeros((dy, dx))
                for j, i in np.ndindex(dy, dx):
                    q = patch(ref, first[0] + j, first[1] + i)
                    logits[j, i] = cosine(p, q) / temperature
                fine.append(cross_entropy(logits, u, v))
    return np.mean(coarse), np.mean(fine), len(coarse), len(fine)


@pytest.mark.parametrize('dilations', [(1,), (1, 2, 3)])
def test_match_loss_is_its_definition(dilations):
    case = make(dilations=dilations)
    *expected, centers, pixels = slow_match_loss(*case, 0.3)
    # Neither all nor none of what there is.
    assert 4 < centers < 12
    assert 100 < pixels < case[2].sum()
    found = match_loss(*case, 0.3)
    np.testing.assert_allclose([term.item() for term in found], expected)
    loss = MatchLoss(loss_weight=0.2, temperature=0.3)
    torch.testing.assert_close(
        loss(*case).item(), 0.2 * sum(expected), atol=1e-5, rtol=1e-5
    )


def test_gradient():
    matched, flow, visible = make((8, 8), (11, 12), block=4)

    def loss(lr_feat, ref_feat):
        compared = matched._replace(lr_feat=lr_feat, ref_down_feat=ref_feat)
        return match_loss(compared, flow, visible, 0.3)

    inputs = [part.requires_grad_() for part in matched[:2]]
    # Along random directions, not along each of a thousand axes.
    assert gradcheck(loss, inputs, fast_mode=True)


def test_black_patches_and_nothing_visible():
    matched, flow, visible = make()
    inputs = [part.clone() for part in matched[:2]]
    for part in inputs:
        part[:, :, :12, :12] = 0
        part.requires_grad_()
    matched = Matched(*inputs, *matched[2:])
    for shown in (visible, torch.zeros_like(visible)):
        loss = sum(match_loss(matched, flow, shown))
        loss.backward()
        assert (loss > 0) == shown.any()
        assert all(part.grad.isfinite().all() for part in inputs)


def test_place_cross_entropy_outside():
    logit = torch.randn(5, 4, 6)
    x, y = torch.full((5,), -2.0), torch.full((5,), 9.0)
    expected = -logit.flatten(1).log_softmax(1)[:, 3 * 6]
    torch.testing.assert_close(place_cross_entropy(logit, x, y), expected)


def test_the_match_is_learned():
    """Features that see nothing of the truth find it after some steps."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, 40, 40)
    lr, ref = image[..., 5:37, 6:38], image
    flow = torch.tensor([6.0, 5.0]).view(1, 2, 1, 1).expand(1, 2, 32, 32)
    visible = torch.ones(1, 1, 32, 32)
    # The lamp moved: the reference is dark on one side.
    light = torch.linspace(0.05, 1, 40)
    ref = ref * light + torch.randn(1, 3, 40, 40) * 0.05
    net = torch.nn.Conv2d(3, 8, 3, padding=1)
    drimm = MODELS.build(dict(type='mmdsr.DRIMM'))
    optim = torch.optim.Adam(net.parameters(), lr=0.02)
    loss = MatchLoss(1.0)

    def right():
        with torch.no_grad():
            match = drimm(net(lr), net(ref), [net(ref)])
        error = (match.flow - flow).abs().amax(1)
        return (error[..., 2:-2, 2:-2] < 0.5).float().mean().item()

    before = right()
    values = []
    for _ in range(30):
        matched = drimm(net(lr), net(ref), [net(ref)]).matched
        values.append(loss(matched, flow, visible))
        optim.zero_grad()
        values[-1].backward()
        optim.step()
    assert values[-1] < 0.7 * values[0]
    assert right() > before + 0.1


def test_refuses():
    with pytest.raises(ValueError, match='temperature'):
        MatchLoss(temperature=0)
