"""Flow stays true through flips, transposes, crops and the warp."""

import itertools

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmdsr.datasets.alignment_cache import alignment_path, encode_alignment
from mmdsr.io.files import write_bytes
from mmdsr.io.flow_values import write_flow
from mmdsr.io.images import encode_depth, encode_png
from mmdsr.io.manifest import write_manifest
from mmdsr.models.networks.flow import enlarge_flow, warp
from mmdsr.transforms import (
    AlignRef,
    FlipTranspose,
    LoadAlignment,
    LoadFlow,
    PairedRefCrop,
    SpoilRef,
)
from mmdsr.transforms.align_ref import warp_image
from mmdsr.transforms.flip_transpose import flip_transpose

KEYS = ['img', 'gt', 'ref', 'flow', 'visible', 'confidence']
WAYS = list(itertools.product([False, True], repeat=3))


def torch_warp(ref, flow, scale=4):
    """What the network does, on arrays."""
    image, move = (
        torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1)))[None]
        for a in (ref.astype(np.float32), flow.astype(np.float32))
    )
    warped = warp(image, enlarge_flow(move, scale))
    return warped[0].permute(1, 2, 0).numpy()


def sample(height=20, width=28, ref=None, seed=0):
    """Smooth pictures and a flow that leaves the reference in places."""
    rng = np.random.default_rng(seed)
    ref = ref or (4 * height, 4 * width)

    def smooth(h, w, channels):
        small = rng.random((h // 8 + 2, w // 8 + 2, channels))
        return cv2.resize(small.astype(np.float32), (w, h)).reshape(
            h, w, channels
        )

    flow = 10 * smooth(height, width, 2) - 5
    y, x = np.mgrid[:height, :width]
    u, v = x + flow[..., 0], y + flow[..., 1]
    there = (u >= -0.5) & (u <= ref[1] / 4 - 0.5)
    there &= (v >= -0.5) & (v <= ref[0] / 4 - 0.5)
    return dict(
        img=smooth(height, width, 3),
        gt=smooth(4 * height, 4 * width, 3),
        ref=smooth(*ref, 3),
        flow=flow.astype(np.float32),
        visible=there[..., None].astype(np.float32),
        confidence=smooth(height, width, 1),
    )


@pytest.mark.parametrize('way', WAYS)
def test_flip_and_warp_commute(way):
    before = sample()
    turned = {
        key: flip_transpose(value, *way, flow=key == 'flow')
        for key, value in before.items()
    }
    expected = flip_transpose(torch_warp(before['ref'], before['flow']), *way)
    found = torch_warp(turned['ref'], turned['flow'])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    if any(way):
        # Without turning the direction it would not.
        wrong = flip_transpose(before['flow'], *way)
        assert np.abs(torch_warp(turned['ref'], wrong) - expected).max() > 0.1


def test_all_eight_ways_are_drawn():
    np.random.seed(0)
    before = sample(12, 16)
    transform = FlipTranspose(keys=[*KEYS, 'absent'])
    expected = {
        way: {
            key: flip_transpose(value, *way, flow=key == 'flow')
            for key, value in before.items()
        }
        for way in WAYS
    }
    counts = dict.fromkeys(WAYS, 0)
    for _ in range(80):
        after = transform(dict(before))
        (way,) = (
            way
            for way in WAYS
            if np.array_equal(after['img'], expected[way]['img'])
        )
        for key in KEYS:
            np.testing.assert_array_equal(after[key], expected[way][key])
        counts[way] += 1
    assert min(counts.values()) >= 3
    assert 'flow' not in FlipTranspose(['img'])({'img': before['img']})


def test_a_map_that_would_not_be_turned_is_refused():
    before = dict(sample(12, 16), depth_lr=np.zeros((12, 16, 1)))
    with pytest.raises(ValueError, match='would leave depth_lr as it is'):
        FlipTranspose(keys=[*KEYS, 'depth'])(before)


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('ref', [(92, 130), (72, 99)])
def test_a_flow_to_a_reference_of_another_size_turns(way, ref):
    before = sample(ref=ref)
    drawn = iter([np.array(way)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, 'randint', lambda *_, **__: next(drawn))
        after = FlipTranspose(keys=KEYS)(dict(before))
    expected = flip_transpose(torch_warp(before['ref'], before['flow']), *way)
    found = torch_warp(after['ref'], after['flow'])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize('kind', ['same', 'whole', 'margin'])
@pytest.mark.parametrize('seed', range(3))
def test_crop_and_warp_commute(kind, seed):
    np.random.seed(seed)
    before = sample(seed=seed, ref=(100, 90) if kind == 'whole' else None)
    options = dict(
        ref='whole' if kind == 'whole' else 'same',
        ref_margin=3 if kind == 'margin' else 0,
    )
    after = PairedRefCrop((9, 14), **options)(dict(before))
    top, left, height, width = after['crop_window']
    rows, cols = slice(top, top + height), slice(left, left + width)
    whole = torch_warp(before['ref'], before['flow'])[
        4 * top : 4 * (top + height), 4 * left : 4 * (left + width)
    ]
    part = torch_warp(after['ref'], after['flow'])
    # At HR, away from the window's edge, where the flow is interpolated
    # with what was cut, and only where both have the place.
    shown = np.repeat(np.repeat(after['visible'], 4, 0), 4, 1)[..., 0] > 0
    solid = cv2.erode(shown.astype(np.uint8), np.ones((17, 17))) > 0
    solid[:4], solid[-4:], solid[:, :4], solid[:, -4:] = 0, 0, 0, 0
    if kind != 'same':
        assert solid.any()
    np.testing.assert_allclose(part[solid], whole[solid], atol=1e-4)
    # Pixel by pixel: visible as before, unless it left the window.
    y, x = np.mgrid[:height, :width]
    u, v = x + after['flow'][..., 0], y + after['flow'][..., 1]
    h, w = (side / 4 for side in after['ref'].shape[:2])
    there = (u >= -0.5) & (u <= w - 0.5) & (v >= -0.5) & (v <= h - 0.5)
    for key in ('visible', 'confidence'):
        expected = before[key][rows, cols] * there[..., None]
        np.testing.assert_array_equal(after[key], expected)
    if kind == 'same':
        assert after['visible'].sum() < before['visible'][rows, cols].sum()


def test_flow_files(tmp_path):
    before = sample()
    visible = before['visible'][..., 0] > 0
    write_flow(tmp_path / 'a.png', before['flow'], visible)
    info = dict(img=before['img'], flow_path=str(tmp_path / 'a.png'))
    after = LoadFlow(missing='error')(dict(info))
    np.testing.assert_allclose(after['flow'], before['flow'], atol=1 / 128)
    np.testing.assert_array_equal(after['visible'], before['visible'])
    with pytest.raises(ValueError, match=r'28x20, but the image is 10x20'):
        LoadFlow()(dict(info, img=before['img'][:, :10]))


def test_unknown_flow(tmp_path):
    after = LoadFlow()(dict(img=np.zeros((5, 6, 3)), data_root=str(tmp_path)))
    assert after['flow'].shape == (5, 6, 2)
    assert not after['flow'].any()
    assert after['visible'].shape == (5, 6, 1)
    assert not after['visible'].any()
    with pytest.raises(FileNotFoundError, match=r'known for a\.png'):
        LoadFlow(missing='error')(
            dict(img=np.zeros((5, 6, 3)), img_path='a.png')
        )


@pytest.mark.parametrize('packed', [False, True])
def test_a_flow_from_estimated_depth_is_not_known(tmp_path, packed):
    depth = np.full((6, 8), 2.0, np.float32)
    info = dict(
        img=np.zeros((6, 8, 3)), data_root=str(tmp_path), split='test',
        stem='run_0',
    )  # fmt: skip
    for key in ('depth_lr', 'depth_ref'):
        write_bytes(tmp_path / f'{key}.png', encode_png(encode_depth(depth)))
        info[f'{key}_path'] = str(tmp_path / f'{key}.png')
    camera = [40, 40, 16, 12, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
    rows = [['test', 'run_0', image, *camera] for image in ('image', 'ref')]
    lines = ['header', *(','.join(map(str, row)) for row in rows)]
    (tmp_path / 'poses.csv').write_text('\n'.join(lines) + '\n')

    def visible(**made_by):
        made_by = dict(source=made_by) if packed else made_by
        write_manifest(tmp_path, dict(test=['run_0']), generator=made_by)
        return LoadFlow()(dict(info))['visible'].mean()

    assert visible(name='sewersim') == 1
    assert visible(name='sewersim', depth=dict(name='pipe')) == 0


@pytest.mark.parametrize('reference', ['wrong', 'self'])
def test_another_reference_shows_nothing(tmp_path, refsr_root, reference):
    import shutil

    from mmdsr.datasets.refsr_dataset import RefSRDataset

    root = tmp_path / 'data'
    shutil.copytree(refsr_root, root)
    stems = [p.stem for p in (root / 'test/lr').iterdir()]
    for stem in stems:
        write_flow(
            root / 'test/flow' / f'{stem}.png',
            np.full((48, 64, 2), 2.0),
            np.ones((48, 64), bool),
        )
    pipeline = [dict(type='mmdsr.LoadFlow')]

    def shares(kind):
        def image(info):
            return {**info, 'img': np.zeros((48, 64, 3))}

        dataset = RefSRDataset(
            root, 'test', pipeline=[image, *pipeline], reference=kind
        )
        return [s['visible'].mean() for s in dataset]

    assert shares('adjacent') == [1, 1]
    assert shares(reference) == [0, 0]


@pytest.mark.parametrize('ref', [None, (64, 130)])
def test_align_ref_is_the_networks_own_warp(ref):
    before = sample(ref=ref)
    before['ref'] = (255 * before['ref']).astype(np.uint8)
    after = AlignRef()(dict(before))
    assert after['ref'].dtype == np.uint8
    assert after['ref'].shape == (80, 112, 3)
    assert not after['flow'].any()
    expected = torch_warp(before['ref'], before['flow'])
    error = np.abs(after['ref'].astype(float) - expected)
    # Rounded to 8 bits, by OpenCV's weights of 1/32.
    assert error.max() <= 1.1
    assert error.mean() < 0.4
    # What is left to do for the network changes nothing.
    again = torch_warp(after['ref'], after['flow'])
    np.testing.assert_allclose(again, after['ref'], atol=1e-2)
    large = warp_image(before['ref'].astype(np.float32), before['flow'])
    np.testing.assert_allclose(large, expected, atol=1)


def test_align_ref_takes_the_depth_along():
    before = sample()
    depth = np.random.default_rng(5).random((20, 28, 1)).astype(np.float32)
    after = AlignRef()(dict(before, depth_ref=depth))
    assert after['depth_ref'].shape == (20, 28, 1)
    expected = torch_warp(depth, before['flow'], 1)
    # OpenCV's weights are multiples of 1/32.
    np.testing.assert_allclose(after['depth_ref'], expected, atol=0.07)
    assert 'depth_ref' not in AlignRef()(dict(before))


def test_shares_of_spoilt_references():
    np.random.seed(0)
    before = sample()
    transform = SpoilRef(missing=0.3, wrong=0.2, black=0.1, shift=(2, 8))
    counts = dict.fromkeys(('missing', 'wrong', 'black', 'none'), 0)
    lengths = []
    for _ in range(1000):
        after = transform(dict(before))
        changed = [
            key
            for key in before
            if not np.array_equal(before[key], after[key])
        ]
        assert len(changed) <= 1
        kind = (
            {
                'confidence': 'missing',
                'flow': 'wrong',
                'ref': 'black',
            }.get(*changed)
            if changed
            else 'none'
        )
        counts[kind] += 1
        if kind == 'wrong':
            move = (after['flow'] - before['flow']).reshape(-1, 2)
            np.testing.assert_allclose(
                move, move[:1].repeat(len(move), 0), atol=1e-5
            )
            lengths.append(np.hypot(*move[0]))
            assert after['flow'].dtype == np.float32
        elif kind != 'none':
            assert not after[changed[0]].any()
    shares = {key: count / 1000 for key, count in counts.items()}
    expected = dict(missing=0.3, wrong=0.2, black=0.1, none=0.4)
    for key, share in expected.items():
        assert abs(shares[key] - share) < 0.05
    assert min(lengths) > 1.99
    assert max(lengths) < 8.01
    assert 3.5 < np.median(lengths) < 4.6
    for wrong in (
        dict(missing=-0.1),
        dict(missing=0.5, wrong=0.4, black=0.2),
        dict(missing=0.5, wrong=0.4, soft=0.2),
        dict(shift=(0, 3)),
        dict(shift=(4, 3)),
    ):
        with pytest.raises(ValueError, match='must be'):
            SpoilRef(**wrong)


def test_soft_references_have_the_resolution_of_lr():
    ref = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    before = {**sample(), 'ref': ref}
    after = SpoilRef(missing=0, wrong=0, black=0, soft=1)(dict(before))
    assert after['flow'] is before['flow']
    assert after['ref'].shape == ref.shape
    small = Image.fromarray(ref).resize((32, 16), Image.Resampling.BICUBIC)
    large = small.resize((128, 64), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(after['ref'], large)


def test_soft_references_of_any_size():
    ref = np.random.default_rng(0).integers(0, 256, (67, 66, 3), np.uint8)
    spoil = SpoilRef(missing=0, wrong=0, black=0, soft=1)
    after = spoil({**sample(), 'ref': ref})['ref']
    assert after.shape == ref.shape
    inner = spoil({**sample(), 'ref': ref[:64, :64]})['ref']
    np.testing.assert_array_equal(after[:48, :48], inner[:48, :48])


def test_load_alignment(tmp_path):
    before = sample()
    place = (tmp_path, 'train', 'dis', 'a')
    data = encode_alignment(before['flow'], before['confidence'])
    write_bytes(alignment_path(*place), data)
    info = dict(
        img=before['img'], data_root=str(tmp_path), split='train', stem='a'
    )
    load = LoadAlignment('dis')
    after = load(dict(info))
    np.testing.assert_allclose(after['flow'], before['flow'], atol=3e-3)
    np.testing.assert_allclose(
        after['confidence'], before['confidence'], atol=1e-3
    )
    assert after['flow'].dtype == after['confidence'].dtype == np.float32
    with pytest.raises(ValueError, match="reference='wrong'"):
        load(dict(info, reference='wrong'))
    with pytest.raises(
        ValueError, match=r'28x20, but the image is 5x5.*--overwrite'
    ):
        load(dict(info, img=np.zeros((5, 5, 3))))
    with pytest.raises(FileNotFoundError, match='--name dis'):
        load(dict(info, stem='b'))
    path = tmp_path / 'train/align-dis/a.npy'
    np.save(path, np.zeros((20, 28, 2), np.float16))
    with pytest.raises(ValueError, match='must contain float16'):
        load(dict(info))
    path.write_bytes(b'no array')
    with pytest.raises(ValueError, match=r'a\.npy'):
        load(dict(info))
