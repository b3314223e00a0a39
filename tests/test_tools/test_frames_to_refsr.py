from functools import partial

import numpy as np
import pytest
import tool_runs
from PIL import Image

from mmdsr.io.layout import read_manifest

TOOL = 'dataset_converters/frames_to_refsr.py'
call = partial(tool_runs.call, TOOL)


@pytest.fixture
def frames(tmp_path):
    rng = np.random.default_rng(0)
    for name in ('one', 'two'):
        folder = tmp_path / 'in' / name
        folder.mkdir(parents=True)
        for i in range(3):
            image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(image).save(folder / f'{i}.png')
    return tmp_path / 'in'


def test_writes_and_prints_a_summary(frames, tmp_path):
    (frames / 'one' / '1.png').write_bytes(b'junk')
    out = tmp_path / 'out'
    refused = call(frames, out, '--holdout', 'two')
    assert refused.returncode == 2
    assert '1.png: unreadable' in refused.stderr
    assert 'Traceback' not in refused.stderr
    assert not out.exists()
    args = ('--holdout', 'two', '--on-error', 'skip', '--reference')
    done = call(frames, out, *args, 'nearest-sharp', '--gap', 2)
    assert done.returncode == 0, done.stderr
    assert read_manifest(out)['splits'] == {
        'train': ['one_0', 'one_2'],
        'test': ['two_0', 'two_1', 'two_2'],
    }
    assert '2 training and 3 test samples from 6 frames' in done.stdout
    assert 'Dropped 1' in done.stdout
    assert '1.png' in done.stdout
    again = call(frames, out, *args, 'next')
    assert again.returncode == 2
    assert 'already exists' in again.stderr
    assert call(frames, out, *args, 'previous', '--overwrite').returncode == 0
