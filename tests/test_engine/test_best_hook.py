"""What a kill leaves of best checkpoints goes with the next one."""

from types import SimpleNamespace

import pytest
from mmengine.hooks import CheckpointHook

from mmdsr.engine.best_hook import OneBestHook


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def hook():
    return CheckpointHook(save_best=['PSNR-Y', 'a/b'], rule='greater')


def run(*hooks):
    OneBestHook().after_val_epoch(SimpleNamespace(hooks=hooks))


def test_others_of_the_same_metric_go(tmp_path, hook):
    kept = [
        'best_PSNR-Y_iter_8.pth',
        'best_PSNR-Y_of_x_iter_4.pth',
        'best_PSNR-Y_iter_4.pth.txt',
        'best_SSIM_iter_4.pth',
        'best_a_b_iter_8.pth',
        'iter_4.pth',
    ]
    for name in (*kept, 'best_PSNR-Y_iter_4.pth', 'best_a_b_epoch_4.pth'):
        (tmp_path / name).touch()
    hook.best_ckpt_path_dict = {
        'PSNR-Y': str(tmp_path / 'best_PSNR-Y_iter_8.pth'),
        'a/b': str(tmp_path / 'best_a_b_iter_8.pth'),
    }
    run(hook)
    assert names(tmp_path) == sorted(kept)


def test_a_single_metric(tmp_path):
    hook = CheckpointHook(save_best='PSNR-Y', rule='greater')
    for number in (4, 8):
        (tmp_path / f'best_PSNR-Y_iter_{number}.pth').touch()
    hook.best_ckpt_path = str(tmp_path / 'best_PSNR-Y_iter_8.pth')
    run(hook)
    assert names(tmp_path) == ['best_PSNR-Y_iter_8.pth']


def test_a_later_best_of_before_a_resume_stays(tmp_path, hook):
    for number in (1, 2, 5):
        (tmp_path / f'best_PSNR-Y_iter_{number}.pth').touch()
    hook.best_ckpt_path_dict = {
        'PSNR-Y': str(tmp_path / 'best_PSNR-Y_iter_2.pth')
    }
    run(hook)
    assert names(tmp_path) == [
        'best_PSNR-Y_iter_2.pth',
        'best_PSNR-Y_iter_5.pth',
    ]


def test_best_checkpoint_stays_until_a_better_one_exists(tmp_path, hook):
    left = tmp_path / 'best_PSNR-Y_iter_4.pth'
    left.touch()
    hook.best_ckpt_path_dict = {
        'PSNR-Y': str(tmp_path / 'best_PSNR-Y_iter_8.pth'),
        'a/b': None,
    }
    run(hook, CheckpointHook())
    assert left.is_file()
