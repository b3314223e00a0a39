"""YOLOv5's mathematics against the description, box by box."""

import math

import pytest
import torch
from torch.nn import functional as F

from mmdsr.models.downstream.yolov5_functional import (
    complete_iou,
    decode_boxes,
    level_losses,
    match_anchors,
)

ANCHORS = torch.tensor([[10.0, 13.0], [16.0, 30.0], [33.0, 23.0]])


def logit(share):
    return math.log(share / (1 - share))


def random_boxes(count, side, generator):
    """Boxes of all sizes whose centers lie in the image."""
    centers = torch.rand(count, 2, generator=generator) * side
    sides = 2 ** (torch.rand(count, 2, generator=generator) * 6 + 1)
    return torch.cat([centers - sides / 2, centers + sides / 2], dim=1)


def slow_matches(boxes, anchors, stride, size, ratio):
    """The matching rule, in plain loops over boxes and anchors."""
    rows, columns = size
    found = set()
    for g, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        width, height = x2 - x1, y2 - y1
        x, y = (x1 + x2) / 2 / stride, (y1 + y2) / 2 / stride
        for a, (aw, ah) in enumerate(anchors.tolist()):
            worst = max(width / aw, aw / width, height / ah, ah / height)
            if worst >= ratio:
                continue
            cells = [(math.floor(x), math.floor(y))]
            if x % 1 < 0.5 and x > 1:
                cells.append((math.floor(x) - 1, math.floor(y)))
            if y % 1 < 0.5 and y > 1:
                cells.append((math.floor(x), math.floor(y) - 1))
            if (columns - x) % 1 < 0.5 and columns - x > 1:
                cells.append((math.floor(x) + 1, math.floor(y)))
            if (rows - y) % 1 < 0.5 and rows - y > 1:
                cells.append((math.floor(x), math.floor(y) + 1))
            for column, row in cells:
                column = min(max(column, 0), columns - 1)
                row = min(max(row, 0), rows - 1)
                found.add((g, a, row, column))
    return found


@pytest.mark.parametrize('size', [(8, 8), (5, 11), (1, 1)])
def test_matches_are_those_of_the_loop(size):
    stride = 8
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(60, 8 * min(size), generator)
    found = list(
        zip(
            *[
                part.tolist()
                for part in match_anchors(boxes, ANCHORS, 8, size)
            ],
            strict=True,
        )
    )
    wanted = slow_matches(boxes, ANCHORS, stride, size, 4.0)
    assert set(found) == wanted
    assert len(found) == len(wanted)
    # A case in which nothing matches would prove nothing.
    assert len(wanted) > 60


def test_cells_of_one_box():
    """Center (20, 44) is cell (2.5, 5.5): on the line of both halves."""
    anchors = torch.tensor([[16.0, 16.0]])

    def cells(x, y):
        box = torch.tensor([[x - 8.0, y - 8, x + 8, y + 8]])
        _, _, row, column = match_anchors(box, anchors, 8, (8, 8))
        return set(zip(column.tolist(), row.tolist(), strict=True))

    assert cells(18, 46) == {(2, 5), (1, 5), (2, 6)}
    assert cells(20, 44) == {(2, 5)}
    # In the corner there are no neighbors.
    assert cells(2, 2) == {(0, 0)}
    assert cells(63, 63) == {(7, 7)}
    # On the far border the own cell is the last one.
    assert cells(64, 30) == {(7, 3), (7, 4)}


def test_ratio_is_exclusive():
    box = torch.tensor([[0.0, 0.0, 40.0, 13.0]])
    anchor = torch.tensor([[10.0, 13.0]])
    assert not len(match_anchors(box, anchor, 8, (8, 8))[0])
    assert len(match_anchors(box - 0.01, anchor * 1.001, 8, (8, 8))[0])


def test_decoding_by_hand():
    raw = torch.tensor(
        [[0.0, 0.0, 0.0, 0.0], [logit(0.75), logit(0.25), logit(0.25), 0.0]]
    )
    cells = torch.tensor([[3, 1], [0, 2]])
    boxes = decode_boxes(raw, cells, torch.tensor([10.0, 13.0]), 8)
    # x = (1 - 0.5 + 3) * 8 = 28, y = 12; x = (1.5 - 0.5) * 8 = 8, y = 16,
    # w = 0.5^2 * 10 = 2.5
    wanted = torch.tensor([[23.0, 5.5, 33.0, 18.5], [6.75, 9.5, 9.25, 22.5]])
    torch.testing.assert_close(boxes, wanted)


def test_decoding_reaches_all_matched_targets():
    """Centers up to half a cell away, sides up to four times the anchor."""
    far = 60.0
    raw = torch.tensor([[-far, far, far, -far]])
    box = decode_boxes(raw, torch.tensor([[2, 2]]), ANCHORS[:1], 8)
    center, sides = (box[0, :2] + box[0, 2:]) / 2, box[0, 2:] - box[0, :2]
    assert center.tolist() == [12.0, 28.0]
    assert sides.tolist() == [40.0, 0.0]


