"""Every tool that reads files, against files that are not as they should be.

Each tool is run as a user would, in one folder with all of them: it must end
with a message instead of a traceback, name each file, and leave nothing half
written. What can be read is read right.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tool_runs
from PIL import Image

from mmdsr.converters.frames_to_refsr import frames_to_refsr
from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.dev.case import encode, picture
from mmdsr.dev.mutate import mutate_bytes
from mmdsr.io.frames import find_runs, frame_name, read_rgb
from mmdsr.io.images import open_image, read_depth
from mmdsr.io.layout import encode_depth, read_manifest
from mmdsr.registry import TRANSFORMS

ROOT = Path(__file__).parents[2]


def call(tool, *args):
    """Run a tool in this process; fail if it warns."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        # Python does not show it: NumPy leaves a damaged archive open.
        warnings.simplefilter('ignore', ResourceWarning)
        done = tool_runs.call(f'dataset_converters/{tool}.py', *args)
    assert not seen, [str(warning.message) for warning in seen]
    return done


def run(tool, *args, timeout=100):
    """Run a tool; fail if it shows a traceback or hangs."""
    folders = [str(ROOT), str(ROOT / 'tools' / 'dataset_converters')]
    code = (
        'import sys\n'
        f'sys.path[:0] = {folders}\n'
        f'sys.argv = {[tool, *map(str, args)]!r}\n'
        f'import {tool}\n'
        f'sys.exit({tool}.main())'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors='replace',
        check=False,
        timeout=timeout,
    )
    assert 'Traceback' not in done.stderr, done.stderr
    assert 'Warning' not in done.stderr, done.stderr
    return done


def bomb(side):
    """A small PNG that claims to have side x side pixels."""

    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return (
            struct.pack('>I', len(data)) + name + data + struct.pack('>I', crc)
        )

    header = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + chunk(b'IDAT', zlib.compress(bytes(1000)))
        + chunk(b'IEND', b'')
    )


RGB = Image.fromarray(picture())
GRAY = np.asarray(RGB.convert('L'))
THREE = np.repeat(GRAY[..., None], 3, axis=2)
ALPHA = RGB.copy()
ALPHA.putalpha(100)

UNUSABLE = {
    'truncated.png': encode(RGB)[:2000],
    'header only.png': encode(RGB)[:33],
    'cut.jpg': encode(RGB, 'JPEG')[:900],
    'empty.png': b'',
    'text.png': b'this is no image',
    'zip.jpg': b'PK\x03\x04' + bytes(99),
    'bomb.png': bomb(12_000),
    'big bomb.png': bomb(100_000),
    'one.png': encode(Image.new('RGB', (1, 1))),
    'long.png': encode(Image.new('RGB', (20_000, 1))),
    'float.tif': encode(RGB.convert('F'), 'TIFF'),
}
USABLE = {
    'wide.png': (encode(Image.fromarray(GRAY.astype(np.uint16) * 257)), THREE),
    'grey.png': (encode(RGB.convert('L')), THREE),
    'alpha.png': (encode(ALPHA), picture()),
    'with spaces & (marks) [1].png': (encode(RGB), picture()),
    'Größe-下水道-😀.png': (encode(RGB), picture()),
    '-rf.png': (encode(RGB), picture()),
}
CMYK = encode(RGB.convert('CMYK'), 'JPEG', quality=100, subsampling=0)


def fill(folder, special=True):
    """Write all files; with special, also what is no regular file."""
    folder.mkdir(parents=True)
    for name, content in UNUSABLE.items():
        (folder / name).write_bytes(content)
    for name, (content, _) in USABLE.items():
        (folder / name).write_bytes(content)
    (folder / 'cmyk.jpg').write_bytes(CMYK)
    names = set(UNUSABLE)
    if special:
        (folder / 'dangling.png').symlink_to('nowhere.png')
        (folder / 'itself.png').symlink_to('itself.png')
        os.mkfifo(folder / 'pipe.png')
        (folder / 'folder.png').mkdir()
        names |= {'dangling.png', 'itself.png', 'pipe.png'}
    return names


def tree(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob('*'))


def test_reading(tmp_path):
    names = fill(tmp_path / 'in')
    for name in names - {'one.png', 'long.png'}:
        # One line, whatever the library says.
        with pytest.raises(ValueError, match=r'\A.{1,200}\Z'):
            read_rgb(tmp_path / 'in' / name)
    for name, (_, expected) in USABLE.items():
        values, _ = read_rgb(tmp_path / 'in' / name)
        np.testing.assert_array_equal(values, expected, name)
    values, note = read_rgb(tmp_path / 'in' / 'cmyk.jpg')
    assert note == 'CMYK to RGB'
    # Not inverted, as a JPEG of Photoshop's kind would be if misread.
    assert np.abs(values.astype(int) - picture()).mean() < 8


