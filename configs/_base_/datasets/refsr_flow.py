"""Simulated runs and photographs with their true flow, for DSRNet-X.

`make_sewersim.py data/sewersim-sr --name sewersim-sr` and `photos_to_refsr.py
PHOTOS data/photos-refsr` create them. Photographs have no depth and no run;
half of the samples of a batch come from each of the two.
"""

scale = 4
sewer_root = 'data/sewersim-sr'
photo_root = 'data/photos-refsr'
sewer_share = 0.5

load_images = [
    dict(type='LoadImageFromFile', key='img', channel_order='rgb'),
    dict(type='LoadImageFromFile', key='gt', channel_order='rgb'),
    dict(type='LoadImageFromFile', key='ref', channel_order='rgb'),
]
# For networks with depth input: exact in SewerSim, unknown in photographs.
load_depth = [
    dict(type='mmdsr.LoadDepth', key='depth_lr', image_key='img', near=0.25),
    dict(
        type='mmdsr.LoadDepth',
        key='depth_ref',
        image_key='ref',
        scale=scale,
        near=0.25,
    ),
]
meta_keys = ['ref_path', 'ref_channel_order', 'stem']

val_pipeline = [
    *load_images,
    dict(type='mmdsr.LoadFlow', scale=scale),
    dict(
        type='PackInputs',
        keys=['img', 'ref'],
        data_keys=['flow', 'visible'],
        meta_keys=meta_keys,
    ),
]

train_dataloader = dict(
    # Loading and aligning crops takes a tenth of a step of x.py on a CPU; the
    # smaller networks should train on packed data (docs/loading.md).
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='mmdsr.ReplaySampler', infinite=True),
    dataset=dict(
        type='mmdsr.MixedDataset',
        shares=[sewer_share, 1 - sewer_share],
        datasets=[
            dict(type='mmdsr.RefSRDataset', data_root=sewer_root),
            dict(type='mmdsr.RefSRDataset', data_root=photo_root),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdsr.RefSRDataset',
        data_root=sewer_root,
        split='test',
        pipeline=val_pipeline,
        max_samples=24,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdsr.RefSRDataset',
        data_root=sewer_root,
        split='test',
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
