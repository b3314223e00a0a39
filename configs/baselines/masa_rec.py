"""MASA-rec: DSRNet without depth, L_rec only (Table 2)."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/refsr.py',
    '../_base_/schedules/paper_250e.py',
]

experiment_name = 'masa_rec'

model = dict(
    type='mmdsr.DSR',
    generator=dict(
        type='mmdsr.MASASRNet',
        channels=64,
        encoder_blocks=(4, 4, 4),
        decoder_blocks=(2, 2, 2, 12, 8, 4),
        # MASA-SR's values; DSRNet uses 16 and (1,).
        block_size=8,
        dilations=(1, 2, 3),
        crop_ratio=1.5,
    ),
    pixel_loss=dict(type='L1Loss', loss_weight=1.0, reduction='mean'),
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0] * 3
    ),
)
