"""YOLOv5 for two CPU cores: a quarter of the width of YOLOv5s.

widen_factor 0.125 instead of 0.5 at the same depth, batches of four, AdamW
with one cycle. Mosaic and EMA are omitted, as they are for long training runs.
"""

_base_ = ['./_base_/yolov5s.py', './_base_/sewersim_quick.py']

channels = [32, 64, 128]
model = dict(
    backbone=dict(widen_factor=0.125),
    neck=dict(in_channels=channels),
    bbox_head=dict(in_channels=channels),
    # Early in training, NMS of thousands of boxes would take long.
    test_cfg=dict(score_thr=0.01),
)

train_pipeline = [
    *_base_.load_pipeline,
    dict(type='Resize', scale=_base_.img_scale, keep_ratio=False),
    dict(
        type='RandomAffine',
        max_rotate_degree=0.0,
        max_shear_degree=0.0,
        # Milder than in yolov5s.py, for short training.
        scaling_ratio_range=(0.8, 1.25),
    ),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    # keep_empty=True would discard images that have lost all boxes.
    dict(type='FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=False),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