def test_complete_iou_by_hand():
    box = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    target = torch.tensor([[2.0, 0.0, 6.0, 2.0]])
    # Overlap 2x2 = 4 of 16 + 8 - 4 = 20. Centers (2, 2) and (4, 1), around
    # both 6x4. arctan(4 / 2) - arctan(1).
    iou, distance = 4 / 20, 5 / 52
    shape = 4 / math.pi**2 * (math.atan(2) - math.atan(1)) ** 2
    wanted = iou - distance - shape / (1 - iou + shape) * shape
    assert complete_iou(box, target).item() == pytest.approx(wanted, abs=1e-6)
    assert complete_iou(box, box).item() == pytest.approx(1, abs=1e-6)
    apart = complete_iou(box, box + 100)
    assert -1 < apart.item() < -0.9


def test_complete_iou_takes_alpha_as_constant():
    box = torch.tensor([[0.0, 0.0, 5.0, 3.0]], dtype=torch.double)
    target = torch.tensor([[1.0, 0.0, 4.0, 6.0]], dtype=torch.double)
    box.requires_grad_()
    complete_iou(box, target).backward()

    free = box.detach().clone().requires_grad_()
    iou = 9 / (15 + 18 - 9)
    shape = 4 / math.pi**2 * (math.atan(0.5) - math.atan(5 / 3)) ** 2
    alpha = shape / (1 - iou + shape)
    sides = free[0, 2:] - free[0, :2]
    overlap = (4 - 1) * (free[0, 3] - 0)
    union = sides.prod() + 18 - overlap
    apart = (free[0, :2] + free[0, 2:] - torch.tensor([5.0, 6.0])) / 2
    around = (free[0, 2] - free[0, 0]) ** 2 + (6 - free[0, 1]) ** 2
    v = (
        4
        / math.pi**2
        * (math.atan(0.5) - torch.atan(sides[0] / sides[1])) ** 2
    )
    (overlap / union - apart.square().sum() / around - alpha * v).backward()
    # At (0, 0) the top sides coincide: their gradient is not unique.
    torch.testing.assert_close(
        box.grad[0, [0, 2, 3]], free.grad[0, [0, 2, 3]], atol=1e-6, rtol=1e-5
    )


def test_complete_iou_has_finite_gradients():
    flat = torch.tensor([[3.0, 3.0, 3.0, 3.0]], requires_grad=True)
    complete_iou(flat, torch.tensor([[0.0, 0.0, 4.0, 4.0]])).sum().backward()
    assert flat.grad.isfinite().all()


def slow_losses(raw, boxes, labels, images, stride):
    """All three terms in loops over the positives."""
    size = raw.shape[2:4]
    target = torch.zeros(raw.shape[:4])
    box_terms, class_terms = [], []
    for g, a, row, column in sorted(
        slow_matches(boxes, ANCHORS, stride, size, 4.0)
    ):
        at = (images[g], a, row, column)
        decoded = decode_boxes(
            raw[at][:4], torch.tensor([column, row]), ANCHORS[a], stride
        )
        iou = complete_iou(decoded[None], boxes[g][None])[0].item()
        box_terms.append(1 - iou)
        target[at] = max(target[at].item(), iou)
        for index, value in enumerate(raw[at][5:].tolist()):
            share = 1 / (1 + math.exp(-value))
            wanted = index == labels[g]
            class_terms.append(-math.log(share if wanted else 1 - share))
    share = raw[..., 4].sigmoid()
    objectness = -(target * share.log() + (1 - target) * (1 - share).log())
    return (
        sum(box_terms) / len(box_terms),
        objectness.mean().item(),
        sum(class_terms) / len(class_terms),
    )


def test_losses_are_those_of_the_loop():
    generator = torch.Generator().manual_seed(1)
    # As the head makes it: a view in another order than the memory.
    raw = torch.randn(2, 3, 8, 6, 9, generator=generator)
    raw = raw.permute(0, 1, 3, 4, 2)
    boxes = random_boxes(12, 48, generator)
    labels = torch.randint(3, (12,), generator=generator)
    images = torch.randint(2, (12,), generator=generator)
    found = level_losses(raw, boxes, labels, images, ANCHORS, 8)
    wanted = slow_losses(raw, boxes, labels, images, 8)
    assert [term.item() for term in found] == pytest.approx(wanted, rel=1e-5)


def test_objectness_target_is_a_constant():
    """Only the objectness channel learns from the objectness term."""
    raw = torch.zeros(1, 3, 4, 4, 8, requires_grad=True)
    box = torch.tensor([[8.0, 8.0, 20.0, 20.0]])
    zero = torch.zeros(1, dtype=torch.int64)
    level_losses(raw, box, zero, zero, ANCHORS, 8)[1].backward()
    assert raw.grad[..., 4].abs().min() > 0
    assert not raw.grad[..., :4].any()
    assert not raw.grad[..., 5:].any()


def test_one_class_needs_no_class_term():
    raw = torch.randn(1, 3, 4, 4, 6, requires_grad=True)
    box = torch.tensor([[8.0, 8.0, 20.0, 20.0]])
    zero = torch.zeros(1, dtype=torch.int64)
    loss_box, _, loss_class = level_losses(raw, box, zero, zero, ANCHORS, 8)
    assert loss_box > 0
    assert loss_class == 0


def test_without_boxes():
    raw = torch.randn(2, 3, 4, 4, 8, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    loss_box, objectness, loss_class = level_losses(
        raw, torch.zeros(0, 4), none, none, ANCHORS, 8
    )
    assert loss_box == 0
    assert loss_class == 0
    wanted = F.softplus(raw[..., 4]).mean()
    torch.testing.assert_close(objectness, wanted)
    (loss_box + loss_class).backward()
    assert raw.grad is not None
    assert not raw.grad.any()
