"""Tiles: they cover the image, and their borders cannot be seen."""

import itertools
from functools import partial

import cv2
import pytest
import torch
from inference_cases import noise, pipe

from mmdsr.inference import SuperResolver, tiling
from mmdsr.io.images import downscale, write_png
from mmdsr.samples import FOLDER

STUDENT = 'dsrnet_student'


@pytest.mark.parametrize('length', [1, 48, 49, 80, 97, 200])
@pytest.mark.parametrize(('tile', 'overlap'), [(48, 16), (64, 48), (32, 0)])
def test_tiles_cover_the_image(length, tile, overlap):
    tiles = tiling.make_tiles(length, length, tile, overlap, multiple=16)
    spans = sorted({t.x for t in tiles})
    assert len(tiles) == len(spans) ** 2
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    for start, stop in spans:
        assert start % 16 == 0
        assert 0 < stop - start <= tile
    for one, other in itertools.pairwise(spans):
        assert one[1] - other[0] >= overlap


def read(path):
    """BGR pixels (3, H, W)."""
    return torch.from_numpy(cv2.imread(str(path))).permute(2, 0, 1)


def test_joining_cut_pieces_gives_the_whole():
    image = torch.rand(3, 70, 100)
    tiles = tiling.make_tiles(70, 100, 48, 16, 16)
    cut = [tiling.crop(image, tile) for tile in tiles]
    canvas = tiling.Canvas(tiles, (70, 100), 1, 16, image.device)
    for tile, part in zip(tiles, cut, strict=True):
        canvas.add(tile, part)
    assert torch.equal(canvas.image(), tiling.to_bytes(image))


def test_windows_lie_at_the_same_place():
    size, ref_size = (160, 160), (640, 320)
    find = partial(tiling.proportional, margin=24)
    first, middle = (
        tiling.Tile((0, 48), (0, 48)),
        tiling.Tile(*[(64, 112)] * 2),
    )
    window = tiling.reference_window(first, size, ref_size, find)
    assert window == ((0, 288), (0, 144))
    window = tiling.reference_window(middle, size, ref_size, find)
    assert window == ((160, 544), (80, 272))
    whole = tiling.Tile((0, 160), (0, 160))
    assert tiling.reference_window(whole, size, ref_size, find) == (
        (0, 640),
        (0, 320),
    )


@pytest.mark.parametrize('ref_size', [(640, 640), (301, 200), (900, 724)])
def test_windows_from_the_center(ref_size):
    size, scale = (160, 160), 4
    find = partial(tiling.from_center, scale=scale)
    for tile in (
        tiling.Tile((0, 48), (64, 112)),
        tiling.Tile(*[(112, 160)] * 2),
    ):
        window = tiling.reference_window(tile, size, ref_size, find)
        for (a, b), (c, d), n, full in zip(
            tile, window, size, ref_size, strict=True
        ):
            assert d - c == scale * (b - a)
            # As far from the center of the reference as the tile is from that
            # of the image.
            ours = (a + b - n) * scale
            assert abs((c + d - full) - ours) <= 1
    whole = tiling.Tile((0, 160), (0, 160))
    assert tiling.reference_window(whole, size, ref_size, find) == (
        (0, ref_size[0]),
        (0, ref_size[1]),
    )


@pytest.mark.parametrize('first', [-30, -9, -8, 0, 5, 18, 20, 40])
def test_crops_repeat_the_edge(first):
    image = torch.rand(2, 3, 20, 24) + 1
    found = tiling.crop_padded(image, tiling.Tile((first, first + 9), (2, 7)))
    assert found.shape == (2, 3, 9, 5)
    nothing = first in (-30, -9, 20, 40)
    for row in range(9):
        nearest = min(max(first + row, 0), 19)
        expected = 0 if nothing else image[:, :, nearest, 2:7]
        assert (found[:, :, row] == expected).all()


