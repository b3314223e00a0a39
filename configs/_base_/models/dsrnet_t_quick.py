"""The teacher at a size that trains in minutes on a CPU.

A quarter of the width of DSRNet-T and a quarter to half of its blocks.
"""

dsrnet_t_quick = dict(
    type='mmdsr.DSRNet',
    variant='paper',
    channels=16,
    encoder_blocks=(1, 1, 1),
    decoder_blocks=(1, 1, 1, 6, 2, 1),
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
    # As in dsrnet_t.py.
    block_size=16,
    dilations=(1,),
    crop_ratio=1.5,
)
