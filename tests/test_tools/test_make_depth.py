import signal
import subprocess
import time
from functools import partial

import cv2
import numpy as np
import pytest
import tool_runs
from PIL import Image

from mmdsr.io.images import read_depth
from mmdsr.io.layout import RefSRWriter, read_manifest

TOOL = 'dataset_converters/make_depth.py'
EVALUATE = 'analysis_tools/eval_depth.py'
call = partial(tool_runs.call, TOOL)


def picture(height=64, width=96, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / 'in' / 'run 1'
    folder.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(picture(seed=i)).save(folder / f'{i}.png')
    return tmp_path / 'in'


def test_frames(frames, tmp_path):
    out = tmp_path / 'out'
    args = ('frames', frames, out, '--provider', 'pipe', '--radius', '0.3')
    first = call(*args)
    assert first.returncode == 0, first.stderr
    assert '3 of 3 maps written' in first.stdout
    # Noise is no pipe, and that is said.
    assert 'Fallback 3' in first.stdout
    assert 'does not look down' in first.stdout
    assert read_depth(out / 'run 1/0.png').shape == (64, 96)
    again = call(*args)
    assert again.returncode == 0
    assert '3 existed already' in again.stdout
    other = call(*args[:-1], '0.4')
    assert other.returncode == 2
    assert 'already exists' in other.stderr
    assert call(*args[:-1], '0.4', '--overwrite').returncode == 0


def test_files_of_every_kind(frames, tmp_path):
    folder = frames / 'run 1'
    good = (folder / '0.png').read_bytes()
    (folder / 'cut.png').write_bytes(good[: len(good) // 2])
    (folder / 'empty.png').write_bytes(b'')
    Image.fromarray(picture(1, 1)).save(folder / 'dot.png')
    Image.fromarray(picture(3, 900)).save(folder / 'line.bmp')
    Image.fromarray(picture()[..., 0]).save(folder / 'gray.jpg')
    deep = (picture()[..., 0].astype(np.uint16) * 257).astype(np.uint16)
    cv2.imwrite(str(folder / 'deep.png'), deep)
    alpha = np.dstack([picture(), picture()[..., :1]])
    Image.fromarray(alpha).save(folder / 'alpha é.png')
    Image.fromarray(alpha, mode='CMYK').save(folder / 'cmyk.jpg')
    out = tmp_path / 'out'
    result = call('frames', frames, out, '--provider', 'pipe')
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    assert '2 failed' in result.stdout
    for name in ('cut.png', 'empty.png'):
        assert name in result.stdout
        assert not (out / 'run 1' / name).exists()
    for name, shape in (
        ('dot', (1, 1)),
        ('line', (3, 900)),
        ('gray', (64, 96)),
        ('deep', (64, 96)),
        ('alpha é', (64, 96)),
        ('cmyk', (64, 96)),
    ):
        depth = read_depth(out / 'run 1' / f'{name}.png')
        assert depth.shape == shape
        assert np.isfinite(depth).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == ['in', 'out']


def test_data_set(tmp_path):
    root = tmp_path / 'set'
    with RefSRWriter(root) as writer:
        for i in range(2):
            writer.add('train', f'a_{i}', picture(seed=i), picture(seed=i + 1))
    args = ('dataset', root, '--provider', 'pipe', '--hfov', '70')
    result = call(*args)
    assert result.returncode == 0, result.stderr
    assert read_depth(root / 'train/depth_ref/a_1.png').shape == (16, 24)
    assert read_manifest(root)['generator']['depth']['hfov'] == 70
    again = call(*args)
    assert again.returncode == 2
    assert 'already has depth' in again.stderr
    assert call(*args, '--overwrite').returncode == 0


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        ((), 'required'),
        (('frames', 'IN', 'OUT'), '--provider'),
        (('frames', 'IN', 'OUT', '--provider', 'magic'), 'invalid choice'),
        (('frames', 'IN', '--provider', 'pipe'), 'required'),
        (('frames', 'IN', 'OUT', '--provider', 'pipe', '--raduis'), 'raduis'),
        (
            ('frames', 'IN', 'OUT', '--provider', 'pipe', '--near', '1'),
            'no option near',
        ),
        (
            ('frames', 'IN', 'OUT', '--provider', 'pipe', '--radius', '-1'),
            'radius must be',
        ),
        (('frames', 'IN', 'OUT', '--provider', 'file'), 'needs folder'),
        (
            ('frames', 'IN', 'OUT', '--provider', 'file', '--folder', 'no'),
            'no folder no',
        ),
        (
            (
                'frames',
                'IN',
                'OUT',
                '--provider',
                'transformers',
                '--checkpoint',
                'no',
            ),
            '--allow-download',
        ),
        (('frames', 'no', 'OUT', '--provider', 'pipe'), 'no folder no'),
        (('dataset', 'no', '--provider', 'pipe'), 'not a data set'),
        (('dataset', 'IN', '--provider', 'pipe'), 'not a data set'),
    ],
)
def test_wrong_arguments(frames, tmp_path, args, word):
    places = {'IN': frames, 'OUT': tmp_path / 'out'}
    result = call(*(places.get(arg, arg) for arg in args))
    assert result.returncode == 2
    assert word in result.stderr
    assert 'Traceback' not in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ['in']


def test_interrupted_by_the_user(frames, tmp_path):
    for i in range(3, 150):
        Image.fromarray(picture(240, 320, i)).save(frames / f'run 1/{i}.bmp')
    out = tmp_path / 'out'
    args = ('frames', frames, out, '--provider', 'pipe')
    with subprocess.Popen(
        tool_runs.command(TOOL, *args),
        env=tool_runs.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        made = tmp_path / '.out.partial/run 1'
        limit = time.monotonic() + 60
        while not (made.is_dir() and len(list(made.iterdir())) > 3):
            assert time.monotonic() < limit
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'repeat the command to resume' in errors
    assert not out.exists()
    for path in frames.glob('run 1/*.bmp'):
        if int(path.stem) > 12:
            path.unlink()
    result = call(*args)
    assert result.returncode == 0, result.stderr
    assert 'existed already' in result.stdout


def test_evaluation(tmp_path):
    args = ('--sim', '0', '--runs', '1', '--frames', '2', '--size', '96', '64')
    numbers = tmp_path / 'numbers.json'
    args_pipe = (*args, '--provider', 'pipe', '--use-camera')
    result = tool_runs.call(EVALUATE, *args_pipe, '--json', numbers)
    assert result.returncode == 0, result.stderr
    assert 'AbsRel' in result.stdout
    assert '"abs_rel"' in numbers.read_text()
    # What was measured is shown, even where it cannot be written.
    result = tool_runs.call(EVALUATE, *args_pipe, '--json', numbers / 'in')
    assert result.returncode == 2
    assert 'AbsRel' in result.stdout
    assert 'Error: ' in result.stderr
    assert 'Traceback' not in result.stderr
    for wrong, word in (
        (('--data', 'no', '--provider', 'pipe'), 'no image in hr'),
        (
            (*args, '--provider', 'file', '--folder', '.', '--use-camera'),
            'Only',
        ),
    ):
        result = tool_runs.call(EVALUATE, *wrong)
        assert result.returncode == 2
        assert word in result.stderr
        assert 'Traceback' not in result.stderr
