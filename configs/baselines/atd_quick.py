"""ATD, narrow: trains in minutes on a CPU."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'atd_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.ATD',
        channels=32,
        depths=(2, 2),
        num_heads=4,
        window_size=8,
        category_size=128,
        num_tokens=32,
        reduced_channels=8,
        kernel_size=5,
        mlp_ratio=2.0,
    ),
    depth_loss=None,
)
