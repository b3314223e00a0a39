"""ATD-light, narrow: trains in minutes on a CPU."""

_base_ = './atd_quick.py'

experiment_name = 'atd_light_quick'

model = dict(
    generator=dict(channels=24, kernel_size=7, mlp_ratio=1.0, direct=True)
)