def test_reasons(tmp_path):
    fill(tmp_path / 'in')
    for name, reason in {
        'empty.png': 'empty file',
        'text.png': 'not an image, or damaged',
        'bomb.png': 'more than 89 million pixels',
        'big bomb.png': 'more than 89 million pixels',
        'dangling.png': 'no such file',
        'pipe.png': 'not a regular file',
        'folder.png': 'not a regular file',
    }.items():
        with pytest.raises(ValueError, match=reason):
            open_image(tmp_path / 'in' / name)


@pytest.mark.parametrize(
    'suffix', sorted({Path(name).suffix for name in UNUSABLE})
)
def test_every_cut_of_a_file(tmp_path, suffix):
    """No length of a truncated file is read as if it were whole."""
    kind = {'.png': 'PNG', '.jpg': 'JPEG', '.tif': 'TIFF'}[suffix]
    content = encode(RGB, kind)
    path = tmp_path / f'a{suffix}'
    # The last bytes of a file may say nothing: a PNG is whole without its end.
    for length in range(0, len(content) - 300, 211):
        path.write_bytes(content[:length])
        with pytest.raises(
            ValueError, match=r'empty file|not an image|unread'
        ):
            open_image(path)


def test_mutated_bytes_raise_documented_errors_only(tmp_path):
    rng = np.random.default_rng(0)
    for kind, suffix in (('PNG', '.png'), ('JPEG', '.jpg'), ('TIFF', '.tif')):
        content = encode(RGB, kind)
        path = tmp_path / f'a{suffix}'
        for _ in range(60):
            path.write_bytes(mutate_bytes(content, rng))
            try:
                values, _ = read_rgb(path)
            except ValueError:
                continue
            assert values.ndim == 3
            assert values.dtype == np.uint8


def test_frames_to_refsr(tmp_path):
    folder = tmp_path / 'frames'
    names = fill(folder)
    odd = os.fsdecode(b'bad-\xff\xfe-name.png')
    (folder / odd).write_bytes(encode(RGB))
    (folder / 'zz-bad.png').write_bytes(b'')
    out = tmp_path / 'out'
    before = tree(tmp_path)
    refused = call('frames_to_refsr', folder, out)
    assert refused.returncode == 2
    assert 'files refused' in refused.stderr
    assert tree(tmp_path) == before
    args = ('--on-error', 'skip', '--holdout', 0, '--reference')
    done = run('frames_to_refsr', folder, out, *args, 'nearest-sharp',
               '--gap', 30)  # fmt: skip
    assert done.returncode == 0, done.stderr
    stems = read_manifest(out)['splits']['train']
    # The usable ones, the CMYK image and the one with the odd name.
    assert len(stems) == len(USABLE) + 2, stems
    for name, (_, expected) in USABLE.items():
        stem = f'frames_{frame_name(Path(name))}'
        with Image.open(out / 'train' / 'hr' / f'{stem}.png') as file:
            np.testing.assert_array_equal(np.asarray(file), expected)
    dropped = re.findall(r'Dropped (\d+)', done.stdout)
    assert sum(map(int, dropped)) == len(names) + 1


@pytest.mark.parametrize('name', UNUSABLE)
def test_every_unusable_frame_is_named(tmp_path, name):
    folder = tmp_path / 'frames'
    folder.mkdir()
    (folder / name).write_bytes(UNUSABLE[name])
    (folder / 'good.png').write_bytes(encode(RGB))
    with pytest.raises(ValueError, match=f'1 files refused: .*{name}: '):
        frames_to_refsr(folder, tmp_path / 'out', odd_size='crop')
    assert [path.name for path in tmp_path.iterdir()] == ['frames']


