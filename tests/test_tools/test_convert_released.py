"""tools/model_converters/convert_released.py, as a user runs it."""

import json
from functools import partial

import tool_runs
import torch

TOOL = 'model_converters/convert_released.py'
call = partial(tool_runs.call, TOOL)


def original():
    keys = json.loads(
        (tool_runs.ROOT / 'tests/data/keys_dsrnet_student.json').read_text()
    )
    return {key: torch.rand(shape) for key, shape in keys}


def test_converts_and_never_loses_a_file(tmp_path):
    source, target = tmp_path / 'in.pth', tmp_path / 'out.pth'
    torch.save(original(), source)
    done = call(source, target)
    assert done.returncode == 0, done.stderr
    assert 'dropped 96 weights' in done.stdout
    assert 'decoder_d.conv_out.bias' in done.stdout
    weights = torch.load(target, weights_only=True)
    assert len(weights) == 158

    again = call(source, target)
    assert again.returncode == 2
    assert '--overwrite' in again.stderr
    assert call(source, target, '--overwrite').returncode == 0


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path):
    target = tmp_path / 'out.pth'
    missing = call(tmp_path / 'none.pth', target)
    assert missing.returncode == 2
    assert 'does not exist' in missing.stderr

    source = tmp_path / 'other.pth'
    torch.save({'backbone.conv1.weight': torch.zeros(1)}, source)
    other = call(source, target)
    assert other.returncode == 2
    assert 'backbone.conv1.weight' in other.stderr

    source.write_bytes(b'not a checkpoint')
    broken = call(source, target)
    assert broken.returncode == 2
    for result in (missing, other, broken):
        assert 'Traceback' not in result.stderr
    assert not target.exists()
