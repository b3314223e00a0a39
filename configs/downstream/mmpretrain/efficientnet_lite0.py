"""EfficientNet-Lite0, from ImageNet, on the images of Sewer-ML.

Not a network of the paper; see efficientnet_lite0_quick.py.
"""

_base_ = ['./_base_/efficientnet_lite0.py', './_base_/benchmark_90e.py']

model = dict(head=dict(loss=_base_.bce))
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
