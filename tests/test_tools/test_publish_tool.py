"""tools/model_converters/publish.py, as a user runs it."""

import json
from functools import partial

import pytest
import tool_runs
import torch
from mmengine.config import Config

from mmdsr.registry import MODELS
from mmdsr.weights import load_published
from mmdsr.weights.load import read_published

CONFIG = 'configs/dsrnet/teacher_quick.py'

TOOL = 'model_converters/publish.py'
call = partial(tool_runs.call, TOOL)


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('work')
    net = MODELS.build(
        Config.fromfile(tool_runs.ROOT / CONFIG).model.generator
    )
    state = {f'generator.{k}': v for k, v in net.state_dict().items()}
    state['adm_depth.x'] = torch.zeros(1)
    torch.save(dict(state_dict=state, meta={}), folder / 'iter_5.pth')
    return folder


def test_publish_and_list(work_dir, tmp_path):
    done = call(
        CONFIG, work_dir, '--out', tmp_path, '--fp16', '--index', '--name',
        'quick', '--note', 'data=SewerSim (full), 3 photographs',
        'iterations=5',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    entry = json.loads((tmp_path / 'index.json').read_text())['quick']
    assert f'Weights: {tmp_path / entry["file"]}' in done.stdout
    assert f'SHA-256: {entry["sha256"]}' in done.stdout
    assert len(list(tmp_path.glob('quick-*'))) == 2
    notes = read_published(tmp_path / entry['file']).meta['notes']
    assert notes == dict(data='SewerSim (full), 3 photographs', iterations=5)
    net = load_published('quick', tmp_path)
    trained = torch.load(work_dir / 'iter_5.pth', weights_only=True)
    for key, value in net.state_dict().items():
        expected = trained['state_dict'][f'generator.{key}'].half().float()
        assert torch.equal(value, expected)


def test_wrong_arguments(work_dir, tmp_path):
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'nothing')
    out = ['--out', tmp_path / 'out']
    cases = [
        ([CONFIG, tmp_path / 'none'], 'no checkpoint at'),
        (['none.py', work_dir], 'none.py does not exist'),
        ([CONFIG, broken], 'broken.pth cannot be read'),
        (['configs/dsrnet/student.py', work_dir], 'does not fit'),
        ([CONFIG, work_dir, '--name', 'A/B'], 'lower-case letters'),
        ([CONFIG, work_dir, '--formats', 'onnx'], 'invalid choice'),
    ]
    for args, message in cases:
        done = call(*args, *out)
        assert done.returncode == 2, args
        assert message in done.stderr, done.stderr
        assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out').exists()
