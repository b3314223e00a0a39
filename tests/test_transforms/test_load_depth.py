import numpy as np
import pytest

from mmdsr.io.images import downscale_depth, encode_depth, write_png
from mmdsr.registry import TRANSFORMS
from mmdsr.transforms import LoadDepth, inverse_depth


def sample(path, height=8, width=12, key='depth_lr'):
    return {
        'img': np.zeros((height, width, 3), np.uint8),
        'ref': np.zeros((4 * height, 4 * width, 3), np.uint8),
        f'{key}_path': path,
    }


def test_inverse_depth():
    depth = np.array([0.1, 0.25, 0.5, 25, np.inf, 0, -1, np.nan])
    values = inverse_depth(depth, near=0.25)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[:5], [1, 1, 0.5, 0.01, 0])
    assert np.isnan(values[5:]).all()


def test_from_png(tmp_path):
    meters = np.linspace(0.3, 4, 96).reshape(8, 12)
    meters[2, 3] = np.nan
    path = tmp_path / 'a.png'
    write_png(path, encode_depth(meters))
    transform = TRANSFORMS.build(
        dict(type='mmdsr.LoadDepth', key='depth_lr', near=0.5)
    )
    depth = transform(sample(str(path)))['depth_lr']
    assert depth.shape == (8, 12, 1)
    assert depth.dtype == np.float32
    expected = np.minimum(0.5 / meters, 1)
    np.testing.assert_allclose(depth[..., 0], expected, atol=2e-3)
    assert np.isnan(depth[2, 3, 0])


@pytest.mark.parametrize('path', [None, 'no/such/file.png'])
def test_missing(path):
    results = LoadDepth('depth_ref', 'ref', scale=4)(
        sample(path, key='depth_ref')
    )
    assert results['depth_ref'].shape == (8, 12, 1)
    assert np.isnan(results['depth_ref']).all()
    with pytest.raises(FileNotFoundError, match='depth_ref'):
        LoadDepth('depth_ref', 'ref', scale=4, missing='error')(
            sample(path, key='depth_ref')
        )


def test_a_full_size_map_is_reduced(tmp_path):
    rng = np.random.default_rng(0)
    meters = rng.uniform(0.3, 4, (32, 48)).astype(np.float32)
    np.save(tmp_path / 'a.npy', meters)
    results = sample(tmp_path / 'a.npy', key='depth_ref')
    depth = LoadDepth('depth_ref', 'ref', scale=4)(results)['depth_ref']
    expected = inverse_depth(downscale_depth(meters))
    np.testing.assert_allclose(depth[..., 0], expected, rtol=1e-6)


def test_self_reference_of_any_size(tmp_path):
    # The reference is the LR itself: 10x14, which 4 does not divide.
    np.save(tmp_path / 'a.npy', np.full((10, 14), 0.5, np.float32))
    results = {
        'ref': np.zeros((10, 14, 3), np.uint8),
        'depth_ref_path': tmp_path / 'a.npy',
    }
    depth = LoadDepth('depth_ref', 'ref', scale=4)(results)['depth_ref']
    assert depth.shape == (3, 4, 1)
    np.testing.assert_allclose(depth, 0.5)


def test_refuses(tmp_path):
    np.save(tmp_path / 'a.npy', np.ones((9, 12), np.float32))
    with pytest.raises(ValueError, match=r'12x9; .* must be 12x8'):
        LoadDepth('depth_lr')(sample(tmp_path / 'a.npy'))
    with pytest.raises(ValueError, match='must come after'):
        LoadDepth('depth_lr')({'depth_lr_path': None})
    for wrong in ({'missing': 'zero'}, {'near': 0}, {'unit': -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LoadDepth('depth_lr', **wrong)
