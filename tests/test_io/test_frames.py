import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdsr.converters.frames_to_refsr import find_reference, frames_to_refsr
from mmdsr.io.frames import (
    Frame,
    find_runs,
    read_rgb,
    sharpness,
)
from mmdsr.io.layout import downscale, encode_depth, read_manifest


def picture(seed, height=64, width=72):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def make_run(folder, count, start=0, **size):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image = Image.fromarray(picture(start + i, **size))
        image.save(folder / f'f{i + 8}.png')  # f8, f9, f10: natural order
    return folder


def read(path):
    with Image.open(path) as file:
        return np.asarray(file)


def stems(out, split):
    return read_manifest(out)['splits'][split]


def content(out, split, key, stem):
    return read(out / split / key / f'{stem}.png')


@pytest.mark.parametrize(
    ('reference', 'gap', 'expected'),
    [
        ('next', 1, {'f8': 1, 'f9': 2, 'f10': 3}),
        ('next', 2, {'f8': 2, 'f9': 3}),
        ('previous', 1, {'f9': 0, 'f10': 1, 'f11': 2}),
    ],
)
def test_pairs(tmp_path, reference, gap, expected):
    frames = make_run(tmp_path / 'cam', 4)
    out = tmp_path / 'out'
    summary = frames_to_refsr(
        frames, out, reference=reference, gap=gap, holdout=[0]
    )
    assert set(stems(out, 'train')) == {f'cam_{name}' for name in expected}
    for name, other in expected.items():
        hr = content(out, 'train', 'hr', f'cam_{name}')
        np.testing.assert_array_equal(hr, picture(int(name[1:]) - 8))
        ref = content(out, 'train', 'ref', f'cam_{name}')
        np.testing.assert_array_equal(ref, picture(other))
        lr = content(out, 'train', 'lr', f'cam_{name}')
        np.testing.assert_array_equal(lr, downscale(hr))
    assert summary.samples == {'train': len(expected)}
    ends = [name for names in summary.dropped.values() for name in names]
    assert len(ends) == 4 - len(expected)
    assert not (out / 'train' / 'depth_lr').exists()


def test_no_pair_crosses_runs(tmp_path):
    for i in range(3):
        make_run(tmp_path / 'in' / f'run{i}', 3, start=10 * i)
    out = tmp_path / 'out'
    frames_to_refsr(tmp_path / 'in', out, holdout=['run1'])
    assert {s.split('_')[0] for s in stems(out, 'train')} == {'run0', 'run2'}
    assert stems(out, 'test') == ['run1_f8', 'run1_f9']
    for split in ('train', 'test'):
        for stem in stems(out, split):
            start = 10 * int(stem[3])
            ref = content(out, split, 'ref', stem)
            own = [picture(start + i) for i in range(3)]
            assert any(np.array_equal(ref, frame) for frame in own)


@pytest.mark.parametrize(
    ('fraction', 'test'),
    [(0, 0), (0.1, 1), (0.5, 2), (0.99, 3), (1, 4)],
)
def test_fraction_of_runs(tmp_path, fraction, test):
    for i in range(4):
        make_run(tmp_path / 'in' / f'run{i}', 2)
    out = tmp_path / 'out'
    frames_to_refsr(tmp_path / 'in', out, holdout=[fraction])
    assert stems(out, 'train') == [f'run{i}_f8' for i in range(4 - test)]
    assert stems(out, 'test') == [f'run{i}_f8' for i in range(4 - test, 4)]


@pytest.mark.parametrize('reference', ['next', 'previous', 'nearest-sharp'])
@pytest.mark.parametrize('gap', [1, 2])
def test_one_run_is_cut_without_leaks(tmp_path, reference, gap):
    frames = make_run(tmp_path / 'cam', 12)
    out = tmp_path / 'out'
    frames_to_refsr(frames, out, reference=reference, gap=gap, holdout=[0.3])
    seen = {}
    for split in ('train', 'test'):
        images = [
            content(out, split, key, stem)
            for stem in stems(out, split)
            for key in ('hr', 'ref')
        ]
        seen[split] = {
            i
            for i in range(12)
            for image in images
            if np.array_equal(image, picture(i))
        }
    # 4 of 12 frames are for the test, and gap frames lie between.
    assert seen['test'] == {8, 9, 10, 11}
    assert max(seen['train']) == 7 - gap


