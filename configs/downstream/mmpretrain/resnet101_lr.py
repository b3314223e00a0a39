"""ResNet-101 on small images, shown as large as the others."""

_base_ = './resnet101_sr.py'

data_preprocessor = dict(
    sr=dict(_delete_=True, interpolation='bilinear', scale=4)
)
