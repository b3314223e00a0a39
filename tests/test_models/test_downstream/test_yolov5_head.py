"""YOLOv5s in mmdetection: size, layout, losses, predictions, learning."""

import math

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

pytest.importorskip('mmdet')

from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes, bbox_overlaps

from mmdsr.models.downstream.yolov5_functional import (
    level_losses,
)
from mmdsr.models.downstream.yolov5_head import YOLOv5Head

TEST = ConfigDict(
    score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100
)


def make_yolo(num_classes, width=0.5):
    channels = [int(full * width) for full in (256, 512, 1024)]
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(
            dict(
                type='SingleStageDetector',
                data_preprocessor=dict(
                    type='DetDataPreprocessor', mean=[0] * 3, std=[255] * 3
                ),
                backbone=dict(
                    type='CSPDarknet', deepen_factor=0.33, widen_factor=width
                ),
                neck=dict(type='mmdsr.YOLOv5PAFPN', in_channels=channels),
                bbox_head=dict(
                    type='mmdsr.YOLOv5Head',
                    num_classes=num_classes,
                    in_channels=channels,
                ),
                test_cfg=TEST,
            )
        )


def truth(boxes, labels):
    return InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
    )


def quiet(head, images=1, size=64):
    """Raw predictions without any object."""
    classes = head.num_classes
    raw = [
        torch.zeros(images, 3, size // t, size // t, 5 + classes)
        for t in head.strides
    ]
    for level in raw:
        level[..., 4:] = -12
    return raw


@pytest.mark.parametrize(
    ('num_classes', 'wanted'), [(80, 7_276_605), (3, 7_068_936)]
)
def test_parameters_of_the_published_network(num_classes, wanted):
    model = make_yolo(num_classes)
    assert sum(p.numel() for p in model.parameters()) == wanted
    # The anchors are constants of the config, not weights.
    assert not any('anchors' in key for key in model.state_dict())


def test_neck_keeps_the_channels():
    model = make_yolo(3, width=0.125)
    feats = model.backbone(torch.rand(1, 3, 64, 96))
    shapes = [feat.shape for feat in feats]
    assert [feat.shape for feat in model.neck(feats)] == shapes
    assert [shape[1] for shape in shapes] == [32, 64, 128]


def test_layout_of_the_outputs():
    """Channel ``a (5 + C) + c`` of a map is value c of anchor a."""
    head = YOLOv5Head(3, (4, 4, 4))
    feats = [torch.rand(2, 4, 64 // t, 96 // t) for t in head.strides]
    (raw,) = head(feats)
    for level, feat, conv in zip(raw, feats, head.convs, strict=True):
        rows, columns = feat.shape[2:]
        assert level.shape == (2, 3, rows, columns, 8)
        plain = conv(feat)
        torch.testing.assert_close(
            level[1, 2, rows - 1, 0, 5], plain[1, 2 * 8 + 5, rows - 1, 0]
        )


@pytest.mark.parametrize('num_classes', [1, 3, 80])
def test_biases(num_classes):
    """What is added to those of a plain convolution."""
    torch.manual_seed(0)
    head = YOLOv5Head(num_classes, (8, 8, 8))
    # mmdet initializes after construction; what it does must leave them.
    head.init_weights()
    torch.manual_seed(0)
    for conv, stride in zip(head.convs, (8, 16, 32), strict=True):
        plain = torch.nn.Conv2d(8, 3 * (5 + num_classes), 1)
        added = (conv.bias - plain.bias).view(3, -1)
        assert added[:, :4].abs().max() < 1e-6
        objectness = math.log(8 / (640 / stride) ** 2)
        classes = math.log(0.6 / (num_classes - 0.99999))
        torch.testing.assert_close(
            added[:, 4], torch.full((3,), objectness), atol=1e-5, rtol=0
        )
        torch.testing.assert_close(
            added[:, 5:],
            torch.full((3, num_classes), classes),
            atol=1e-5,
            rtol=0,
        )


def test_weights_of_the_losses():
    """Box 0.05, objectness (area / 640^2) x 4, 1, 0.4, class 0.5 C / 80."""
    head = YOLOv5Head(3, (4, 4, 4))
    torch.manual_seed(0)
    (raw,) = head([torch.randn(2, 4, 64 // t, 128 // t) for t in head.strides])
    first, second = (
        truth([[4, 4, 40, 30], [60, 10, 120, 60]], [2, 0]),
        truth([[30, 20, 50, 60]], [1]),
    )
    losses = head.loss_by_feat(raw, [first, second], [{}, {}])
    wanted = torch.zeros(3)
    for level, (stride, weight) in enumerate(
        zip((8, 16, 32), (4, 1, 0.4), strict=True)
    ):
        terms = level_losses(
            raw[level],
            torch.cat([first.bboxes, second.bboxes]),
            torch.cat([first.labels, second.labels]),
            torch.tensor([0, 0, 1]),
            head.anchors[level],
            stride,
        )
        wanted += torch.stack(terms) * torch.tensor([1, weight, 1])
    # Two images.
    wanted *= 2 * torch.tensor([0.05, 64 * 128 / 640**2, 0.5 * 3 / 80])
    torch.testing.assert_close(
        torch.stack([losses[f'loss_{k}'] for k in ('bbox', 'obj', 'cls')]),
        wanted,
    )


def test_truth_may_be_wrapped_or_degenerate():
    head = YOLOv5Head(3, (4, 4, 4))
    (raw,) = head([torch.randn(1, 4, 64 // t, 64 // t) for t in head.strides])
    plain = truth([[4, 4, 40, 30]], [2])
    wrapped = truth([[4, 4, 40, 30], [9, 9, 9, 20]], [2, 1])
    wrapped.bboxes = HorizontalBoxes(wrapped.bboxes)
    assert head.loss_by_feat(raw, [wrapped], [{}]) == head.loss_by_feat(
        raw, [plain], [{}]
    )


def test_batch_without_boxes_trains():
    model = make_yolo(3, width=0.125)
    model.train()
    sample = DetDataSample(gt_instances=truth([], []))
    losses = model.loss(torch.rand(2, 3, 64, 64), [sample, sample])
    assert losses['loss_bbox'] == 0
    assert losses['loss_cls'] == 0
    sum(losses.values()).backward()
    # No parameter is unused, which several processes would stumble over.
    assert all(p.grad is not None for p in model.parameters())
    assert model.bbox_head.convs[0].bias.grad.abs().max() > 0


def test_predictions_by_hand():
    head = YOLOv5Head(3, (4, 4, 4), test_cfg=TEST)
    raw = quiet(head, images=2)
    # Anchor (59, 119) of stride 16, cell (column 2, row 1): center (40, 24),
    # cut at the borders of the image, which was enlarged twofold.
    raw[1][1, 2, 1, 2] = torch.tensor([0, 0, 0, 0, 2, 1, -12, 3.0])
    metas = [
        dict(img_shape=(60, 64), scale_factor=(2.0, 2.0)) for _ in range(2)
    ]
    nothing, found = head.predict_by_feat(raw, metas, rescale=True)
    assert len(nothing) == 0
    # One box, two classes.
    assert found.labels.tolist() == [2, 0]
    share = torch.tensor([3.0, 1.0]).sigmoid() * torch.tensor(2.0).sigmoid()
    torch.testing.assert_close(found.scores, share)
    wanted = torch.tensor([40 - 29.5, 0, 64, 60]) / 2
    torch.testing.assert_close(found.bboxes, wanted.expand(2, 4))


def test_overlapping_boxes_are_suppressed_per_class():
    head = YOLOv5Head(2, (4, 4, 4), test_cfg=TEST)
    raw = quiet(head)
    raw[0][0, 2, 4, 4, 4:] = torch.tensor([3.0, 3.0, -12.0])
    raw[0][0, 2, 4, 5, 4:] = torch.tensor([2.0, 3.0, -12.0])  # IoU 0.61
    raw[0][0, 2, 5, 4, 4:] = torch.tensor([2.0, -12.0, 3.0])
    meta = [dict(img_shape=(64, 64))]
    (found,) = head.predict_by_feat(raw, meta)
    loose = ConfigDict(TEST, nms=dict(type='nms', iou_threshold=0.65))
    (kept,) = head.predict_by_feat(raw, meta, loose)
    assert sorted(found.labels.tolist()) == [0, 1]
    assert sorted(kept.labels.tolist()) == [0, 0, 1]
    (best,) = head.predict_by_feat(raw, meta, ConfigDict(TEST, max_per_img=1))
    assert best.scores.item() == found.scores.max()


def test_levels_must_agree():
    with pytest.raises(ValueError, match='same number of levels'):
        YOLOv5Head(3, in_channels=(4, 4), strides=(8, 16, 32))


@pytest.mark.slow
def test_overfit_finds_every_box():
    """Four pictures with colored rectangles, until all are found."""
    torch.manual_seed(0)
    colors = torch.eye(3)
    boxes = [
        ([[8, 10, 60, 50], [70, 60, 120, 118]], [0, 1]),
        ([[30, 20, 56, 100]], [2]),
        ([[5, 80, 30, 110], [40, 8, 118, 70]], [1, 0]),
        ([[50, 50, 76, 72], [90, 10, 112, 34], [4, 4, 30, 26]], [2, 0, 1]),
    ]
    images = torch.full((4, 3, 128, 128), 0.3)
    samples = []
    for image, (corners, labels) in zip(images, boxes, strict=True):
        for (x1, y1, x2, y2), label in zip(corners, labels, strict=True):
            image[:, y1:y2, x1:x2] = colors[label][:, None, None]
        samples.append(
            DetDataSample(
                metainfo=dict(img_shape=(128, 128)),
                gt_instances=truth(corners, labels),
            )
        )
    model = make_yolo(3, width=0.125)
    model.init_weights()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 4e-3, total_steps=400
    )
    for _ in range(400):
        losses = model.loss(images, samples)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        results = model.predict(images, samples, rescale=False)
    for result, (corners, labels) in zip(results, boxes, strict=True):
        found = result.pred_instances
        sure = found[found.scores > 0.4]
        overlap = bbox_overlaps(
            sure.bboxes, torch.tensor(corners, dtype=torch.float32)
        )
        same = sure.labels[:, None] == torch.tensor(labels)
        assert ((overlap > 0.8) & same).any(dim=0).all()
        # And nothing else.
        assert ((overlap > 0.5) & same).any(dim=1).all()