@pytest.mark.parametrize('part', [(240, 320), (360, 480), (672, 896)])
def test_tiles_see_a_reference_of_another_size(part):
    lr, whole = map(read, (FOLDER / 'frame.png', FOLDER / 'reference.jpg'))
    middle = [
        ((full - side) // 2, (full + side) // 2)
        for full, side in zip(whole.shape[1:], part, strict=True)
    ]
    ref = tiling.crop_padded(whole, tiling.Tile(*middle))
    at_once, tiled = (
        SuperResolver(
            weights='dsrnet_x_nano', backend='torch', tile=tile
        ).explain_pixels([lr], None, [ref])[0]
        for tile in (None, 96)
    )
    seen, tiled_seen = (
        torch.as_tensor(found.confidence).float().mean()
        for found in (at_once, tiled)
    )
    assert 0.6 * seen < tiled_seen < 1.5 * seen
    error = at_once.pixels.float() - tiled.pixels.float()
    assert error.abs().mean() < 1


def test_small_tiles_are_refused_where_they_are_given():
    with pytest.raises(ValueError, match='tile must be at least 20'):
        SuperResolver(weights='dsrnet_x_nano', tile=18, overlap=16)


def test_no_seam():
    image = pipe(64, 112)
    whole = SuperResolver(weights=STUDENT)([image])[0]

    def run(overlap):
        resolver = SuperResolver(weights=STUDENT, tile=64, overlap=overlap)
        return (resolver([image])[0] - whole).abs()

    difference, hard = run(32), run(0)
    # Without overlap the border between two tiles is at 64 * 4.
    border = slice(64 * 4 - 4, 64 * 4 + 4)
    seam = hard[..., border].mean()
    # docs/super_resolve.md; bytes, of which few differ by more than one.
    assert difference.mean() < 0.3
    assert (difference > 3).float().mean() < 0.001
    assert difference[..., border].mean() < seam / 2
    # With it, no column differs much more than the rest.
    columns = difference.mean((0, 1))
    assert columns.max() < 4 * columns[columns > 0].mean()


def test_tiles_find_a_reference_as_the_whole_image_does(tmp_path):
    scene = torch.repeat_interleave(noise(64, 116, seed=3), 4, 1)
    scene = (scene.repeat_interleave(4, 2) + noise(256, 464)) // 2
    hr, ref = (scene[..., at : at + 448].permute(1, 2, 0) for at in (0, 12))
    write_png(tmp_path / 'ref.png', ref.flip(2).numpy().copy())
    lr = torch.from_numpy(downscale(hr.numpy().copy())).permute(2, 0, 1)

    def error(reference, tile):
        resolver = SuperResolver(
            weights='dsrnet_x_nano', reference=reference, tile=tile
        )
        sample = dict(ref_path=str(tmp_path / 'ref.png'))
        (sr,) = resolver([lr], [sample])
        # The last columns of the scene are not in the reference.
        return (sr.permute(1, 2, 0) - hr)[:, 16:].abs().mean()

    alone, whole, tiled = (
        error(*case)
        for case in (('upscaled', None), ('file', None), ('file', 64))
    )
    assert whole < 0.8 * alone
    assert tiled - whole < 0.1 * (alone - whole)


def test_a_tile_as_large_as_the_image_is_the_image():
    image = pipe(32, 40)
    one = SuperResolver(weights=STUDENT)([image])[0]
    other = SuperResolver(weights=STUDENT, tile=40)([image])[0]
    assert torch.equal(one, other)


def test_tiles_of_odd_images_and_references():
    image = pipe(33, 65)
    resolver = SuperResolver(weights=STUDENT, tile=32, overlap=0)
    whole = SuperResolver(weights=STUDENT)([image])[0]
    tiled = resolver([image])[0]
    assert tiled.shape == whole.shape
    assert (tiled - whole).abs().mean() < 3


@pytest.mark.parametrize(('spoilt', 'shows'), [(4, False), (5, True)])
def test_the_outer_quarter_of_an_overlap_is_not_used(spoilt, shows):
    """There, a network lacks the surroundings."""
    size = 70, 100
    image = torch.rand(3, *size)
    tiles = tiling.make_tiles(*size, 48, 16, 16)
    canvas = tiling.Canvas(tiles, size, 1, 16, image.device)
    for tile in tiles:
        part = tiling.crop(image, tile).clone()
        for axis, (span, side) in enumerate(zip(tile, size, strict=True), 1):
            length = part.shape[axis]
            if span[0] > 0:
                part.narrow(axis, 0, spoilt).fill_(99)
            if span[1] < side:
                part.narrow(axis, length - spoilt, spoilt).fill_(99)
        canvas.add(tile, part)
    same = torch.equal(canvas.image(), tiling.to_bytes(image))
    assert same != shows
