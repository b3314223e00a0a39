"""DSRNet-S, the student: half of the teacher's residual blocks."""

dsrnet_s = dict(
    type='mmdsr.DSRNet',
    variant='paper',
    channels=64,
    # Table 1, DSRNet-S.
    encoder_blocks=(2, 2, 2),
    # Not in Table 1, but follows from parameters and FLOPs of Table 2.
    decoder_blocks=(1, 1, 1, 6, 4, 2),
    # As in dsrnet_t.py, like all other values.
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=16),
    block_size=16,
    dilations=(1,),
    crop_ratio=1.5,
)
