"""ATD (Table 2); needs spandrel."""

_base_ = './masa_rec.py'

experiment_name = 'atd'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.ATD',
        channels=210,
        depths=(6, 6, 6, 6, 6, 6),
        num_heads=6,
        window_size=16,
        category_size=256,
        num_tokens=128,
        reduced_channels=20,
        kernel_size=5,
        mlp_ratio=2.0,
    ),
)
