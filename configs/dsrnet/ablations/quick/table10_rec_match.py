"""The match of rows 2 and 3 without depth, supervised by the true flow.

The loss is not in the paper.
"""

_base_ = '../../teacher_plus_match_quick.py'

experiment_name = 'table10_quick_rec_match'

model = dict(
    # As in baselines/masa_rec_quick.py, with DSRNet's blocks.
    generator=dict(
        _delete_=True,
        type='mmdsr.MASASRNet',
        channels=16,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 6, 2, 1),
        block_size=16,
        dilations=(1,),
        crop_ratio=1.5,
    ),
    depth_loss=None,
)
