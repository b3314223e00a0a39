"""DSRNet-nano, below the paper's student, for small devices.

6.48 G MACs at LR 112x80 with Ref 448x320, depth network and matching included;
DSRNet-S needs 127 G. Only widths and numbers of blocks differ, which the paper
does not discuss.
"""

dsrnet_nano = dict(
    type='mmdsr.DSRNet',
    variant='paper',
    # A 3x3 convolution costs 16 times as much on Ref as on LR, so the width
    # increases as the resolution decreases, and most blocks of the decoder
    # work at the size of LR.
    channels=(8, 16, 40),
    encoder_blocks=(1, 1, 1),
    decoder_blocks=(1, 1, 1, 7, 2, 2),
    # The smallest width that eight normalization groups allow.
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
    # As in dsrnet_t.py.
    block_size=16,
    dilations=(1,),
    crop_ratio=1.5,
)