def test_nearest_sharp():
    values = [9, 1, 4, 7, 7, 2, 8]
    frames = [Frame(str(i), sharpness=v) for i, v in enumerate(values)]

    def chosen(index, gap):
        return find_reference(frames, index, 'nearest-sharp', gap)[0]

    assert chosen(1, 1) is frames[0]
    assert chosen(3, 1) is frames[4]  # not itself
    assert chosen(2, 2) is frames[0]
    assert chosen(5, 2) is frames[6]
    frames[6].problem = 'broken'
    assert chosen(5, 2) is frames[4]  # as sharp as 3, but nearer
    for frame in frames[:-1]:
        frame.problem = 'broken'
    assert find_reference(frames, 5, 'nearest-sharp', 1) == (
        None,
        'no usable frame within 1',
    )


def test_sharpness_falls_with_blur():
    sharp = picture(0)
    blurred = np.asarray(
        Image.fromarray(sharp).resize((36, 32)).resize((72, 64))
    )
    assert sharpness(blurred) < sharpness(sharp)


def test_sharp_references_are_found_in_files(tmp_path):
    frames = make_run(tmp_path / 'cam', 5)
    for i in (8, 9, 11, 12):  # all but the middle one are flat
        flat = np.full((64, 72, 3), i, np.uint8)
        Image.fromarray(flat).save(frames / f'f{i}.png')
    out = tmp_path / 'out'
    frames_to_refsr(frames, out, reference='nearest-sharp', gap=2, holdout=[0])
    for name in ('f8', 'f9', 'f11', 'f12'):
        ref = content(out, 'train', 'ref', f'cam_{name}')
        np.testing.assert_array_equal(ref, picture(2))


def _truncated(kind):
    buffer = io.BytesIO()
    Image.fromarray(picture(1)).save(buffer, format=kind)
    data = buffer.getvalue()
    return data[: len(data) // 2]


def _flipped_bits():
    buffer = io.BytesIO()
    Image.fromarray(picture(1)).save(buffer, format='PNG')
    data = bytearray(buffer.getvalue())
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


BROKEN = {
    'empty': b'',
    'text': b'not an image',
    'png': _truncated('PNG'),
    'jpeg': _truncated('JPEG'),
    'bits': _flipped_bits(),
}


@pytest.mark.parametrize('kind', BROKEN)
def test_broken_frames(tmp_path, kind):
    frames = make_run(tmp_path / 'cam', 5)
    (frames / 'f10.png').write_bytes(BROKEN[kind])
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match=r'f10.png'):
        frames_to_refsr(frames, out, holdout=[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ['cam']
    summary = frames_to_refsr(frames, out, holdout=[0], on_error='skip')
    # f9 has lost its reference; it is not paired with f11.
    assert stems(out, 'train') == ['cam_f11', 'cam_f8']
    dropped = {
        name.split('/')[-1]: why
        for why, names in summary.dropped.items()
        for name in names
    }
    assert set(dropped) == {'f9.png', 'f10.png', 'f12.png'}
    assert dropped['f9.png'] == 'the next frame is unusable'


@pytest.mark.parametrize('size', [(65, 72), (64, 73), (67, 75)])
def test_odd_sizes(tmp_path, size):
    frames = make_run(tmp_path / 'cam', 3)
    odd = picture(5, *size)
    Image.fromarray(odd).save(frames / 'f9.png')
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match=r'f9.png.*not a multiple of 4'):
        frames_to_refsr(frames, out, holdout=[0], on_error='skip')
    assert not out.exists()
    frames_to_refsr(frames, out, holdout=[0], odd_size='crop')
    hr = content(out, 'train', 'hr', 'cam_f9')
    height, width = size[0] // 4 * 4, size[1] // 4 * 4
    np.testing.assert_array_equal(hr, odd[:height, :width])
    with pytest.raises(ValueError, match='No sample is left'):
        frames_to_refsr(
            frames, out, holdout=[0], odd_size='skip', overwrite=True
        )
    assert content(out, 'train', 'hr', 'cam_f9').size  # the old one


def test_a_turned_frame(tmp_path):
    run = make_run(tmp_path / 'in' / 'a', 6)
    Image.fromarray(picture(9, 72, 64)).save(run / 'f10.png')
    out = tmp_path / 'out'
    # Which of the two is wrong is for the user to see.
    message = (
        r'2 files refused: .*f9\.png \(72x64, f10\.png 64x72\): .* a '
        r'different size; .*f10\.png \(64x72, f11\.png 72x64\)'
    )
    with pytest.raises(ValueError, match=message):
        frames_to_refsr(run, out, holdout=[0])
    assert not out.exists()
    kwargs = dict(holdout=[0], on_error='skip', overwrite=True)
    summary = frames_to_refsr(run, out, **kwargs)
    assert stems(out, 'train') == ['a_f11', 'a_f12', 'a_f8']
    lost = summary.dropped['its reference has a different size']
    assert [Path(name.split(' (')[0]).name for name in lost] == [
        'f9.png',
        'f10.png',
    ]
    summary = frames_to_refsr(run, out, reference='nearest-sharp', **kwargs)
    assert sum(summary.samples.values()) == 5
    for key in ('hr', 'ref'):
        for stem in stems(out, 'train'):
            assert content(out, 'train', key, stem).shape == (64, 72, 3)
    # Runs may differ in size: no pair crosses them.
    make_run(tmp_path / 'in' / 'b', 3, height=72, width=64)
    (run / 'f10.png').unlink()
    frames_to_refsr(tmp_path / 'in', out, holdout=[0], overwrite=True)
    # And by less than the scale, if that is cut off.
    Image.fromarray(picture(9, 65, 75)).save(run / 'f10.png')
    frames_to_refsr(run, out, odd_size='crop', overwrite=True)


def test_tiny_frames(tmp_path):
    frames = make_run(tmp_path / 'cam', 3)
    Image.new('RGB', (1, 1)).save(frames / 'f8.png')
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match=r'f8.png: 1x1 is too small'):
        frames_to_refsr(frames, out, holdout=[0], odd_size='crop')
    frames_to_refsr(frames, out, holdout=[0], on_error='skip')
    assert stems(out, 'train') == ['cam_f9']


