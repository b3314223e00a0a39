"""tools/super_resolve.py as a user runs it."""

import json
import os
import shutil
import signal
import time

import cv2
import numpy as np
import pytest
from forks import start
from PIL import Image
from tool_runs import call

TOOL = 'super_resolve.py'


@pytest.fixture
def frames(tmp_path):
    """Make four frames in two folders, with their references elsewhere."""
    rng = np.random.default_rng(0)
    for name in ('a/1.png', 'a/2.png', 'b/1.png', 'b/2.png'):
        for folder, size in (('in', (16, 20, 3)), ('refs', (32, 40, 3))):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 256, size, np.uint8))
    return tmp_path / 'in'


def count(folder):
    return len(list(folder.rglob('*.png')))


def test_a_folder_with_a_broken_image(frames, tmp_path):
    (frames / 'b' / '3.png').write_bytes(b'no image')
    out = tmp_path / 'out'
    options = ('--weights', 'dsrnet_student', '--reference', 'file')
    options += ('--refs', tmp_path / 'refs')
    done = call(TOOL, frames, out, *options)
    assert done.returncode == 1, done.stderr
    assert 'b/3.png: unreadable: not an image' in done.stderr
    assert '4 of 5 images written' in done.stderr
    assert cv2.imread(str(out / 'b' / '2.png')).shape == (64, 80, 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--interpolation', 'cubic'], 'invalid choice'),
        (['--config', 'configs/dsrnet/student.py'], 'set checkpoint to'),
        (['--checkpoint', 'work_dirs/x'], 'needs the config of its training'),
        (
            ['--interpolation', 'bicubic', '--reference', 'neighbor'],
            'leave out --reference neighbor',
        ),
        (['--reference', 'still.png'], 'give --reference file --refs FILE'),
        (['--weights', 'nope'], "no weights named 'nope'. Available: dsrnet"),
    ],
)
def test_wrong_usage(frames, tmp_path, options, message):
    done = call(TOOL, frames, tmp_path / 'out', *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out').exists()


def test_exit_codes_of_a_total_and_a_partial_failure(frames, tmp_path):
    broken, out = tmp_path / 'broken', tmp_path / 'out'
    broken.mkdir()
    for name in ('1.png', '2.png'):
        (broken / name).write_bytes(b'no image')
    for source, target in ((broken / '1.png', out), (broken, out)):
        done = call(TOOL, source, target, '--interpolation', 'nearest')
        assert done.returncode == 2, done.stderr
        assert '1.png: unreadable: not an image' in done.stderr
        assert '0 of ' in done.stderr
    # Some of it is, now or before.
    shutil.copy(frames / 'a' / '1.png', broken / '3.png')
    for written in (1, 0):
        done = call(TOOL, broken, out, '--interpolation', 'nearest')
        assert done.returncode == 1, done.stderr
        assert f'{written} of 3 images written' in done.stderr


def test_a_reduction_to_8_bits_is_reported_and_recorded(frames, tmp_path):
    wide = np.random.default_rng(0).integers(0, 65536, (16, 20, 3))
    for number in (3, 4):
        path = frames / 'b' / f'{number}.png'
        cv2.imwrite(str(path), wide.astype(np.uint16))
    out = tmp_path / 'out'
    done = call(TOOL, frames, out, '--interpolation', 'nearest')
    assert done.returncode == 0
    said = f'Converted: {frames}/b/3.png and 1 more: 16-bit color to 8 bits'
    assert done.stderr.count('Converted:') == 1
    assert said in done.stderr
    record = json.loads((out / 'b' / '4.png.json').read_text())
    assert record['source']['converted'] == '16-bit color to 8 bits'


def test_omissions_and_conversions_are_reported(frames, tmp_path):
    pages = [Image.new('RGB', (20, 16), color) for color in ('red', 'lime')]
    pages[0].save(
        frames / 'b' / '3.gif', save_all=True, append_images=pages[1:]
    )
    for number in (4, 5):
        Image.new('L', (20, 16)).save(frames / 'b' / f'{number}.png')
    (frames / 'b' / '6.heic').write_bytes(b'')
    out = tmp_path / 'out'
    # Said again when all is there.
    for written in (7, 0):
        done = call(TOOL, frames, out, '--interpolation', 'nearest')
        assert done.returncode == 1
        said = done.stderr
        assert f'In part: {frames}/b/3.gif: only the first of its 2' in said
        assert 'number 2 is left out' in said
        assert f'Left out: {frames}/b/6.heic: .heic is an unsupported' in said
        assert f'Converted: {frames}/b/4.png and 1 more: L to RGB' in said
        assert f'{written} of 7 images written' in said
    for name in ('3.gif', '6.heic'):
        (frames / 'b' / name).unlink()
    done = call(TOOL, frames, out, '--interpolation', 'nearest')
    assert done.returncode == 0


def test_a_full_disk_is_named(frames, tmp_path):
    resource = pytest.importorskip('resource')
    # The system refuses files beyond this size, as a full disk does.
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)
    cv2.imwrite(str(frames / 'a' / '1.png'), noise)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limit[1]))
    out = tmp_path / 'out'
    try:
        done = call(TOOL, frames, out, '--interpolation', 'bicubic')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, previous)
    said = done.stderr
    assert done.returncode == 1
    assert '3 of 4 images written' in said
    assert f'a/1.png: not written: File too large: {out}/a/1.png' in said
    assert count(out) == 3
    assert not list(out.rglob('.*'))


