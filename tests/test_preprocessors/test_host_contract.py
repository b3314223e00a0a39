"""What mmpretrain's own tests ask of its preprocessor, asked of the stages.

The images are whole numbers of any type, as there.
"""

import copy

import pytest
import torch
from stage_cases import IDENTITY, assert_same, plain, sample, stage

HOSTS = ('mmseg', 'mmdet', 'mmpretrain')
KINDS = (torch.uint8, torch.int16, torch.int32, torch.int64)


def _integers(*size, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, size, generator=rng)


def _labels(*labels):
    from mmpretrain.structures import DataSample

    return [DataSample().set_gt_label(label) for label in labels]


def test_inputs_are_stacked():
    """From a list, from one tensor, and with samples."""
    preprocessor = stage('mmpretrain')
    images = [_integers(3, 14, 18, seed=n) for n in range(2)]
    expected = torch.stack(images).float()
    samples = _labels(1, 0)
    found = preprocessor(dict(inputs=images, data_samples=samples))
    assert torch.equal(found['inputs'], expected)
    assert [s.gt_label.item() for s in found['data_samples']] == [1, 0]
    for inputs in (images, torch.stack(images)):
        found = preprocessor(dict(inputs=inputs))
        assert found['inputs'].dtype == torch.float32
        assert torch.equal(found['inputs'], expected)
        assert found['data_samples'] is None


@pytest.mark.parametrize('stacked', [False, True])
def test_padding_to_a_divisor(stacked):
    preprocessor = stage('mmpretrain', pad_size_divisor=16, pad_value=101)
    images = [_integers(3, 20, 30), _integers(3, 20, 30, seed=1)]
    inputs = torch.stack(images) if stacked else images
    found = preprocessor(dict(inputs=inputs))['inputs']
    assert found.shape == (2, 3, 32, 32)
    assert torch.equal(found[..., :20, :30], torch.stack(images).float())
    assert (found[..., 20:, :] == 101).all()
    assert (found[..., 30:] == 101).all()


def test_padding_to_the_largest():
    preprocessor = stage('mmpretrain', pad_value=7)
    small, large = _integers(3, 16, 20), _integers(3, 24, 18)
    found = preprocessor(dict(inputs=[small, large]))['inputs']
    assert found.shape == (2, 3, 24, 20)
    assert torch.equal(found[0, :, :16], small.float())
    assert torch.equal(found[1, ..., :18], large.float())
    assert (found[0, :, 16:] == 7).all()
    assert (found[1, ..., 18:] == 7).all()


@pytest.mark.parametrize('stacked', [False, True])
def test_to_rgb(stacked):
    images = _integers(2, 3, 16, 20)
    inputs = images if stacked else list(images)
    found = stage('mmpretrain', to_rgb=True)(dict(inputs=inputs))['inputs']
    assert torch.equal(found, images.flip(1).float())


@pytest.mark.parametrize('stacked', [False, True])
def test_normalization(stacked):
    mean, std = [127.5, 100.0, 90.0], [127.5, 50.0, 60.0]
    preprocessor = stage('mmpretrain', mean=mean, std=std)
    images = _integers(2, 3, 16, 20)
    inputs = images if stacked else list(images)
    found = preprocessor(dict(inputs=inputs, data_samples=_labels(0, 1)))
    column = torch.tensor([mean, std])[..., None, None]
    torch.testing.assert_close(
        found['inputs'], (images - column[0]) / column[1]
    )


def test_batch_augmentation():
    """Of labels, only in a training; without labels nothing is mixed."""
    preprocessor = stage(
        'mmpretrain',
        num_classes=10,
        batch_augments=dict(
            augments=[
                dict(type='Mixup', alpha=0.8),
                dict(type='CutMix', alpha=1.0),
            ]
        ),
    )
    images = list(_integers(2, 3, 16, 20))
    samples = _labels(0, 1)
    torch.manual_seed(0)
    data = dict(inputs=images, data_samples=samples)
    found = preprocessor(data, training=True)
    scores = torch.stack([s.gt_score for s in found['data_samples']])
    assert scores.shape == (2, 10)
    torch.testing.assert_close(scores.sum(1), torch.ones(2))
    stacked = torch.stack(images).float()
    assert found['inputs'].shape == stacked.shape
    found = preprocessor(dict(inputs=images, data_samples=_labels(0, 1)))
    assert torch.equal(found['inputs'], stacked)
    for bare in (None, copy.deepcopy(_labels(0, 1))):
        for one in bare or ():
            one.pop('gt_label')
        data = dict(inputs=images, data_samples=bare)
        found = preprocessor(data, training=True)
        assert torch.equal(found['inputs'], stacked)


@pytest.mark.parametrize('host', HOSTS)
@pytest.mark.parametrize('kind', KINDS)
def test_whole_numbers_of_any_type(tmp_path, host, kind):
    one = sample(host, tmp_path)
    data = dict(
        inputs=[one['inputs'].to(kind)], data_samples=[one['data_samples']]
    )
    expected = plain(host)(copy.deepcopy(data))
    assert_same(expected, stage(host, sr=dict(IDENTITY))(data))


@pytest.mark.parametrize('host', HOSTS)
@pytest.mark.parametrize('value', [-1, 256])
def test_whole_numbers_that_are_no_colors(tmp_path, host, value):
    from mmdsr.errors import StageError

    one = sample(host, tmp_path)
    image = one['inputs'].long()
    image[1, 2, 3] = value
    data = dict(inputs=[image], data_samples=[one['data_samples']])
    with pytest.raises(StageError, match=rf'value {value} at row 2.*0\.\.255'):
        stage(host)(data)