def test_links_in_circles(tmp_path):
    run1 = tmp_path / 'frames' / 'run1'
    run1.mkdir(parents=True)
    for i in range(3):
        (run1 / f'{i}.png').write_bytes(encode(RGB))
    (run1 / 'up').symlink_to(tmp_path / 'frames')
    (run1 / 'self').symlink_to(run1)
    (tmp_path / 'frames' / 'again').symlink_to(run1)
    (tmp_path / 'frames' / 'round').symlink_to('round')
    runs = find_runs(tmp_path / 'frames')
    # The same frames as two runs could be in both splits.
    assert [run.name for run in runs] == ['run1']
    done = call(
        'frames_to_refsr', tmp_path / 'frames', tmp_path / 'out',
        '--holdout', 0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stems = read_manifest(tmp_path / 'out')['splits']['train']
    assert stems == ['run1_0', 'run1_1']
    for tool, *args in (
        ('frames_to_refsr', tmp_path / 'frames' / 'round'),
        ('pairs_to_refsr', 'deep-sewer', tmp_path / 'frames' / 'round'),
        ('pairs_to_refsr', 'cufed', tmp_path / 'frames' / 'round'),
        ('masks_to_coco', tmp_path / 'frames' / 'round', run1),
        ('make_subset', tmp_path / 'frames' / 'round'),
    ):
        done = call(tool, *args, tmp_path / 'new')
        assert done.returncode == 2, tool
        assert 'Error: ' in done.stderr, tool
        # And as the place to write to: the link is left as it is.
        done = call(tool, *args[:-1], run1, tmp_path / 'frames' / 'round')
        assert done.returncode == 2, tool
    assert (tmp_path / 'frames' / 'round').is_symlink()
    assert not (tmp_path / 'new').exists()


def test_pairs_to_refsr(tmp_path):
    root, out = tmp_path / 'set', tmp_path / 'out'
    names = fill(root / 'train' / 'raw' / 'input')
    shutil.rmtree(root / 'train' / 'raw' / 'input' / 'folder.png')
    for name in [*names, *USABLE, 'cmyk.jpg']:
        stem = Path(name).stem
        good = root / 'train' / 'raw' / 'ref' / f'{stem}.png'
        good.parent.mkdir(exist_ok=True)
        good.write_bytes(encode(RGB))
    before = tree(tmp_path)
    refused = call('pairs_to_refsr', 'deep-sewer', root, out, '--keep-size')
    assert refused.returncode == 2
    assert 'files refused' in refused.stderr
    assert tree(tmp_path) == before
    done = call(
        'pairs_to_refsr', 'deep-sewer', root, out, '--keep-size',
        '--on-error', 'skip',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stems = read_manifest(out)['splits']['train']
    assert len(stems) == len(USABLE) + 1
    dropped = f'Dropped {len(names)}: a file of the pair is unusable'
    assert dropped in done.stdout
    cufed = tmp_path / 'cufed' / 'train'
    shutil.copytree(root / 'train' / 'raw', cufed, symlinks=True,
                    copy_function=os.rename)  # fmt: skip
    done = call(
        'pairs_to_refsr', 'cufed', cufed.parent, out, '--on-error', 'skip',
        '--overwrite',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(read_manifest(out)['splits']['train']) == len(USABLE) + 1


DEPTHS = {
    'empty.npy': b'',
    'text.npy': b'x' * 500,
    'zip.npy': b'PK\x03\x04' + bytes(200),
    'huge.npy': b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': "
    b"False, 'shape': (99999999, 99999999), }".ljust(128)
    + b'\n',
    'code.npy': b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': "
    b"False, 'shape': (2, 2), }".ljust(128)
    + b'\n'
    + b'cos\nsystem\n.',
    'header.npy': b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'shape': ",
    'empty.png': b'',
    'cut.png': encode(Image.fromarray(encode_depth(np.ones((64, 72)))))[:60],
    'eight.png': encode(RGB.convert('L')),
    'colour.png': encode(RGB),
    'bomb.png': bomb(100_000),
}


@pytest.mark.parametrize('name', DEPTHS)
def test_depth(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(DEPTHS[name])
    with pytest.raises(ValueError, match=name):
        read_depth(path)
    load = TRANSFORMS.build(dict(type='mmdsr.LoadDepth', key='depth_lr'))
    sample = {'img': picture(), 'img_path': 'a', 'depth_lr_path': str(path)}
    with pytest.raises(ValueError, match=name):
        load(sample)
    raw = tmp_path / 'set' / 'train' / 'raw'
    for kind in ('input', 'ref'):
        (raw / kind).mkdir(parents=True)
        (raw / kind / f'{path.stem}.png').write_bytes(encode(RGB))
    (raw.parent / 'depth' / 'input').mkdir(parents=True)
    path.rename(raw.parent / 'depth' / 'input' / name)
    out = tmp_path / 'out'
    done = call('pairs_to_refsr', 'deep-sewer', tmp_path / 'set', out)
    # An 8-bit picture is depth there, by its owners' convention.
    assert done.returncode == (0 if name == 'eight.png' else 2)
    assert out.exists() == (name == 'eight.png')
    if name != 'eight.png':
        assert name in done.stderr
    assert not (tmp_path / '.out.partial').exists()


def test_a_damaged_data_set_names_the_file(refsr_root, tmp_path):
    root = tmp_path / 'set'
    shutil.copytree(refsr_root, root)

    def fail(results):
        with Image.open(results['ref_path']) as file:
            file.load()
        return TRANSFORMS.build(
            dict(type='mmdsr.LoadDepth', key='depth_lr')
        ).transform({**results, 'img': picture(0, 48, 64)})

    dataset = RefSRDataset(root, 'train', pipeline=[fail])
    assert dataset[0] is not None
    path = Path(dataset.get_data_info(0)['ref_path'])
    whole = path.read_bytes()
    for content, reason in (
        (b'', 'empty file'),
        (whole[: len(whole) // 2], 'unreadable'),
        (bomb(40_000), 'more than 89 million pixels'),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=reason) as caught:
            dataset[0]
        text = str(caught.value)
        assert str(path) in text
        assert 'again' in text
    path.unlink()
    with pytest.raises(ValueError, match='no such file'):
        dataset[0]
    path.write_bytes(whole)
    depth = Path(dataset.get_data_info(0)['depth_lr_path'])
    depth.write_bytes(b'')
    with pytest.raises(ValueError, match=f'{depth.name}.*empty file'):
        dataset[0]

    def broken(results):
        raise KeyError('not the files')

    with pytest.raises(KeyError, match='not the files'):
        RefSRDataset(refsr_root, 'train', pipeline=[broken])[0]


def test_masks_to_coco(tmp_path):
    images, masks, out = (tmp_path / n for n in ('images', 'masks', 'a.json'))
    names = fill(images)
    mask = np.zeros((64, 72), np.uint8)
    mask[:9, :9] = 1
    masks.mkdir()
    for path in images.iterdir():
        if path.name != 'folder.png':
            content = encode(Image.fromarray(mask))
            (masks / f'{path.stem}.png').write_bytes(content)
    refused = call('masks_to_coco', images, masks, out)
    assert refused.returncode == 2
    assert 'files refused' in refused.stderr
    assert not out.exists()
    args = (images, masks, out, '--on-error', 'skip')
    done = call('masks_to_coco', *args)
    assert done.returncode == 0, done.stderr
    coco = json.loads(out.read_text())
    listed = {image['file_name'] for image in coco['images']}
    # An image of floats can be listed; nothing here looks at its colors.
    left = names - {'float.tif'}
    assert done.stdout.count('Left out: ') == len(left)
    assert listed == {*USABLE, 'cmyk.jpg', 'float.tif'}
    # The other way round: whole images, unusable masks.
    shutil.rmtree(images)
    masks.rename(images)
    fill(masks)
    (masks / 'a.png').write_bytes(encode(Image.fromarray(mask)))
    (images / 'a.png').write_bytes(encode(RGB))
    refused = call('masks_to_coco', *args, '--overwrite')
    assert refused.returncode == 0, refused.stderr
    coco = json.loads(out.read_text())
    assert [image['file_name'] for image in coco['images']] == ['a.png']
    assert not [p for p in tmp_path.iterdir() if p.name.startswith('.')]


@pytest.mark.skipif(not hasattr(os, 'seteuid'), reason='needs POSIX users')
def test_unreadable(tmp_path_factory):
    """Folders and files without permission, as a user who is not root."""
    # pytest's own folders are closed to others.
    base = Path(tempfile.mkdtemp())
    try:
        base.chmod(0o777)
        for name in ('frames/open', 'frames/shut', 'whole'):
            (base / name).mkdir(parents=True)
            for i in range(3):
                (base / name / f'{i}.png').write_bytes(encode(RGB))
        (base / 'frames' / 'open' / '1.png').chmod(0)
        (base / 'frames' / 'shut').chmod(0)
        (base / 'closed').mkdir()
        (base / 'closed').chmod(0o555)
        # What is imported late is imported before the rights are dropped.
        script = (
            'import gettext, json, locale, os, sys, rich.live\n'
            'from contextlib import redirect_stderr\n'
            'from io import StringIO\n'
            'from PIL import Image; Image.init()\n'
            'from mmdsr.cli.convert.frames import main\n'
            'if os.geteuid() == 0: os.seteuid(65534)\n'
            'said = []\n'
            'for line in json.loads(sys.argv[1]):\n'
            '    with redirect_stderr(StringIO()) as errors:\n'
            '        try:\n'
            '            code = main(line)\n'
            '        except SystemExit as stopped:\n'
            '            code = stopped.code\n'
            '    said.append((code, errors.getvalue()))\n'
            'print(json.dumps(said))\n'
        )
        lines = [
            [str(base / source), str(base / out)]
            for source, out in (
                ('frames', 'out'),
                ('frames/open', 'out'),
                ('whole', 'closed/out'),
            )
        ]
        done = subprocess.run(
            [sys.executable, '-c', script, json.dumps(lines)],
            cwd=ROOT,
            env=tool_runs.environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert [code for code, _ in said] == [2, 2, 2]
        folder, file, target = (text for _, text in said)
        assert 'Permission denied' in folder
        assert 'shut' in folder
        assert '1.png: unreadable: Permission denied' in file
        assert 'Permission denied' in target
        assert 'unreadable' not in target
        left = sorted(path.name for path in base.iterdir())
        assert left == ['closed', 'frames', 'whole']
        assert not list((base / 'closed').iterdir())
    finally:
        for name in ('closed', 'frames/shut'):
            (base / name).chmod(0o755)
        shutil.rmtree(base)
