"""The mathematics of YOLOv5: decoding, matching and loss terms.

Written from a description of the method, on tensors only. Boxes are in
pixels of the network's input. A *cell* ``(column, row)`` is a position of a
prediction map, whose side is ``stride`` pixels.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_EPS = 1e-7


def decode_boxes(
    raw: Tensor, cells: Tensor, anchors: Tensor, stride: int
) -> Tensor:
    """Turn raw predictions into boxes.

    ``x = (2 s(x) - 0.5 + column) stride`` and ``w = (2 s(w))^2 w_anchor``
    with the sigmoid ``s``: a center reaches half a cell beyond its own cell,
    and a side four times that of its anchor.

    Args:
        raw: ``(..., 4)``, raw x, y, w, h.
        cells: ``(..., 2)``, column and row.
        anchors: ``(..., 2)``, width and height in pixels.
        stride: Pixels per cell.

    Returns:
        ``(..., 4)`` corners x1, y1, x2, y2 in pixels, float32.
    """
    share = raw.float().sigmoid()
    centers = (2 * share[..., :2] - 0.5 + cells) * stride
    half = (2 * share[..., 2:]) ** 2 * anchors / 2
    return torch.cat([centers - half, centers + half], dim=-1)


def match_anchors(
    boxes: Tensor,
    anchors: Tensor,
    stride: int,
    size: Sequence[int],
    ratio: float = 4.0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find the predictions that are responsible for each box on one level.

    An anchor suits a box if neither side differs by a factor of ``ratio`` or
    more. Then the cell with the center of the box is responsible, as well as
    the nearer of its left and right neighbors and the nearer of its upper and
    lower ones, if they are in the map.

    Args:
        boxes: ``(G, 4)`` corners in pixels, with positive sides.
        anchors: ``(A, 2)`` widths and heights in pixels.
        stride: Pixels per cell.
        size: Rows and columns of the map.
        ratio: Greatest ratio of sides, exclusive.

    Returns:
        Four int64 tensors of equal length: index of the box, index of the
        anchor, row, column.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    ratios = sides[:, None] / anchors[None]
    suits = torch.maximum(ratios, 1 / ratios).amax(dim=2) < ratio
    box_index, anchor_index = suits.nonzero(as_tuple=True)

    limits = boxes.new_tensor([size[1], size[0]])
    centers = ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride)[box_index]
    beyond = limits - centers
    # (K, 2): is the neighbor before (left, above) or after in reach?
    before = (centers % 1 < 0.5) & (centers > 1)
    after = (beyond % 1 < 0.5) & (beyond > 1)
    own = torch.ones_like(before[:, 0])
    chosen = torch.stack(
        [own, before[:, 0], before[:, 1], after[:, 0], after[:, 1]], dim=1
    )
    steps = centers.new_tensor([[0, 0], [-1, 0], [0, -1], [1, 0], [0, 1]])
    cells = centers.floor()[:, None] + steps
    match, which = chosen.nonzero(as_tuple=True)
    # A center on the far border lies in the last cell.
    cells = torch.minimum(cells[match, which].clamp(min=0), limits - 1).long()
    return box_index[match], anchor_index[match], cells[:, 1], cells[:, 0]


def complete_iou(boxes: Tensor, targets: Tensor) -> Tensor:
    """Compute the complete IoU of pairs of boxes.

    ``CIoU = IoU - rho^2 / c^2 - alpha v``: ``rho`` is the distance of the
    centers, ``c`` the diagonal of the smallest box around both, ``v = 4 /
    pi^2 (arctan(w_t / h_t) - arctan(w / h))^2``, and ``alpha = v / (1 - IoU
    + v)`` is taken as a constant.

    Args:
        boxes: ``(K, 4)`` corners.
        targets: ``(K, 4)`` corners.

    Returns:
        CIoU ``(K,)`` in (-2, 1].
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    target_sides = targets[:, 2:] - targets[:, :2]
    common = torch.minimum(boxes[:, 2:], targets[:, 2:]) - torch.maximum(
        boxes[:, :2], targets[:, :2]
    )
    overlap = common.clamp(min=0).prod(dim=1)
    union = sides.prod(dim=1) + target_sides.prod(dim=1) - overlap
    iou = overlap / (union + _EPS)

    around = torch.maximum(boxes[:, 2:], targets[:, 2:]) - torch.minimum(
        boxes[:, :2], targets[:, :2]
    )
    diagonal = around.square().sum(dim=1) + _EPS
    apart = (boxes[:, :2] + boxes[:, 2:] - targets[:, :2] - targets[:, 2:]) / 2
    distance = apart.square().sum(dim=1) / diagonal

    # The arc tangent of a box without extent has no gradient.
    angles = torch.atan2(*sides.clamp(min=_EPS).unbind(dim=1))
    target_angles = torch.atan2(*target_sides.unbind(dim=1))
    shape = 4 / math.pi**2 * (target_angles - angles).square()
    with torch.no_grad():
        alpha = shape / (1 - iou + shape + _EPS)
    return iou - distance - alpha * shape


def level_losses(
    raw: Tensor,
    boxes: Tensor,
    labels: Tensor,
    images: Tensor,
    anchors: Tensor,
    stride: int,
    ratio: float = 4.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the three loss terms of one level, without their weights.

    Args:
        raw: ``(N, A, H, W, 5 + C)``; raw x, y, w, h, objectness and classes.
        boxes: ``(G, 4)`` corners in pixels, of all images.
        labels: ``(G,)`` int64 classes.
        images: ``(G,)`` int64 index of the image of each box.
        anchors: ``(A, 2)`` in pixels.
        stride: Pixels per cell.
        ratio: See :func:`match_anchors`.

    Returns:
        Three scalars. Box: mean of ``1 - CIoU`` over the positives.
        Objectness: mean binary cross entropy over all predictions, with the
        CIoU of the positives as target. Class: mean binary cross entropy over
        the positives and classes, 0 if there is only one class. All are
        differentiable even without any box.
    """
    raw = raw.float()
    box, anchor, row, column = match_anchors(
        boxes, anchors, stride, raw.shape[2:4], ratio
    )
    place = (images[box], anchor, row, column)
    objectness = raw.new_zeros(raw.shape[:4])
    # This keeps the graph if there is nothing to compare.
    loss_box = loss_class = raw[..., :4].sum() * 0 + raw[..., 5:].sum() * 0
    if len(box):
        positive = raw[place]
        cells = torch.stack([column, row], dim=1)
        decoded = decode_boxes(positive[:, :4], cells, anchors[anchor], stride)
        iou = complete_iou(decoded, boxes[box])
        loss_box = loss_box + (1 - iou).mean()
        # If boxes share a prediction, the better one is its target: the
        # order in which they are written would be undefined.
        flat = _flat_index(place, objectness.shape)
        objectness.view(-1).scatter_reduce_(
            0, flat, iou.detach().clamp(min=0), 'amax'
        )
        classes = positive[:, 5:]
        if classes.shape[1] > 1:
            wanted = F.one_hot(labels[box], classes.shape[1]).float()
            loss_class = loss_class + F.binary_cross_entropy_with_logits(
                classes, wanted
            )
    loss_objectness = F.binary_cross_entropy_with_logits(
        raw[..., 4], objectness
    )
    return loss_box, loss_objectness, loss_class


def _flat_index(place: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Turn indices of four axes into indices of the flattened tensor."""
    flat = place[0]
    for index, length in zip(place[1:], shape[1:], strict=True):
        flat = flat * length + index
    return flat
