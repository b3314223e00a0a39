"""FlowNet on frames without ground truth, by self-supervised losses.

For recordings that differ from simulated ones: convert them to a data set with
video_to_refsr.py, and start from a trained FlowNet (`load_from`). Half of each
batch remains supervised, so that the network does not forget what it has
learned.
"""

_base_ = './flownet_light.py'

experiment_name = 'flownet_self'
max_iters = 2000

model = dict(self_loss=dict(type='mmdsr.SelfFlowLoss'))
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(type='mmdsr.RefSRDataset', data_root=_base_.sewer_root),
            dict(type='mmdsr.RefSRDataset', data_root='data/mine'),
        ]
    )
)
train_cfg = dict(max_iters=max_iters, val_interval=500)
optim_wrapper = dict(optimizer=dict(lr=5e-5))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_iters, by_epoch=False, eta_min=1e-6
    ),
]
