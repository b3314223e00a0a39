"""MASA-rec at the size of teacher_quick.py."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'masa_rec_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.MASASRNet',
        channels=16,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 6, 2, 1),
        # MASA-SR's values, as in masa_rec.py.
        block_size=8,
        dilations=(1, 2, 3),
        crop_ratio=1.5,
    ),
    depth_loss=None,
)
