"""Table 10, row 1, at the size of teacher_quick.py: MASA-rec, narrow."""

_base_ = '../../teacher_quick.py'

experiment_name = 'table10_quick_rec'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.MASASRNet',
        channels=16,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 6, 2, 1),
        # MASA-SR's values, as in ../../../baselines/masa_rec.py.
        block_size=8,
        dilations=(1, 2, 3),
        crop_ratio=1.5,
    ),
    depth_loss=None,
)
