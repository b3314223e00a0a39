"""The network of a config, or what is wrong with it."""

import pytest
from mmengine.config import Config
from torch import nn

from mmdsr.engine.generator import build_generator
from mmdsr.errors import UsageError


def _config(tmp_path, text):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    return Config.fromfile(path)


def test_the_generator_is_built(tmp_path):
    text = "model = dict(generator=dict(type='mmdsr.MDSR', "
    cfg = _config(tmp_path, f'{text}channels=8, num_blocks=1))')
    assert isinstance(build_generator(cfg), nn.Module)


@pytest.mark.parametrize(
    'text', ['a = 1', "model = dict(type='mmseg.EncoderDecoder')"]
)
def test_no_generator(text, tmp_path):
    with pytest.raises(UsageError, match=r'model\.generator.* in .*mine\.py'):
        build_generator(_config(tmp_path, text))


@pytest.mark.parametrize(
    ('generator', 'said'),
    [
        ("type='mmdsr.DSRNet', channel_count=8", 'channel_count'),
        ("type='mmdsr.Nothing'", 'Nothing'),
        ("type='mmdsr.DSRNetX', num_blocks=0", 'num_blocks'),
    ],
)
def test_a_generator_that_cannot_be_built(generator, said, tmp_path):
    cfg = _config(tmp_path, f'model = dict(generator=dict({generator}))')
    with pytest.raises(UsageError, match=f'mine.py cannot be built: .*{said}'):
        build_generator(cfg)
    with pytest.raises(UsageError, match="'row 1' cannot be built"):
        build_generator(cfg, 'row 1')
