"""ATD-light (Table 2); needs spandrel."""

_base_ = './masa_rec.py'

experiment_name = 'atd_light'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.ATD',
        channels=48,
        depths=(6, 6, 6, 6),
        num_heads=4,
        window_size=16,
        category_size=128,
        num_tokens=64,
        reduced_channels=8,
        kernel_size=7,
        mlp_ratio=1.0,
        direct=True,
    ),
)
