"""MASA-SR at the size of dsrnet_t_quick.py."""

masa_quick = dict(
    type='mmdsr.MASASRNet',
    channels=16,
    encoder_blocks=(1, 1, 1),
    decoder_blocks=(1, 1, 1, 6, 2, 1),
    # MASA-SR's values, as in masa_rec.py.
    block_size=8,
    dilations=(1, 2, 3),
    crop_ratio=1.5,
)
