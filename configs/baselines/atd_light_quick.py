"""ATD-light, narrow: trains in minutes on a CPU."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'atd_light_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.ATD',
        channels=24,
        depths=(2, 2),
        num_heads=4,
        window_size=8,
        category_size=128,
        num_tokens=32,
        reduced_channels=8,
        kernel_size=7,
        mlp_ratio=1.0,
        direct=True,
    ),
    depth_loss=None,
)
