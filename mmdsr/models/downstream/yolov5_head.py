"""Head of YOLOv5 for mmdet's single-stage detectors."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.utils import filter_scores_and_topk
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdsr.models.downstream.yolov5_functional import (
    decode_boxes,
    level_losses,
)
from mmdsr.registry import MODELS

ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Widths and heights in pixels, for the strides 8, 16 and 32."""


@MODELS.register_module()
class YOLOv5Head(BaseDenseHead):
    """Anchor-based head with one 1x1 convolution per level.

    Written from a description of the method (Apache-2.0), not from the code
    of any YOLOv5. With mmdet's ``CSPDarknet(deepen_factor=0.33,
    widen_factor=0.5)`` and :class:`YOLOv5PAFPN` it makes YOLOv5s in the
    layout of version 5.0: 7,276,605 parameters with 80 classes.

    The losses are summed over the levels and multiplied by the number of
    images, as the usual learning rate of 0.01 expects.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of each level.
        strides: Pixels per cell of each level.
        anchors: For each level, pairs of width and height in pixels.
        match_ratio: Greatest ratio of the sides of a box and a suitable
            anchor.
        loss_weights: Weights of box, objectness and class at 640x640 pixels
            and 80 classes. The second scales with the area of the image, the
            third with the number of classes.
        level_weights: Weights of the objectness of each level.
        train_cfg: Not used; mmdet's detectors pass it.
        test_cfg: ``score_thr``, ``nms`` and ``max_per_img``; ``nms_pre``
            (default 30000) limits the input of NMS.
        init_cfg: See ``BaseModule``. Defaults to None: the initialization of
            the constructor suits training from scratch.

    Raises:
        ValueError: If the arguments differ in the number of levels.
    """

    anchors: Tensor

    def __init__(
        self,
        num_classes: int,
        in_channels: Sequence[int] = (128, 256, 512),
        strides: Sequence[int] = (8, 16, 32),
        anchors: Sequence[Sequence[Sequence[float]]] = ANCHORS,
        match_ratio: float = 4.0,
        loss_weights: Sequence[float] = (0.05, 1.0, 0.5),
        level_weights: Sequence[float] = (4.0, 1.0, 0.4),
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        lengths = [
            len(part)
            for part in (in_channels, strides, anchors, level_weights)
        ]
        if len(set(lengths)) > 1:
            raise ValueError(
                'in_channels, strides, anchors and level_weights must have '
                f'the same number of levels, not {lengths}.'
            )
        self.num_classes = num_classes
        self.strides = tuple(strides)
        self.match_ratio = match_ratio
        self.loss_weights = tuple(loss_weights)
        self.level_weights = tuple(level_weights)
        self.test_cfg = test_cfg
        # Not in checkpoints: constants of the config.
        self.register_buffer(
            'anchors',
            torch.tensor(anchors, dtype=torch.float32),
            persistent=False,
        )
        outputs = self.anchors.shape[1] * (5 + num_classes)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, outputs, 1) for channels in in_channels
        )
        self._init_biases()

    @torch.no_grad()
    def _init_biases(self) -> None:
        """Let the network start with the expected number of objects.

        That is eight per image of 640x640 pixels, equally of all classes.
        """
        for level, stride in enumerate(self.strides):
            bias = self.get_parameter(f'convs.{level}.bias')
            bias = bias.view(self.anchors.shape[1], -1)
            bias[:, 4] += math.log(8 / (640 / stride) ** 2)
            bias[:, 5:] += math.log(0.6 / (self.num_classes - 0.99999))

    def forward(self, feats: Sequence[Tensor]) -> tuple[list[Tensor]]:
        """Predict raw values.

        Args:
            feats: ``(N, C, H, W)`` of each level.

        Returns:
            A tuple of one list: raw predictions ``(N, A, H, W, 5 + classes)``
            of each level.
        """
        raw = []
        for feat, conv in zip(feats, self.convs, strict=True):
            out = conv(feat)
            out = out.unflatten(1, (self.anchors.shape[1], -1))
            raw.append(out.permute(0, 1, 3, 4, 2))
        return (raw,)

    def loss_by_feat(
        self,
        raw: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        batch_gt_instances_ignore: list[Any] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            raw: See :meth:`forward`.
            batch_gt_instances: ``bboxes`` and ``labels`` of each image.
            batch_img_metas: Not used.
            batch_gt_instances_ignore: Not used.

        Returns:
            ``loss_bbox``, ``loss_obj``, ``loss_cls``.
        """
        device = raw[0].device
        counts = [len(instances) for instances in batch_gt_instances]
        boxes = torch.cat(
            [_corners(instances.bboxes) for instances in batch_gt_instances]
        ).to(device)
        labels = torch.cat(
            [instances.labels for instances in batch_gt_instances]
        ).to(device)
        images = torch.repeat_interleave(
            torch.arange(len(counts), device=device),
            torch.tensor(counts, device=device),
        )
        # Augmentation can squeeze a box to a line, which suits no anchor.
        solid = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
        boxes, labels, images = boxes[solid], labels[solid], images[solid]

        totals = [torch.zeros((), device=device) for _ in range(3)]
        for level, stride in enumerate(self.strides):
            box, objectness, classes = level_losses(
                raw[level],
                boxes,
                labels,
                images,
                self.anchors[level],
                stride,
                self.match_ratio,
            )
            totals[0] = totals[0] + box
            totals[1] = totals[1] + objectness * self.level_weights[level]
            totals[2] = totals[2] + classes
        height, width = (side * self.strides[0] for side in raw[0].shape[2:4])
        scales = (1, height * width / 640**2, self.num_classes / 80)
        return {
            name: total * weight * scale * len(counts)
            for name, total, weight, scale in zip(
                ('loss_bbox', 'loss_obj', 'loss_cls'),
                totals,
                self.loss_weights,
                scales,
                strict=True,
            )
        }

    def predict_by_feat(
        self,
        raw: list[Tensor],
        batch_img_metas: list[dict[str, Any]],
        cfg: dict[str, Any] | None = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """Turn raw predictions into boxes, classes and scores.

        Args:
            raw: See :meth:`forward`.
            batch_img_metas: Metainfo of each image.
            cfg: Replaces ``test_cfg``.
            rescale: Whether to return boxes in the frame of the original
                image.
            with_nms: Whether to suppress the weaker of overlapping boxes.

        Returns:
            ``bboxes``, ``scores`` and ``labels`` of each image.

        Raises:
            ValueError: If there is no ``test_cfg``.
        """
        cfg = self.test_cfg if cfg is None else cfg
        if cfg is None:
            raise ValueError(
                'YOLOv5Head cannot predict without test_cfg: set score_thr, '
                'nms and max_per_img.'
            )
        level_boxes, level_scores = [], []
        for level, (part, stride) in enumerate(
            zip(raw, self.strides, strict=True)
        ):
            level_boxes.append(self._decode(part, level, stride).flatten(1, 3))
            share = part[..., 4:].float().sigmoid()
            level_scores.append(
                (share[..., 1:] * share[..., :1]).flatten(1, 3)
            )
        boxes = torch.cat(level_boxes, dim=1)
        scores = torch.cat(level_scores, dim=1)
        results = []
        for image, meta in enumerate(batch_img_metas):
            score, label, place, _ = filter_scores_and_topk(
                scores[image], cfg['score_thr'], cfg.get('nms_pre', 30000)
            )
            height, width = meta['img_shape'][:2]
            limits = boxes.new_tensor([width, height, width, height])
            inside = torch.minimum(boxes[image, place].clamp(min=0), limits)
            results.append(
                self._bbox_post_process(
                    InstanceData(bboxes=inside, scores=score, labels=label),
                    cfg,
                    rescale=rescale,
                    with_nms=with_nms,
                    img_meta=meta,
                )
            )
        return results

    def _decode(self, raw: Tensor, level: int, stride: int) -> Tensor:
        """Decode all predictions of a level, ``(N, A, H, W, 4)``."""
        rows, columns = raw.shape[2:4]
        grid = torch.meshgrid(
            torch.arange(columns, device=raw.device),
            torch.arange(rows, device=raw.device),
            indexing='xy',
        )
        anchors = self.anchors[level][:, None, None]
        return decode_boxes(
            raw[..., :4], torch.stack(grid, dim=-1), anchors, stride
        )


def _corners(boxes: Tensor | BaseBoxes) -> Tensor:
    """Return boxes as a tensor, whether or not mmdet has wrapped them."""
    return getattr(boxes, 'tensor', boxes)
