import numpy as np
import pytest

from mmdsr.sim.shade.texture import MipAtlas


def grid(rows, cols):
    """Texel centers in periods."""
    v, u = np.meshgrid(
        (np.arange(rows) + 0.5) / rows,
        (np.arange(cols) + 0.5) / cols,
        indexing='ij',
    )
    return u.astype(np.float32), v.astype(np.float32)


@pytest.fixture
def texture():
    rng = np.random.default_rng(0)
    return rng.standard_normal((32, 64, 3)).astype(np.float32)


def test_first_level_gives_the_texture_back(texture):
    u, v = grid(32, 64)
    planes = MipAtlas(texture, 4).sample(u, v, np.zeros_like(u))
    np.testing.assert_allclose(np.stack(planes, -1), texture, atol=2e-3)


def test_rows_may_be_longer_than_opencv_allows(texture):
    atlas = MipAtlas(texture, 4)
    rng = np.random.default_rng(2)
    u, v = rng.random((2, 1, 40_001), dtype=np.float32)
    level = 3 * rng.random((1, 40_001), dtype=np.float32)
    whole = np.stack(atlas.sample(u, v, level.copy()))
    parts = [
        np.stack(atlas.sample(u[:, cut], v[:, cut], level[:, cut].copy()))
        for cut in (slice(0, 20_000), slice(20_000, None))
    ]
    assert whole.shape == (3, 1, 40_001)
    np.testing.assert_array_equal(whole, np.concatenate(parts, 2))


def test_texture_is_periodic_at_all_levels(texture):
    atlas = MipAtlas(texture, 5)
    rng = np.random.default_rng(1)
    u, v = rng.random((2, 16, 16), dtype=np.float32)
    level = 4 * rng.random((16, 16), dtype=np.float32)
    here = np.stack(atlas.sample(u, v, level))
    there = np.stack(atlas.sample(u - 2, v + 1, level))
    # OpenCV reads at steps of 1/32 pixel.
    np.testing.assert_allclose(here, there, atol=0.15)
    assert np.abs(here - there).mean() < 0.01


def test_all_levels_keep_the_mean(texture):
    for level in range(6):
        rows, cols = max(32 >> (level // 2), 1), 64 >> level
        u, v = grid(rows, cols)
        planes = MipAtlas(texture + 2, 6).sample(u, v, np.full_like(u, level))
        np.testing.assert_allclose(
            [plane.mean() for plane in planes],
            (texture + 2).mean((0, 1)),
            atol=0.01,
        )


def test_levels_filter_the_axis_more_than_the_circumference():
    x = np.arange(64)
    wave = np.sin(2 * np.pi * x / 16).astype(np.float32)
    along = np.broadcast_to(wave[None, :, None], (64, 64, 1))
    around = np.broadcast_to(wave[:, None, None], (64, 64, 1))
    u, v = grid(64, 64)
    level = np.full_like(u, 4)
    (flat,) = MipAtlas(np.ascontiguousarray(along), 5).sample(u, v, level)
    (kept,) = MipAtlas(np.ascontiguousarray(around), 5).sample(u, v, level)
    assert flat.std() < 0.02
    # Two halvings around: a wave of four pixels, half of it left.
    assert 0.25 < kept.std() < 0.6


def test_between_levels_is_a_blend(texture):
    atlas = MipAtlas(texture, 4)
    u, v = grid(32, 64)

    def at(level):
        return np.stack(atlas.sample(u, v, np.full_like(u, level)))

    blend = 0.75 * at(1) + 0.25 * at(2)
    np.testing.assert_allclose(at(1.25), blend, atol=1e-3)


def test_one_row_is_a_function_of_the_axis():
    line = np.random.default_rng(0).standard_normal((1, 64, 2))
    atlas = MipAtlas(line.astype(np.float32), 5)
    u, _ = grid(3, 64)
    planes = atlas.sample(u, None, np.zeros_like(u))
    np.testing.assert_allclose(
        np.stack(planes, -1), np.repeat(line, 3, 0), atol=2e-3
    )


@pytest.mark.parametrize(
    ('shape', 'levels'), [((30, 64, 1), 3), ((32, 64, 1), 8), ((8, 8, 1), 1)]
)
def test_bad_shapes_are_refused(shape, levels):
    with pytest.raises(ValueError, match=r'powers of two|levels must be'):
        MipAtlas(np.zeros(shape, np.float32), levels)
