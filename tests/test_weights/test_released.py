"""Key conversion of the original checkpoints."""

import json
from pathlib import Path

import pytest
import torch

from mmdsr.models.networks import DSRNet, MASASRNet
from mmdsr.weights.released import convert_key, convert_released

DATA = Path(__file__).parents[1] / 'data'
NETS = {
    'masa': MASASRNet,
    'dsrnet_teacher': lambda: DSRNet('released'),
    'dsrnet_student': lambda: DSRNet(
        'released', 64, (2, 2, 2), (1, 1, 1, 6, 4, 2)
    ),
}


def original(name, prefix=''):
    keys = json.loads((DATA / f'keys_{name}.json').read_text())
    generator = torch.Generator().manual_seed(0)
    return {
        prefix + key: torch.randn(shape, generator=generator)
        for key, shape in keys
    }


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('name', NETS)
def test_every_weight_finds_its_place(name, prefix):
    state = original(name, prefix)
    result = convert_released(state)
    NETS[name]().load_state_dict(result.state_dict)  # strict
    dead = [key for key in state if 'decoder_d.' in key]
    assert result.dropped == dead
    assert len(result.state_dict) + len(dead) == len(state)
    assert result.network == (
        'mmdsr.MASASRNet' if name == 'masa' else 'mmdsr.DSRNet'
    )


@pytest.mark.parametrize(
    'key',
    [
        'enc.conv_L4.weight',
        'enc.blk_L1.0.weight',
        'enc.conv_L1.0.conv1.weight',
        'enc.conv_L1.running_mean',
        'decoder.conv_L3.0.weight',
        'decoder.blk_x1.weight',
        'decoder.dram_x2.conv_side.weight',
        'decoder.pAda.conv_alpha.bias',
        'decoder_d.nothing.weight',
        'mini_conv_2.weight',
        'unet.conv.weight',
    ],
)
def test_unknown_keys_are_refused_by_name(key):
    state = original('masa') | {key: torch.zeros(1)}
    with pytest.raises(ValueError, match=key.replace('.', r'\.')):
        convert_released(state)


def test_a_key_that_appears_twice_is_refused():
    state = original('masa')
    state['module.enc.conv_L1.weight'] = state['enc.conv_L1.weight']
    with pytest.raises(ValueError, match='twice'):
        convert_released(state)


def test_two_originals_never_share_a_name():
    keys = json.loads((DATA / 'keys_dsrnet_teacher.json').read_text())
    names = [convert_key(key) for key, _ in keys]
    live = [name for name in names if name is not None]
    assert len(live) == len(set(live)) == 266


def test_bgr_weights_become_rgb_weights():
    """What a BGR network makes of BGR images, ours makes of RGB images."""
    state = original('masa')
    for key, value in state.items():
        scale = 0.01 if value.ndim == 1 else (2 / value[0].numel()) ** 0.5
        state[key] = (
            value * scale * (0.5 if key[:3] == 'dec' or 'blk' in key else 1)
        )
    bgr, rgb = MASASRNet(), MASASRNet()
    bgr.load_state_dict(convert_released(state).state_dict)
    rgb.load_state_dict(convert_released(state, bgr=True).state_dict)
    generator = torch.Generator().manual_seed(1)
    lr = torch.rand(1, 3, 16, 16, generator=generator)
    ref = torch.rand(1, 3, 64, 64, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(
            rgb(lr, ref).flip(1), bgr(lr.flip(1), ref.flip(1))
        )
