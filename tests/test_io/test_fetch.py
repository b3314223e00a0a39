"""Weights that are named: from the cache, or one line that says where to."""

import urllib.error

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from tool_runs import ROOT

from mmdsr.engine.launch import load_config, train
from mmdsr.errors import CheckpointError, UsageError
from mmdsr.io import fetch


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and an empty cache."""

    def refuse(url, *args, **kwargs):
        raise urllib.error.URLError('Name or service not known')

    monkeypatch.setattr('torch.hub.download_url_to_file', refuse)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    return tmp_path / 'torch/hub/checkpoints'


@pytest.mark.parametrize('name', ['teacher', 'teacher_plus'])
def test_the_first_command_of_a_user(offline, tmp_path, refsr_root, name):
    """configs/dsrnet/teacher.py without VGG19 and network."""
    config = ROOT / f'configs/dsrnet/{name}.py'
    cfg = load_config(config, work_dir=tmp_path / 'work')
    for part in ('train', 'val'):
        cfg[f'{part}_dataloader'].dataset.data_root = str(refsr_root)
    if name == 'teacher_plus':
        fetch.check_weights(cfg)
        return
    with pytest.raises(UsageError) as caught:
        train(cfg)
    text = str(caught.value)
    assert '\n' not in text
    for part in (
        str(offline / 'vgg19-dcbb9e9d.pth'),
        'https://download.pytorch.org/models/vgg19-dcbb9e9d.pth',
        'Name or service not known',
        'model.perceptual_loss.weights=FILE',
        'teacher_plus.py trains without L_per',
    ):
        assert part in text
    # Nothing was begun.
    assert not (tmp_path / 'work').exists()
    (offline / 'vgg19-dcbb9e9d.pth').touch()
    fetch.check_weights(cfg)


def test_weights_of_the_hosts(offline):
    url = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
    assert fetch.address('torchvision://resnet50') == url
    assert fetch.address(url) == url
    assert 'resnet50_v1c' in fetch.address('open-mmlab://resnet50_v1c')
    assert fetch.address('work_dirs/x/iter_3.pth') is None
    cfg = Config(
        dict(
            model=dict(
                backbone=dict(
                    init_cfg=[
                        dict(type='Kaiming'),
                        dict(
                            type='Pretrained',
                            checkpoint='torchvision://resnet50',
                        ),
                    ]
                )
            ),
            load_from=None,
        )
    )
    where = r'model.backbone.init_cfg.1.checkpoint'
    with pytest.raises(
        UsageError, match=f'{where}.*{offline}/resnet50-0676ba61.pth'
    ):
        fetch.check_weights(cfg)
    cfg.model = None
    cfg.load_from = 'https://x.org/a/b.pth'
    with pytest.raises(UsageError, match=f'load_from.*{offline}/b.pth'):
        fetch.check_weights(cfg)
    cfg.load_from = 'torchvision://nothing'
    with pytest.raises(UsageError, match='no weights with that name'):
        fetch.check_weights(cfg)
    cfg.load_from = 'none.pth'
    with pytest.raises(UsageError, match=r'none.pth .load_from. does not exi'):
        fetch.check_weights(cfg)


def test_mmengine_reads_the_cache(offline, monkeypatch):
    monkeypatch.setattr(
        CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes)
    )
    fetch.use_cache_loader()
    offline.mkdir(parents=True)
    torch.save({'conv.weight': torch.ones(1)}, offline / 'b.pth')
    content = CheckpointLoader.load_checkpoint('https://x.org/b.pth', 'cpu')
    assert content['conv.weight'] == 1
    with pytest.raises(CheckpointError, match=r'c\.pth'):
        CheckpointLoader.load_checkpoint('https://x.org/c.pth', 'cpu')
