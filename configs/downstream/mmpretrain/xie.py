"""The two-level network of Xie et al. (2019) on HR images of Sewer-ML."""

_base_ = ['./_base_/xie.py', './_base_/benchmark_90e.py']

model = dict(level2=dict(head=dict(loss=_base_.bce)))
