"""Trainings that must not start, and one that must not continue."""

import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmdsr.engine.adversarial_hook import AdversarialHook
from mmdsr.engine.launch import load_config, set_resume, train
from mmdsr.engine.options import RawOption
from mmdsr.engine.work_dir import hold
from mmdsr.errors import UsageError
from mmdsr.io.checkpoint import read_checkpoint, save_weights

ROOT = Path(__file__).parents[2]
NUMBERS = count()
SMALL = {
    'model.generator.channels': 8,
    'model.generator.encoder_blocks': (1, 1, 1),
    'model.generator.decoder_blocks': (1, 1, 1, 1, 1, 1),
    'model.generator.depth_net.base_channels': 8,
    'train_dataloader.batch_size': 1,
    'train_dataloader.dataset.pipeline.5.lr_size': (16, 16),
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 9,
    'default_hooks.checkpoint.interval': 1,
    'default_hooks.checkpoint.save_best': None,
    'val_dataloader.num_workers': 0,
}


def _train(work_dir, data_root, resume=None, **options):
    """Train a tiny network in this process; return it."""
    data = {
        f'{name}_dataloader.dataset.data_root': str(data_root)
        for name in ('train', 'val', 'test')
    }
    cfg = load_config(
        ROOT / 'configs/dsrnet/teacher_quick.py',
        {**SMALL, **data, **options},
        work_dir,
    )
    # mmengine keeps one set of logs per name and process.
    cfg.experiment_name = f'faults_{next(NUMBERS)}'
    cfg.visualizer = None
    set_resume(cfg, resume)
    before = dict(DefaultScope._instance_dict)
    try:
        return train(cfg)
    finally:
        DefaultScope._instance_dict.clear()
        DefaultScope._instance_dict.update(before)


@pytest.fixture(scope='module')
def finished(refsr_root, tmp_path_factory):
    """Working directory of a training of two iterations, to copy."""
    work_dir = tmp_path_factory.mktemp('finished') / 'work'
    _train(work_dir, refsr_root)
    return work_dir


@pytest.fixture
def good(finished, tmp_path):
    """The last checkpoint of a training of two iterations."""
    shutil.copytree(finished, tmp_path / 'work')
    (tmp_path / 'work/last_checkpoint').unlink()
    return tmp_path / 'work/iter_2.pth'


@pytest.fixture
def start(refsr_root, tmp_path):
    """A function that trains in a folder of the test."""

    def run(work_dir='work', resume=None, root=refsr_root, **options):
        return _train(tmp_path / work_dir, root, resume, **options)

    return run


def test_divergence_stops_and_keeps_the_good(good, start, tmp_path):
    content = read_checkpoint(good)
    for group in content['optimizer']['param_groups']:
        group['lr'] = group['initial_lr'] = 1e30
    for schedule in content['param_schedulers']:
        schedule['base_values'] = [1e30]
        schedule['_last_value'] = [1e30]
    torch.save(content, good)
    with pytest.raises(UsageError) as caught:
        start(
            resume=str(good),
            **{
                'train_cfg.max_iters': 20,
                'optim_wrapper.optimizer.lr': 1e30,
            },
        )
    text = str(caught.value)
    assert 'iteration ' in text
    assert 'e+' in text
    assert '\n' not in text
    assert 'not finite' in text or 'loss is' in text
    assert 'optim_wrapper.optimizer.lr' in text
    kept = sorted((tmp_path / 'work').glob('iter_*.pth'))
    assert kept
    for file in kept:
        read_checkpoint(file)
    named = [file for file in kept if f'{file};' in text]
    assert named == [max(kept, key=lambda file: file.stat().st_mtime_ns)]


