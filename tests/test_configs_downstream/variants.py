"""What the tests of the hosts' configs have in common."""

from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmdsr.engine.sr_input import enable_sr

CONFIGS = Path(__file__).parents[2] / 'configs/downstream'
KINDS = ('hr', 'lr', 'sr')


def to_train(*networks):
    """Quick configs to train: all kinds of one network, of the others SR.

    What the kinds differ in is made by one function, and its own tests look
    at all of them. SR has all that the other two have, which are slow tests.
    """
    first, *others = (f'{network}_quick' for network in networks)
    slow = [
        pytest.param(first, kind, marks=pytest.mark.slow)
        for kind in KINDS
        if kind != 'sr'
    ]
    return [*slow, *((network, 'sr') for network in (first, *others))]


def load(folder, name, kind='hr'):
    """A config, with the picture that its network sees."""
    cfg = Config.fromfile(folder / f'{name}.py')
    enable_sr(cfg, kind)
    return cfg


def check_files(folder, networks):
    """A config of either size per network, in metafile and README."""
    names = {f'{net}{size}' for net in networks for size in ('', '_quick')}
    assert {path.stem for path in folder.glob('*.py')} == names
    meta = yaml.safe_load((folder / 'metafile.yml').read_text())
    listed = {Path(model['Config']).stem for model in meta['Models']}
    assert listed == names
    readme = (folder / 'README.md').read_text()
    assert all(f'{net}.py' in readme for net in networks)


def check_restored(folder, network):
    """What ``--input sr`` means: DSRNet-S, or weights of the package."""
    assert load(folder, network).sr == dict(
        config='configs/dsrnet/student.py', checkpoint='work_dirs/student'
    )
    assert load(folder, f'{network}_quick').sr == dict(weights='dsrnet_x_nano')
