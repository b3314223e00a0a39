"""Images that do not fit are named before a training begins."""

import re

import pytest
from mmengine.config import Config
from PIL import Image

from mmdsr.engine.check_data import check_data
from mmdsr.engine.check_sizes import check_sizes
from mmdsr.errors import UsageError

LOAD = [
    dict(type='LoadImageFromFile', key='img'),
    dict(type='mmdsr.LoadDepth', key='depth_lr'),
]
TURN = dict(type='RandomTransposeHW', keys=['img'])
PACK = dict(type='PackInputs')


def crop(**kwargs):
    return dict(type='mmdsr.PairedRefCrop', **dict(lr_size=(16, 16)) | kwargs)


def write(root, *samples, suffix='.png'):
    """Each sample the sizes of its three images, as width and height."""
    for number, sizes in enumerate(samples):
        for key, size in zip(('lr', 'hr', 'ref'), sizes, strict=True):
            path = root / 'train' / key / f'a_{number}{suffix}'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', size).save(path)
    return root


def check(root, *steps, batch_size=1, **more):
    dataset = dict(
        type='mmdsr.RefSRDataset',
        data_root=str(root),
        pipeline=[*LOAD, *steps, PACK],
        **more,
    )
    check_sizes(dataset, batch_size)


def refused(root, message, *steps, **kwargs):
    with pytest.raises(ValueError, match=message) as error:
        check(root, *steps, **kwargs)
    assert '\n' not in str(error.value)


LYING = (24, 20), (96, 80), (96, 80)
UPRIGHT = (20, 24), (80, 96), (80, 96)
MIXED = (24, 20), (96, 80), (80, 96)


def test_the_pipeline_of_dsrnet_x(tmp_path):
    pipeline = (
        dict(type='mmdsr.LoadAlignment'),
        crop(ref='whole'),
        dict(type='mmdsr.SpoilRef'),
        dict(type='mmdsr.AlignRef'),
        dict(type='mmdsr.FlipTranspose'),
    )
    # Aligned, references of any size fit.
    check(write(tmp_path / 'a', LYING, MIXED), *pipeline, batch_size=4)
    small = (12, 12), (48, 48), (48, 48)
    root = write(tmp_path / 'b', LYING, small)
    refused(root, 'smaller than the window 16x16', *pipeline, batch_size=4)


def test_matching_sizes_pass(tmp_path):
    root = write(tmp_path, LYING, LYING)
    check(root)
    check(root, batch_size=4)
    check(root, TURN)
    check(root, crop(), TURN, batch_size=4)
    # Upright and lying ones, each with a reference of its size.
    root = write(tmp_path / 'b', LYING, UPRIGHT)
    check(root)
    check(root, crop(), TURN, batch_size=4)
    # References of any size, one at a time.
    root = write(tmp_path / 'c', LYING, MIXED)
    check(root)
    check(root, crop(ref='whole'))


def test_a_turned_reference(tmp_path):
    root = write(tmp_path, LYING, MIXED)
    refused(root, r'ref/a_1\.png is 80x96, but its image is 96x80', crop())
    whole = crop(ref='whole')
    message = r'ref/a_1\.png is 80x96, but others are 96x80; a batch of 2'
    refused(root, message, whole, batch_size=2)
    check(root, whole, batch_size=2, max_samples=1)


def test_a_truth_of_another_size(tmp_path):
    wrong = (24, 20), (90, 80), (96, 80)
    root = write(tmp_path, LYING, LYING, wrong)
    message = r'hr/a_2\.png is 90x80, not 4 times its .* 24x20'
    refused(root, message)
    refused(root, message, crop())
    two = (24, 20), (48, 40), (48, 40)
    check(write(tmp_path / 'b', two))
    check(tmp_path / 'b', crop(scale=2))
    refused(tmp_path / 'b', 'not 4 times', crop())


def test_a_window_that_is_too_large(tmp_path):
    root = write(tmp_path, LYING)
    check(root, crop(lr_size=(20, 24)))
    message = r'lr/a_0\.png is 24x20, smaller than the window 20x24'
    refused(root, message, crop(lr_size=(24, 20)))


def test_batches_of_whole_images(tmp_path):
    root = write(tmp_path, LYING, LYING, UPRIGHT)
    message = r'lr/a_2\.png is 20x24, but others are 24x20; a batch of 3'
    refused(root, message, batch_size=3)
    root = write(tmp_path / 'b', LYING)
    refused(root, 'needs square images', TURN, batch_size=2)
    refused(root, 'must be square', crop(lr_size=(16, 8)), TURN, batch_size=2)


def test_a_jpeg_with_an_orientation_tag(tmp_path):
    root = write(tmp_path, LYING, suffix='.jpg')
    check(root, crop())
    path = root / 'train/ref/a_0.jpg'
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new('RGB', (96, 80)).save(path, exif=exif)
    refused(root, r'a_0\.jpg is 80x96, but its image is 96x80', crop())


def test_a_damaged_file(tmp_path):
    root = write(tmp_path, LYING)
    (root / 'train/ref/a_0.png').write_bytes(b'text')
    refused(root, r'ref/a_0\.png: not an image, or damaged')


def test_unknown_transforms_are_not_judged(tmp_path):
    root = write(tmp_path, LYING, MIXED)
    check(root, crop(), dict(type='Resize'), batch_size=2)
    check(root / 'nowhere', dict(type='Resize'))


def test_the_references_that_are_asked_for(tmp_path):
    refused(write(tmp_path, LYING), 'its image', crop(), reference='self')


def test_before_a_training(tmp_path):
    root = write(tmp_path, LYING, MIXED)
    dataset = dict(
        type='mmdsr.RefSRDataset',
        data_root=str(root),
        pipeline=[*LOAD, crop(), PACK],
    )
    repeated = dict(type='RepeatDataset', times=2, dataset=dataset)
    for wrapped in (dataset, repeated):
        loader = dict(batch_size=2, dataset=wrapped)
        with pytest.raises(UsageError, match=re.escape('train_dataloader: ')):
            check_data(
                Config(dict(train_dataloader=loader)), ['train_dataloader']
            )


def test_parts_of_a_mixture_are_judged_by_its_pipeline(tmp_path):
    root = write(tmp_path, LYING, UPRIGHT)
    turn = dict(type='mmdsr.FlipTranspose', keys=['img'])

    def check_mixture(*steps):
        part = dict(type='mmdsr.RefSRDataset', data_root=str(root))
        mixture = dict(
            type='mmdsr.MixedDataset',
            datasets=[part],
            shares=[1],
            pipeline=[*LOAD, *steps, PACK],
        )
        loader = dict(batch_size=4, dataset=mixture)
        check_data(Config(dict(train_dataloader=loader)), ['train_dataloader'])

    check_mixture(crop(), turn)
    with pytest.raises(UsageError, match='a batch of 4'):
        check_mixture(turn)