def _kinds():
    rgb = Image.fromarray(picture(0))
    gray = rgb.convert('L')
    wide = np.asarray(gray).astype(np.uint16) * 257
    alpha = rgb.copy()
    alpha.putalpha(7)
    return {
        'grey': (
            gray,
            'L to RGB',
            np.repeat(np.asarray(gray)[..., None], 3, 2),
        ),
        'wide': (
            Image.fromarray(wide),
            '16-bit gray to 8 bits',
            np.repeat(np.asarray(gray)[..., None], 3, 2),
        ),
        'alpha': (alpha, 'transparency dropped', picture(0)),
        'palette': (
            rgb.quantize(16),
            'P to RGB',
            np.asarray(rgb.quantize(16).convert('RGB')),
        ),
    }


@pytest.mark.parametrize('kind', ['grey', 'wide', 'alpha', 'palette'])
def test_other_kinds_become_rgb(tmp_path, kind):
    image, note, expected = _kinds()[kind]
    image.save(tmp_path / 'a.png')
    values, found = read_rgb(tmp_path / 'a.png')
    np.testing.assert_array_equal(values, expected)
    assert found.split(',')[0] == note
    assert ('transparency dropped' in found) == (kind == 'alpha')


def test_cmyk_and_float(tmp_path):
    rgb = Image.fromarray(picture(0))
    rgb.convert('CMYK').save(tmp_path / 'a.tif')
    values, note = read_rgb(tmp_path / 'a.tif')
    np.testing.assert_allclose(values, picture(0), atol=1)
    assert note == 'CMYK to RGB'
    rgb.convert('F').save(tmp_path / 'b.tif')
    with pytest.raises(ValueError, match='floating-point'):
        read_rgb(tmp_path / 'b.tif')


def test_photos_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = tmp_path / 'a.png'
    Image.fromarray(picture(0)).save(path, exif=exif)
    values, _ = read_rgb(path)
    np.testing.assert_array_equal(values, np.rot90(picture(0), -1))


@pytest.mark.parametrize('suffix', ['.png', '.npy'])
def test_depth(tmp_path, suffix):
    frames = make_run(tmp_path / 'in' / 'cam', 3, height=67)
    depth = tmp_path / 'depth' / 'cam'
    depth.mkdir(parents=True)
    for i in (8, 9):
        meters = np.full((67, 72), i / 4, np.float32)
        if suffix == '.npy':
            np.save(depth / f'f{i}.npy', meters)
        else:
            Image.fromarray(encode_depth(meters)).save(depth / f'f{i}.png')
    out = tmp_path / 'out'
    summary = frames_to_refsr(
        frames.parent,
        out,
        depth=tmp_path / 'depth',
        holdout=[0],
        odd_size='crop',
    )
    assert summary.without_depth == 1
    depth_lr = content(out, 'train', 'depth_lr', 'cam_f9')
    assert depth_lr.shape == (16, 18)
    assert (depth_lr == 2250).all()
    assert (content(out, 'train', 'depth_ref', 'cam_f8') == 2250).all()
    assert not (out / 'train' / 'depth_ref' / 'cam_f9.png').exists()
    np.save(depth / 'f8.npy', np.ones((4, 4), np.float32))
    (depth / 'f8.png').unlink(missing_ok=True)
    with pytest.raises(ValueError, match=r'depth map .*f8.npy is 4x4'):
        frames_to_refsr(
            frames.parent,
            tmp_path / 'other',
            depth=tmp_path / 'depth',
            odd_size='crop',
        )
    with pytest.raises(FileNotFoundError, match='no depth map for any'):
        frames_to_refsr(frames, tmp_path / 'other', depth=tmp_path / 'in')