def test_two_processes(frames, tmp_path):
    out = tmp_path / 'out'
    processes = [
        start(
            *(TOOL, frames, out, '--interpolation', 'nearest'),
            **dict(RANK=str(rank), WORLD_SIZE='2'),
        )
        for rank in (0, 1)
    ]
    for rank, process in enumerate(processes):
        text = ''.join(process.communicate(timeout=300))
        assert process.returncode == 0, text
        assert f'Process {rank} of 2: 2 of 2 images written' in text
    assert count(out) == 4


def test_interrupted(frames, tmp_path):
    for number in range(400):
        shutil.copy(frames / 'a' / '1.png', frames / 'a' / f'x{number}.png')
    out = tmp_path / 'out'
    process = start(TOOL, frames, out, '--weights', 'dsrnet_student')
    limit = time.monotonic() + 300
    while not count(out) and process.poll() is None:
        assert time.monotonic() < limit
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    text = ''.join(process.communicate(timeout=60))
    assert process.returncode == 130, text
    assert 'repeat the command to resume' in text
    assert 'Traceback' not in text
    assert 0 < count(out) < 404
    assert not list(out.rglob('.*'))


@pytest.mark.slow
def test_killed(frames, tmp_path):
    for number in range(20):
        shutil.copy(frames / 'a' / '1.png', frames / 'a' / f'x{number}.png')
    out, whole = tmp_path / 'out', tmp_path / 'whole'
    options = ('--weights', 'dsrnet_student', '--reference', 'neighbor')
    process = start(TOOL, frames, out, *options)
    limit = time.monotonic() + 300
    while count(out) < 3 and process.poll() is None:
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    times = {p: p.stat().st_mtime_ns for p in out.rglob('*.png')}
    assert 3 <= len(times) < 24
    for target in (out, whole):
        assert call(TOOL, frames, target, *options).returncode == 0
    assert all(p.stat().st_mtime_ns == times[p] for p in times)
    assert count(out) == 24
    assert not list(out.rglob('.*'))
    for path in whole.rglob('*.png'):
        # The records in the files name the time of their making.
        same = cv2.imread(str(out / path.relative_to(whole)))
        np.testing.assert_array_equal(same, cv2.imread(str(path)))


def test_an_image_and_its_reference(frames, tmp_path):
    """A single image needs no folder of references."""
    image = next(path for path in frames.rglob('*.png'))
    reference = tmp_path / 'still.png'
    Image.fromarray(np.asarray(Image.open(image))[::-1]).save(reference)
    words = [TOOL, image, '--weights', 'dsrnet_x_nano', '--reference', 'file']
    done = call(*words[:2], tmp_path / 'out', *words[2:], '--refs', reference)
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / 'out').glob('*.png.json')
    frame = json.loads(record.read_text())['frames'][0]
    assert frame['reference']['name'] == 'still.png'


def test_an_image_does_not_become_a_film(frames, tmp_path):
    image = next(path for path in frames.rglob('*.png'))
    words = [image, tmp_path / 'x.mp4', '--interpolation', 'bicubic']
    done = call(TOOL, *words)
    assert done.returncode == 2
    assert 'looks like a file' in done.stderr
    assert not (tmp_path / 'x.mp4').exists()
