"""EfficientNet-Lite0 from ImageNet, which can learn from the small set.

Not a network of the paper. The others start from random weights and learn
little from 120 pipes.
"""

_base_ = ['./_base_/efficientnet_lite0.py', './_base_/sewersim_quick.py']

model = dict(head=dict(loss=_base_.bce))
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)

# The size of the images, so that HR has the detail that LR has lost.
frame = (352, 288)
resize = dict(scale=frame)
train_pipeline = _base_.train_pipeline
train_pipeline[1]['scale'] = frame
test_pipeline = _base_.test_pipeline
test_pipeline[1]['scale'] = frame
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# Pretrained features need smaller and fewer steps.
optim_wrapper = dict(optimizer=dict(lr=3e-4))
train_cfg = dict(max_epochs=6, val_interval=6)
# Takes two thirds of the time.
custom_hooks = [*_base_.custom_hooks, dict(type='mmdsr.ChannelsLastHook')]
