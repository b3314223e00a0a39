"""YOLOv5s: mmdsr's neck and head on mmdet's CSPDarknet, version 5.0."""

model = dict(
    type='SingleStageDetector',
    # RGB in [0, 1], as YOLOv5 is trained.
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[0, 0, 0],
        std=[255, 255, 255],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    # The multipliers of YOLOv5s.
    backbone=dict(type='CSPDarknet', deepen_factor=0.33, widen_factor=0.5),
    neck=dict(type='mmdsr.YOLOv5PAFPN', in_channels=[128, 256, 512]),
    bbox_head=dict(
        type='mmdsr.YOLOv5Head', num_classes=3, in_channels=[128, 256, 512]
    ),
    # Test thresholds of YOLOv5. As a frame has few defects, 100 boxes suffice,
    # as in mmdet's COCO configs.
    test_cfg=dict(
        score_thr=0.001,
        nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=100,
    ),
)
