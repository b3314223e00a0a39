from functools import partial

import numpy as np
import pytest
import tool_runs
from PIL import Image

TOOL = 'visualization/browse_sewersim.py'
call = partial(tool_runs.call, TOOL)


def test_a_data_set_with_real_frames_beside(refsr_root, tmp_path):
    out = tmp_path / 'new folder' / 'sheet.png'
    args = (refsr_root, '--number', 2, '--width', 96, '-o', out)
    done = call(*args, '--beside', refsr_root / 'test/hr')
    assert done.returncode == 0, done.stderr
    assert '2 samples' in done.stdout
    sheet = np.asarray(Image.open(out))
    assert sheet.shape[1] > 5 * 96
    again = call(*args)
    assert again.returncode == 2
    assert 'exists' in again.stderr
    narrow = call(*args, '--overwrite')
    assert narrow.returncode == 0, narrow.stderr
    assert Image.open(out).width < sheet.shape[1]


def test_rendered_frames(tmp_path):
    out = tmp_path / 'sheet.png'
    done = call(
        *('-o', out, '--runs', 3, '--kinds', 'IL', '--size', 96, 64),
        *('--width', 128, '--frame', 4, '--overlay'),
    )
    assert done.returncode == 0, done.stderr
    assert np.asarray(Image.open(out)).std() > 10


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        ((), 'the following arguments are required'),
        (('-o', 'x.jpg'), '.png'),
        (('-o', 'x.png', '--number', '0'), 'at least 1'),
        (('nowhere', '-o', 'x.png'), 'not a data set'),
        (('nowhere', '-o', 'x.png', '--seed', '1'), 'only without'),
        (('-o', 'x.png', '--split', 'train'), 'only with'),
        (('-o', 'x.png', '--runs', '-1'), 'must be at least 0'),
        (('-o', 'x.png', '--kinds', 'XX', '--number', '1'), 'XX'),
        (
            (
                *('-o', 'x.png', '--number', '1', '--size', '64', '64'),
                *('--beside', 'nowhere'),
            ),
            'no folder',
        ),
    ],
)
def test_wrong_arguments(tmp_path, args, word):
    result = call(*args, cwd=tmp_path)
    assert result.returncode == 2
    assert word in result.stderr
    assert 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir())
