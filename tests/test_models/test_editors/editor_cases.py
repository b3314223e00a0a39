"""Small models and batches that the editor tests share."""

import torch
from mmagic.structures import DataSample

GENERATOR = dict(
    channels=8, encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1, 1, 1, 1, 1)
)
DSRNET = dict(
    type='mmdsr.DSRNet',
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
    **GENERATOR,
)
NO_DEPTH_NET = dict(type='mmdsr.DSRNet', depth_net=None, **GENERATOR)
MASA = dict(type='mmdsr.MASASRNet', **GENERATOR)
PIXEL_LOSS = dict(type='mmagic.L1Loss')
DEPTH_LOSS = dict(type='mmdsr.DepthLoss', loss_weight=0.01)
FIELDS = ('depth_lr', 'depth_ref')


def make_batch(count=1, depth='known', seed=0):
    """A batch as the data loader gives it.

    Args:
        count (int): Samples.
        depth (str): 'known', 'unknown' (NaN), 'half' or 'absent'.
        seed (int): Seed.
    """
    generator = torch.Generator().manual_seed(seed)

    def image(height, width):
        return torch.randint(
            0, 256, (3, height, width), generator=generator, dtype=torch.uint8
        )

    imgs, refs, samples = [], [], []
    for index in range(count):
        imgs.append(image(16, 24))
        refs.append(image(80, 96))
        sample = DataSample(gt_img=image(64, 96))
        if depth != 'absent':
            for field, size in zip(
                FIELDS, ((1, 16, 24), (1, 20, 24)), strict=True
            ):
                values = torch.rand(size, generator=generator)
                if depth == 'unknown':
                    values.fill_(float('nan'))
                if depth == 'half':
                    values[:, :8] = float('nan')
                sample.set_tensor_data({field: values})
        sample.set_metainfo(
            dict(
                img_path=f'lr/run_{index}.png',
                img_channel_order='rgb',
                gt_channel_order='rgb',
            )
        )
        samples.append(sample)
    return dict(inputs=dict(img=imgs, ref=refs), data_samples=samples)
