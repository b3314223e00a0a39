"""What the training and test tools do around the runner."""

import pytest
import torch
from mmengine.config import Config

from mmdsr.engine import launch
from mmdsr.errors import UsageError


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / 'quick.py'
    path.write_text("a = dict(b=1, c=[1, 2])\nwork = 'x'\n")
    return path


def test_load_config(config_file, tmp_path):
    cfg = launch.load_config(config_file, {'a.b': 3})
    assert cfg.a.b == 3
    assert cfg.work_dir.replace('\\', '/') == 'work_dirs/quick'
    assert cfg.launcher == 'none'
    cfg = launch.load_config(config_file, work_dir=tmp_path, launcher='slurm')
    assert cfg.work_dir == str(tmp_path)
    assert cfg.launcher == 'slurm'


def test_load_config_errors(config_file, tmp_path):
    with pytest.raises(UsageError, match=r'none\.py does not exist'):
        launch.load_config(tmp_path / 'none.py')
    with pytest.raises(UsageError, match='--cfg-options'):
        launch.load_config(config_file, {'a.c.7': 3})
    config_file.write_text('a = (\n')
    with pytest.raises(UsageError, match='cannot be read'):
        launch.load_config(config_file)


def test_enable_amp(monkeypatch):
    one = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(UsageError, match='CUDA'):
            launch.enable_amp(one)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    launch.enable_amp(one)
    assert one.optim_wrapper.type == 'AmpOptimWrapper'
    assert one.optim_wrapper.loss_scale == 'dynamic'
    two = Config(
        dict(
            optim_wrapper=dict(
                constructor='MultiOptimWrapperConstructor',
                generator=dict(type='AmpOptimWrapper', loss_scale=2.0),
                discriminator=dict(type='OptimWrapper'),
            )
        )
    )
    launch.enable_amp(two)
    assert two.optim_wrapper.generator.loss_scale == 2.0
    assert two.optim_wrapper.discriminator.type == 'AmpOptimWrapper'
    # A constructor that sets rates by layers, as those of the hosts do.
    layers = Config(
        dict(
            optim_wrapper=dict(
                type='OptimWrapper',
                constructor='LearningRateDecayOptimizerConstructor',
                optimizer=dict(type='AdamW'),
                paramwise_cfg=dict(decay_rate=0.9),
            )
        )
    )
    launch.enable_amp(layers)
    assert layers.optim_wrapper.type == 'AmpOptimWrapper'
    assert layers.optim_wrapper.optimizer.type == 'AdamW'
    with pytest.raises(UsageError, match='optim_wrapper'):
        launch.enable_amp(Config(dict()))
    other = Config(dict(optim_wrapper=dict(type='ApexOptimWrapper')))
    with pytest.raises(UsageError, match='ApexOptimWrapper'):
        launch.enable_amp(other)


def _resume(work_dir, resume, load_from='pretrained.pth'):
    cfg = Config(
        dict(work_dir=str(work_dir), load_from=load_from, resume=False)
    )
    launch.set_resume(cfg, resume)
    return cfg.resume, cfg.load_from


def test_set_resume(tmp_path):
    assert _resume(tmp_path, None) == (False, 'pretrained.pth')
    # Nothing there yet: start anew, from the pre-trained weights.
    assert _resume(tmp_path, 'auto') == (False, 'pretrained.pth')
    newest = tmp_path / 'iter_20.pth'
    newest.touch()
    (tmp_path / 'last_checkpoint').write_text(str(newest))
    assert _resume(tmp_path, 'auto') == (True, str(newest))
    assert _resume(tmp_path, str(newest)) == (True, str(newest))
    # The folder was moved.
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_20.pth')
    assert _resume(tmp_path, 'auto') == (True, str(newest))
    # It was copied, and the original is still there.
    original = tmp_path / 'original' / 'iter_20.pth'
    original.parent.mkdir()
    original.touch()
    (tmp_path / 'last_checkpoint').write_text(str(original))
    assert _resume(tmp_path, 'auto') == (True, str(newest))
    (tmp_path / 'last_checkpoint').write_text('')
    assert _resume(tmp_path, 'auto') == (False, 'pretrained.pth')


def test_set_resume_errors(tmp_path):
    with pytest.raises(UsageError, match=r'iter_9\.pth does not exist'):
        _resume(tmp_path, str(tmp_path / 'iter_9.pth'))
    (tmp_path / 'last_checkpoint').write_text('iter_9.pth')
    with pytest.raises(UsageError, match='--resume PATH'):
        _resume(tmp_path, 'auto')


def test_check_data(refsr_root, tmp_path):
    loader = dict(
        dataset=dict(type='mmdsr.RefSRDataset', data_root=str(refsr_root))
    )
    cfg = Config(dict(train_dataloader=loader, val_dataloader=None))
    launch.check_data(cfg, ['train_dataloader', 'val_dataloader'])
    cfg.train_dataloader.dataset.data_root = str(tmp_path)
    with pytest.raises(UsageError, match=r'There is no folder .*train'):
        launch.check_data(cfg, ['train_dataloader'])
    cfg.train_dataloader.dataset.data_root = str(tmp_path / 'none')
    with pytest.raises(UsageError, match=r'make data.*make_sewersim'):
        launch.check_data(cfg, ['train_dataloader'])


def test_start_distributed_names_missing_variables(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    launch.start_distributed(Config(dict(launcher='none')))
    with pytest.raises(UsageError, match=r'RANK.*dist_train\.sh'):
        launch.start_distributed(Config(dict(launcher='pytorch')))
    with pytest.raises(UsageError, match='slurm needs CUDA'):
        launch.start_distributed(Config(dict(launcher='slurm')))
    assert not torch.distributed.is_initialized()
