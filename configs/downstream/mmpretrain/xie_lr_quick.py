"""The two-level network on small images, shown as large as the others."""

_base_ = './xie_sr_quick.py'

data_preprocessor = dict(
    sr=dict(_delete_=True, interpolation='bilinear', scale=4)
)
