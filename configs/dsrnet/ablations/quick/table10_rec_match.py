"""The match of rows 2 and 3 without depth, supervised by the true flow.

The loss is not in the paper.
"""

_base_ = [
    '../../teacher_plus_match_quick.py',
    '../../../_base_/models/masa_quick.py',
]

experiment_name = 'table10_quick_rec_match'

model = dict(
    # With the blocks of DSRNet.
    generator=dict(
        _base_.masa_quick, _delete_=True, block_size=16, dilations=(1,)
    ),
    depth_loss=None,
)
