"""Reference-based x4 data in the layout of mmdsr.io.layout.

Whole images and batch 1, as in section 5.1 of the paper (LR 112x80, Ref
448x320). To train on crops, put `mmdsr.PairedRefCrop` after the loading: see
configs/dsrnet/teacher_quick.py. Batches need square crops, because each sample
is transposed at random.
"""

dataset_type = 'mmdsr.RefSRDataset'
data_root = 'data/sewersim'
scale = 4

# All images are loaded as RGB. In validation, mmagic's DataPreprocessor
# converts `gt_img` to BGR, and its `destruct` the prediction; the metrics take
# this into account.
# Depth: 1 = at 0.25 m or nearer, 0 = infinitely far, NaN = unknown.
load_sample = [
    dict(type='LoadImageFromFile', key='img', channel_order='rgb'),
    dict(type='LoadImageFromFile', key='gt', channel_order='rgb'),
    dict(type='LoadImageFromFile', key='ref', channel_order='rgb'),
    dict(type='mmdsr.LoadDepth', key='depth_lr', image_key='img', near=0.25),
    dict(
        type='mmdsr.LoadDepth',
        key='depth_ref',
        image_key='ref',
        scale=scale,
        near=0.25,
    ),
]
pack_sample = dict(
    type='PackInputs',
    keys=['img', 'ref'],
    data_keys=['depth_lr', 'depth_ref'],
    # With the order recorded, a preprocessor that swaps the channels treats
    # `ref` like `img`.
    meta_keys=['ref_path', 'ref_channel_order', 'stem'],
)
all_keys = ['img', 'gt', 'ref', 'depth_lr', 'depth_ref']
flip_sample = [
    dict(type='Flip', keys=all_keys, flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=all_keys, flip_ratio=0.5, direction='vertical'),
    dict(type='RandomTransposeHW', keys=all_keys, transpose_ratio=0.5),
]

train_pipeline = [*load_sample, *flip_sample, pack_sample]
val_pipeline = [*load_sample, pack_sample]
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=False,
    # Order and augmentation depend only on the seed and the position in
    # training, so that a resumed run gets the same data.
    sampler=dict(type='mmdsr.ReplaySampler', infinite=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

# MASA-SR's protocol: rounded to uint8, luma of BT.601, no cropping.
val_evaluator = dict(
    type='Evaluator',
    metrics=[
        dict(type='mmdsr.PSNR', mode='Y'),
        dict(type='mmdsr.SSIM', mode='Y'),
        dict(type='mmdsr.PSNR', mode='RGB'),
        dict(type='mmdsr.SSIM', mode='RGB'),
    ],
)
test_evaluator = val_evaluator