def test_find_runs_refuses(tmp_path):
    with pytest.raises(FileNotFoundError, match='no folder'):
        find_runs(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='contains no images'):
        find_runs(tmp_path)
    make_run(tmp_path / 'a', 2)
    Image.fromarray(picture(0)).save(tmp_path / 'x.png')
    with pytest.raises(ValueError, match='directly and in subfolders'):
        find_runs(tmp_path)
    (tmp_path / 'x.png').unlink()
    Image.fromarray(picture(0)).save(tmp_path / 'a' / 'f8.jpg')
    with pytest.raises(ValueError, match='rename one'):
        find_runs(tmp_path)
    (tmp_path / 'a' / 'f8.jpg').unlink()
    make_run(tmp_path / 'b c', 2)
    make_run(tmp_path / 'b-c', 2)
    with pytest.raises(ValueError, match='Two runs would be named b-c'):
        find_runs(tmp_path)


def test_names_are_made_fit(tmp_path):
    folder = tmp_path / '_pipe (1)' / 'left side'
    folder.mkdir(parents=True)
    for name in ('a_b 1.png', 'a_b 2.png', '.hidden.png', 'notes.txt'):
        Image.fromarray(picture(0)).save(folder / name, format='PNG')
    out = tmp_path / 'out'
    frames_to_refsr(tmp_path / '_pipe (1)', out, holdout=[0])
    assert stems(out, 'train') == ['left-side_a-b-1']


def test_arguments_are_checked(tmp_path):
    frames = make_run(tmp_path / 'cam', 3)
    out = tmp_path / 'out'
    for wrong, reason in (
        ({'scale': 1}, 'scale'),
        ({'gap': 0}, 'gap'),
        ({'reference': 'sharp'}, 'reference'),
        ({'on_error': 'ignore'}, 'on_error'),
        ({'odd_size': 'pad'}, 'odd_size'),
        ({'holdout': ['nowhere']}, 'nowhere'),
        ({'holdout': [1.5]}, r'1\.5'),
        ({'holdout': ['cam', '0.5']}, r'no run 0\.5'),
    ):
        with pytest.raises(ValueError, match=reason):
            frames_to_refsr(frames, out, **wrong)
    with pytest.raises(ValueError, match='is inside the folder'):
        frames_to_refsr(frames, frames / 'out')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['cam']


def test_frames_in_the_data_set_are_not_deleted(tmp_path):
    out = tmp_path / 'set'
    frames_to_refsr(make_run(tmp_path / 'in', 3), out, holdout=[0])
    run = make_run(out / 'raw', 3)
    before = sorted(out.rglob('*'))
    with pytest.raises(ValueError, match='raw is inside'):
        frames_to_refsr(run, out, holdout=[0], overwrite=True)
    assert sorted(out.rglob('*')) == before


def test_frames_linked_into_the_data_set_are_not_deleted(tmp_path):
    out, run = tmp_path / 'set', tmp_path / 'links'
    frames_to_refsr(make_run(tmp_path / 'in', 3), out, holdout=[0])
    run.mkdir()
    for path in make_run(out / 'raw', 3).iterdir():
        (run / path.name).symlink_to(path)
    with pytest.raises(ValueError, match=r'f8\.png is inside'):
        frames_to_refsr(run, out, holdout=[0], overwrite=True)
    depth = out / 'depth'
    depth.mkdir()
    meters = encode_depth(np.ones((64, 72), np.float32))
    Image.fromarray(meters).save(depth / 'f8.png')
    with pytest.raises(ValueError, match='depth is inside'):
        frames_to_refsr(
            tmp_path / 'in', out, holdout=[0], depth=depth, overwrite=True
        )
    assert len(list(run.iterdir())) == 3
    assert all(path.is_file() for path in run.iterdir())


@pytest.mark.parametrize('value', ['0', '1', '0.5'])
def test_a_run_with_the_name_of_a_fraction(tmp_path, value):
    for k, name in enumerate((value, 'a', 'b')):
        make_run(tmp_path / 'in' / name, 3, 10 * k)
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match='both the name of a run and a frac'):
        frames_to_refsr(tmp_path / 'in', out, holdout=[value])
    # As the message says.
    frames_to_refsr(tmp_path / 'in', out, holdout=[f'{float(value):.6f}'])
    runs = {stem.split('_')[0] for stem in stems(out, 'test')}
    assert len(runs) == {'0': 0, '1': 3, '0.5': 2}[value]
    frames_to_refsr(tmp_path / 'in', out, holdout=[value, 'a'], overwrite=True)
    assert {s.split('_')[0] for s in stems(out, 'test')} == {value, 'a'}
