"""DSRNet-T, the teacher."""

dsrnet_t = dict(
    type='mmdsr.DSRNet',
    # The text of section 3; 'released' is the network of the authors' code,
    # see ../../dsrnet/released_teacher.py.
    variant='paper',
    channels=64,
    # Table 1, DSRNet-T.
    encoder_blocks=(4, 4, 4),
    # Not in the paper; as in MASA-SR, which the FLOPs of Table 2 confirm.
    decoder_blocks=(2, 2, 2, 12, 8, 4),
    # Section 3.1 only mentions a U-Net. With base width 16, the number of
    # parameters is closest to Table 2.
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=16),
    # Section 3.3; sizes as in the authors' code.
    block_size=16,
    dilations=(1,),
    crop_ratio=1.5,
)
