"""x_nano.py aligned by OpenCV's DIS, as a baseline for learned flow.

Compute the flows with "cache_alignment.py ROOT --name dis --splits train".
"""

_base_ = './x_nano.py'

experiment_name = 'dsrnet_x_nano_dis'

model = dict(
    generator=dict(aligner=dict(_delete_=True, type='mmdsr.DISAligner')),
    aligner_checkpoint=None,
)

alignment = 'dis'
train_pipeline = [
    *_base_.load_images,
    dict(type='mmdsr.LoadAlignment', name=alignment),
    *_base_.train_pipeline[4:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