def test_first_loss_stops_before_the_weights_change(start, tmp_path):
    with pytest.raises(UsageError, match='loss is nan at iteration 1,'):
        start(**{'model.pixel_loss.loss_weight': float('nan')})
    assert not list((tmp_path / 'work').glob('*.pth'))
    assert not (tmp_path / 'work/.training').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'param_scheduler.1.T_max': 50}, 'CosineAnnealingLR: T_max was'),
        ({'param_scheduler.0.end': 3}, 'LinearLR: end was'),
        ({'optim_wrapper.optimizer.lr': 1e-5}, 'base_values was'),
        ({'param_scheduler': []}, 'it has 2 schedules, the config 0'),
    ],
)
def test_a_schedule_is_not_kept_silently(good, start, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        start(resume=str(good), **{'train_cfg.max_iters': 3, **options})
    assert 'load_from=FILE' in str(caught.value)


@pytest.mark.parametrize(
    ('begin', 'warns'), [(0, False), (5, False), (9, True)]
)
def test_an_adversarial_part_that_never_begins(begin, warns, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmdsr.engine.adversarial_hook.print_log', lambda *a: said.append(a[0])
    )
    model = dict(train_cfg=dict(pixel_init=begin))
    runner = SimpleNamespace(cfg=Config(dict(model=model)), max_iters=9)
    AdversarialHook().before_train(runner)
    assert bool(said) == warns
    assert all('ends at step 9' in text for text in said)


def test_resume_from_non_finite_is_refused(good, start, tmp_path):
    for part, name in (
        ('state_dict', 'generator.encoder'),
        ('optimizer', 'optimizer.state.0.exp_avg'),
    ):
        broken = torch.load(good, weights_only=False)
        value = broken[part]
        if part == 'state_dict':
            value[next(k for k in value if name in k)].view(-1)[0] = torch.inf
        else:
            value['state'][0]['exp_avg'].view(-1)[0] = torch.nan
        torch.save(broken, tmp_path / 'broken.pth')
        with pytest.raises(UsageError, match=rf'broken.pth.*{name}'):
            start(resume=str(tmp_path / 'broken.pth'))


def test_resume_runs_no_code_of_the_file(good, start, tmp_path):
    """mmengine runs the text of the config that a checkpoint holds."""
    content = read_checkpoint(good)
    target = tmp_path / 'hacked'
    content['meta']['config'] = f'import os\nos.mkdir({str(target)!r})\n'
    torch.save(content, good)
    start(resume=str(good), **{'train_cfg.max_iters': 3})
    assert (tmp_path / 'work/iter_3.pth').is_file()
    assert not target.exists()


def test_weights_that_do_not_fit(good, start, tmp_path):
    save_weights({'a.weight': torch.zeros(3)}, tmp_path / 'foreign.pth')
    with pytest.raises(
        UsageError, match=r'foreign.*: 0 of \d+ keys fit; \d+ missing.*1 unex'
    ):
        start('a', load_from=str(tmp_path / 'foreign.pth'))
    wider = {'model.generator.channels': 16}
    with pytest.raises(UsageError, match=r'keys fit; .*of another shape'):
        start('a', load_from=str(good), **wider)
    with pytest.raises(UsageError, match=r'keys fit; .*of another shape'):
        start('a', resume=str(good), **wider)
    save_weights(read_checkpoint(good)['state_dict'], tmp_path / 'weights.pth')
    with pytest.raises(UsageError, match='not a training checkpoint'):
        start('a', resume=str(tmp_path / 'weights.pth'))
    assert not list((tmp_path / 'a').glob('iter_*'))


def test_weights_that_other_programs_wrapped(good, start, tmp_path, capfd):
    weights = read_checkpoint(good)['state_dict']
    key = 'generator.encoder.stages.0.conv.weight'
    inner = {k.replace('generator.', 'module.'): v for k, v in weights.items()}
    torch.save(dict(params={}, params_ema=inner), tmp_path / 'x, y.pth')
    model = start(
        'new',
        load_from=RawOption(tmp_path / 'x, y.pth'),
        **{
            'train_cfg.max_iters': 1,
            'optim_wrapper.optimizer.lr': 0.0,
            'param_scheduler.1.eta_min': 0.0,
        },
    )
    assert torch.equal(model.state_dict()[key], weights[key])
    out, err = capfd.readouterr()
    said = "weights taken from 'params_ema', without the prefix 'module.'"
    assert said in out + err


def test_an_old_training_is_not_written_over(good, start, tmp_path):
    before = good.read_bytes()
    with pytest.raises(UsageError, match=r'contains a training run.*--resume'):
        start()
    assert good.read_bytes() == before
    # Noted names may be lost in a kill; the file is found all the same.
    (tmp_path / 'work/last_checkpoint').write_text('')
    (tmp_path / 'work/iter_3.pth').write_bytes(before[:1000])
    cfg = load_config(
        ROOT / 'configs/dsrnet/teacher_quick.py', {}, tmp_path / 'work'
    )
    set_resume(cfg, 'auto')
    assert cfg.load_from == str(good)


@pytest.mark.slow
def test_two_trainings_in_one_folder(start, tmp_path):
    code = (
        'import sys, time\n'
        'from mmdsr.engine.work_dir import hold\n'
        'with hold(sys.argv[1]):\n'
        '    print("held", flush=True)\n'
        '    time.sleep(60)\n'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', code, tmp_path / 'work'],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == 'held\n'
        with pytest.raises(
            UsageError, match=f'Another training run .process {other.pid} on '
        ):
            start()
    finally:
        other.kill()
        other.wait()
    # A dead process holds nothing, though its note is still there.
    assert (tmp_path / 'work/.training').exists()
    start(**{'train_cfg.max_iters': 1})
    assert not (tmp_path / 'work/.training').exists()


def _bad_stem(root):
    next((root / 'train/lr').iterdir()).rename(root / 'train/lr/other.png')


def _not_x4(root):
    from PIL import Image

    for file in (root / 'train/hr').iterdir():
        with Image.open(file) as image:
            image = image.crop((0, 0, 200, 192))
        image.save(file)


@pytest.mark.parametrize(
    ('break_data', 'options', 'message'),
    [
        (_bad_stem, {}, 'lacks 1 images listed in the manifest'),
        (_not_x4, {}, 'is 200x192, not 4 times its low-resolution image'),
        (
            _not_x4,
            {
                'train_dataloader.num_workers': 1,
                'train_dataloader.persistent_workers': False,
            },
            'is 200x192, not 4 times its low-resolution image',
        ),
        (
            None,
            {'train_dataloader.dataset.pipeline.5.lr_size': (400, 400)},
            'smaller than the window',
        ),
        (
            None,
            {
                'train_dataloader.persistent_workers': True,
                'train_dataloader.num_workers': 0,
            },
            'persistent_workers',
        ),
    ],
)
def test_data_errors_are_one_line(
    start, tmp_path, refsr_root, break_data, options, message
):
    root = tmp_path / 'data set, copied'
    shutil.copytree(refsr_root, root)
    if break_data:
        break_data(root)
    with pytest.raises(UsageError, match=message) as caught:
        start(root=RawOption(root), **options)
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert 'Traceback' not in str(caught.value)


def test_work_dir_that_cannot_be_written(start, tmp_path):
    (tmp_path / 'work').write_text('a file')
    with pytest.raises(UsageError, match='work is not writable'):
        start()


@pytest.mark.parametrize(
    ('option', 'owner'),
    [
        ('train_cfg.max_iter', 'IterBasedTrainLoop'),
        ('model.generator.channel', 'DSRNet'),
    ],
)
def test_an_argument_that_a_class_does_not_have(option, owner, start):
    name = option.split('.')[-1]
    with pytest.raises(UsageError, match=f"'{name}', which {owner} does not"):
        start(**{option: 8})


def test_a_type_that_does_not_exist(start, tmp_path):
    with pytest.raises(UsageError, match=r"type 'mmdsr\.DSRNett'"):
        start(**{'model.generator.type': 'mmdsr.DSRNett'})
    assert 'KeyError' in (tmp_path / 'work/error.txt').read_text()


def test_an_argument_that_is_not_given(start):
    loss = dict(_delete_=True, type='mmdsr.DepthEditor')
    with pytest.raises(UsageError, match=r'does not set .*DepthEditor needs'):
        start(model=loss)


def test_an_error_in_code_keeps_its_traceback(start, monkeypatch):
    def broken(*args):
        raise TypeError(
            "Thing.__init__() got an unexpected keyword argument 'zzz'"
        )

    monkeypatch.setattr(Runner, 'train', broken)
    with pytest.raises(TypeError, match='zzz'):
        start()


def test_other_ranks_do_not_lock(tmp_path, monkeypatch):
    with hold(tmp_path):
        assert (tmp_path / '.training').exists()
        monkeypatch.setenv('RANK', '1')
        # Not an error of the folder.
        with pytest.raises(OSError, match='of the body'), hold(tmp_path):
            raise OSError('of the body')
        assert (tmp_path / '.training').exists()
    assert not (tmp_path / '.training').exists()
