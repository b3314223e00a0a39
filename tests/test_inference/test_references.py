"""Which reference an image gets."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from inference_cases import pipe
from PIL import Image

from mmdsr.inference import SuperResolver
from mmdsr.inference.references import References, at_full_size
from mmdsr.io.images import write_png
from mmdsr.weights import load_published

STUDENT = 'dsrnet_student'


def save(path, seed=0, size=(20, 28)):
    """Write a random image; return it as the resolver has images."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    write_png(path, pixels)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).flip(0)


def test_file(tmp_path, monkeypatch):
    image = save(tmp_path / 'sub' / 'ref.png')
    references = References('file')
    info = dict(ref_path=str(tmp_path / 'sub' / 'ref.png'))
    assert torch.equal(references.find(info), image)
    sample = SimpleNamespace(metainfo=info)
    assert torch.equal(references.find(sample), image)
    # As every path of a data set, it is relative to the working directory.
    monkeypatch.chdir(tmp_path)
    assert torch.equal(references.find(dict(ref_path='sub/ref.png')), image)


@pytest.mark.parametrize(
    ('direction', 'axes'),
    [('horizontal', [2]), ('vertical', [1]), ('diagonal', [1, 2])],
)
def test_flipped_like_the_image(tmp_path, direction, axes):
    image = save(tmp_path / 'a.png')
    info = dict(ref_path=tmp_path / 'a.png', flip_direction=direction)
    references = References('file')
    assert torch.equal(references.find({**info, 'flip': False}), image)
    flipped = references.find({**info, 'flip': True})
    assert torch.equal(flipped, image.flip(axes))


def test_neighbor(tmp_path):
    names = ['run1_9', 'run1_10', 'run1_11', 'run2_0', 'run2_1', 'a', 'b']
    images = {
        name: save(tmp_path / f'{name}.png', seed)
        for seed, name in enumerate(names)
    }
    references = References('neighbor')
    for name, expected in (
        ('run1_9', 'run1_10'),
        ('run1_10', 'run1_9'),
        ('run1_11', 'run1_10'),
        ('run2_0', 'run2_1'),
        ('b', 'a'),
    ):
        found = references.find(dict(img_path=str(tmp_path / f'{name}.png')))
        assert torch.equal(found, images[expected]), name
    # A frame that has come since.
    save(tmp_path / 'run1_12.png')
    found = references.find(dict(img_path=tmp_path / 'run1_12.png'))
    assert torch.equal(found, images['run1_11'])


def test_lone_frames_are_their_own_reference(tmp_path):
    for name in ('x_1.png', 'y_1.png'):
        save(tmp_path / name)
    references = References('neighbor')
    with pytest.warns(UserWarning, match='x_1.png has no neighbor'):
        assert references.find(dict(img_path=tmp_path / 'x_1.png')) is None
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert references.find(dict(img_path=tmp_path / 'y_1.png')) is None


WHOLE = dict(ori_shape=(20, 28), img_shape=(20, 28))


@pytest.mark.parametrize(
    ('change', 'cropped'),
    [
        ({}, False),
        (dict(scale_factor=None), False),
        (dict(scale_factor=np.ones(4, np.float32)), False),
        (dict(img_shape=(16, 28), scale_factor=np.ones(4)), True),
        (dict(img_shape=(16, 28)), True),
        (dict(img_shape=(20, 24)), True),
        # Rounded, padded.
        (dict(img_shape=(9, 13), scale_factor=(0.47, 0.47)), False),
        (dict(img_shape=(32, 32)), False),
        # Enlarged, of which a part is larger than the file.
        (dict(img_shape=(24, 30), scale_factor=(2.0, 2.0)), True),
        (dict(img_shape=(40, 28), scale_factor=(1.0, 2.0)), False),
        (dict(img_shape=(8, 14), scale_factor=0.5), True),
        (dict(img_shape=(10, 14), scale_factor=0.5), False),
    ],
)
def test_a_crop_with_a_whole_reference_warns_once(tmp_path, change, cropped):
    for name in ('a', 'b'):
        save(tmp_path / f'{name}.png')
    info = {**WHOLE, 'img_path': tmp_path / 'b.png', **change}
    references = References('neighbor')
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        for _ in range(2):
            assert references.find(info) is not None
    assert len(said) == cropped
    if cropped:
        assert 'b.png seems to be cropped, but its reference a.png' in str(
            said[0].message
        )


def test_error_names_missing_metainfo(tmp_path):
    (tmp_path / 'broken.png').write_bytes(b'no image')
    files = References('file')
    for sample in (None, {}, dict(ref_path=None)):
        with pytest.raises(ValueError, match="add 'ref_path' to the meta_ke"):
            files.find(sample)
    with pytest.raises(FileNotFoundError, match=r'no/ref.png.*of pipe.png'):
        files.find(dict(ref_path='no/ref.png', img_path='pipe.png'))
    with pytest.raises(ValueError, match=r'broken.png cannot be used: '):
        files.find(dict(ref_path=tmp_path / 'broken.png'))
    with pytest.raises(ValueError, match="needs img_path in each sample's"):
        References('neighbor').find({})
    with pytest.raises(FileNotFoundError, match=r'b.png.*not an image in its'):
        References('neighbor').find(dict(img_path=tmp_path / 'b.png'))
    save(tmp_path / 'a.png')
    info = dict(flip=True, flip_direction='up')
    with pytest.raises(ValueError, match='flip_direction must be'):
        files.find(dict(ref_path=tmp_path / 'a.png', **info))


def test_the_network_uses_it(tmp_path):
    image = pipe(32, 32)
    save(tmp_path / 'other.png', size=(40, 56))
    write_png(
        tmp_path / 'same.png', image.flip(0).permute(1, 2, 0).numpy().copy()
    )
    # The image's own file is no larger than it: it is enlarged.
    own = SuperResolver(weights=STUDENT)([image])[0]
    resolver = SuperResolver(weights=STUDENT, reference='file')
    samples = [dict(ref_path=tmp_path / f'{n}.png') for n in ('same', 'other')]
    same, other = resolver([image, image], samples)
    assert (same - own).abs().max() <= 1
    assert (other - own).abs().max() > 1


def test_a_frame_of_the_same_recording_is_enlarged():
    image, frame = pipe(32, 40), pipe(32, 40, seed=1)
    large = at_full_size(frame, image, 4)
    expected = Image.fromarray(frame.permute(1, 2, 0).numpy()).resize(
        (160, 128), Image.Resampling.BICUBIC
    )
    np.testing.assert_allclose(large.permute(1, 2, 0), expected, atol=1)
    # The same for a part of such a frame.
    assert at_full_size(frame[:, :16], image, 4).shape == (3, 64, 160)
    # What has more pixels on one side shows more, and stays.
    wider = torch.zeros(3, 18, 41)
    assert at_full_size(wider, image, 4) is wider


def test_neighbors_reach_the_network_at_full_size(tmp_path):
    paths = [tmp_path / f'f{number}.png' for number in range(2)]
    before, image = (save(path, n, (24, 32)) for n, path in enumerate(paths))
    resolver = SuperResolver(weights=STUDENT, reference='neighbor')
    (result,) = resolver([image], [dict(img_path=str(paths[1]))])
    inputs = [
        part.flip(0)[None].float() / 255
        for part in (image, at_full_size(before, image, 4))
    ]
    network = load_published(STUDENT).eval()
    with torch.inference_mode():
        sr = network(*inputs)
    expected = (sr[0].flip(0) * 255).clamp(0, 255).round()
    assert (result - expected).abs().max() <= 1
