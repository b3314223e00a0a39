"""DeepLabv3+ on small images, shown as large as the others."""

_base_ = './deeplabv3plus_sr_quick.py'

model = dict(
    data_preprocessor=dict(
        sr=dict(_delete_=True, interpolation='bilinear', scale=4)
    )
)
