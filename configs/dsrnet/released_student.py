"""DSRNet-S as in the authors' code, see released_teacher.py."""

_base_ = ['./released_teacher.py', '../_base_/models/dsrnet_s.py']

experiment_name = 'dsrnet_released_student'

model = dict(
    generator=dict(
        encoder_blocks=_base_.dsrnet_s.encoder_blocks,
        decoder_blocks=_base_.dsrnet_s.decoder_blocks,
    )
)
