"""Distillation as a user runs it: teacher, student, test of the student."""

import json

import pytest
import torch
from forks import fork, on_two_ranks
from mmengine.config import Config
from tool_runs import ROOT, call

from mmdsr.io.checkpoint import read_checkpoint, save_weights
from mmdsr.registry import MODELS

BASE = """
_base_ = {config!r}
small = dict(
    channels=8,
    encoder_blocks=(1, 1, 1),
    decoder_blocks=(1, 1, 1, 1, 1, 1),
)
model = dict(generator=small)
data_root = {root!r}
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers=0, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=0, dataset=dict(data_root=data_root))
train_cfg = dict(max_iters={iters}, val_interval=2)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=1))
"""


def _config(folder, root, config, iters=2, more=''):
    path = folder / f'{config.split("/")[-1]}_{iters}.py'
    config = str(ROOT / f'configs/{config}.py')
    path.write_text(
        BASE.format(config=config, root=str(root), iters=iters) + more
    )
    return path


@pytest.fixture
def teacher(tmp_path):
    """A working directory with a teacher of the quick size."""
    torch.manual_seed(3)
    cfg = Config.fromfile(ROOT / 'configs/distill/dsrnet-d_quick.py')
    state = MODELS.build(cfg.model.teacher).state_dict()
    state = {f'generator.{key}': value for key, value in state.items()}
    save_weights(state, tmp_path / 'teacher/best_PSNR-Y_iter_5.pth')
    return tmp_path / 'teacher'


def _options(teacher):
    return ['--cfg-options', f'model.teacher_checkpoint={teacher}']


def _weights(path):
    return read_checkpoint(path)['state_dict']


@pytest.mark.slow
def test_distil_resume_and_test_the_student(tmp_path, refsr_root, teacher):
    """A narrow student of the quick teacher, stopped after one iteration."""
    options = _options(teacher)
    config = _config(tmp_path, refsr_root, 'distill/dsrnet-d_quick')
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    done = fork('train.py', config, '--work-dir', whole, *options)
    for name in ('rec', 'kd', 'ad', 'dep'):
        assert done.stdout.count(f' loss_{name}:') == 2
    state = _weights(whole / 'iter_2.pth')
    assert {key.split('.')[0] for key in state} <= {
        'generator',
        'adm_encoder',
        'adm_depth',
        'data_preprocessor',
    }

    parts.mkdir()
    first = parts / 'iter_1.pth'
    (whole / 'iter_1.pth').rename(first)
    fork('train.py', config, '--work-dir', parts, '--resume', first, *options)
    again = _weights(parts / 'iter_2.pth')
    assert all(torch.equal(value, again[key]) for key, value in state.items())
    early = _weights(first)
    assert not torch.equal(
        state['adm_depth.matrices'], early['adm_depth.matrices']
    )

    # The student's own config, and the distiller's without its teacher.
    student = _config(tmp_path, refsr_root, 'dsrnet/student_quick')
    metrics = []
    for number, cfg in enumerate((student, config)):
        out = tmp_path / f'{number}.json'
        fork(
            'test.py',
            cfg,
            whole / 'iter_2.pth',
            '--work-dir',
            tmp_path / 'test',
            '--out',
            out,
        )
        metrics.append(json.loads(out.read_text()))
    assert metrics[0] == metrics[1]
    assert metrics[0]['PSNR-Y'] > 10


@pytest.mark.slow
def test_checkpoint_of_a_full_student(tmp_path, refsr_root):
    """configs/dsrnet/student.py as it is, on DSRNet-D's checkpoint."""
    cfg = Config.fromfile(ROOT / 'configs/distill/dsrnet-d.py')
    cfg.model.update(kd_loss=None, default_scope=None)
    cfg.model.pop('default_scope')
    teacher = MODELS.build(cfg.model.teacher)
    save_weights(teacher.state_dict(), tmp_path / 'teacher.pth')
    cfg.model.update(
        teacher_checkpoint=str(tmp_path / 'teacher.pth'),
        pixel_loss=dict(type='mmagic.L1Loss'),
        data_preprocessor=None,
    )
    model = MODELS.build(cfg.model)
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    done = fork(
        'test.py',
        ROOT / 'configs/dsrnet/student.py',
        checkpoint,
        '--work-dir',
        tmp_path / 'test',
        '--cfg-options',
        f'test_dataloader.dataset.data_root={refsr_root}',
        'test_dataloader.dataset.max_samples=1',
    )
    assert 'PSNR-Y' in done.stdout


@pytest.mark.slow
def test_wrong_teacher_gives_one_line_and_code_2(
    tmp_path, refsr_root, teacher
):
    config = _config(tmp_path, refsr_root, 'distill/dsrnet-d_quick')
    for options, message in (
        (_options(tmp_path / 'none'), f'no checkpoint at {tmp_path}/none'),
        (
            [*_options(teacher), 'model.teacher.channels=24'],
            'does not fit',
        ),
        (['--cfg-options', 'model.teacher_checkpoint='], 'is not set'),
    ):
        done = call('train.py', config, '--work-dir', tmp_path, *options)
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.strip().splitlines()[-1:]
        assert message in line
        assert 'teacher_checkpoint' in line or 'model.teacher' in line
        assert 'Traceback' not in done.stderr


DISTRIBUTED = """
train_dataloader.update(
    batch_size={batch}, num_workers=0, persistent_workers=False
)
train_cfg.update(max_iters=2)
# Adam would turn rounding errors of tiny gradients into steps.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=0.1), clip_grad=None
)
# Whole from the first step.
param_scheduler = []
"""


@pytest.mark.slow
def test_two_ranks_equal_one_with_twice_the_batch(
    tmp_path, refsr_root, teacher, free_port
):
    """With gloo, on a machine without CUDA."""
    states = []
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        config = _config(
            folder,
            refsr_root,
            'distill/dsrnet-d_quick',
            more=DISTRIBUTED.format(batch=4 // ranks),
        )
        args = ['--work-dir', folder, *_options(teacher)]
        if ranks == 1:
            fork('train.py', config, *args)
        else:
            on_two_ranks(free_port, 'train.py', config, *args)
        states.append(_weights(folder / 'iter_2.pth'))
    assert states[0].keys() == states[1].keys()
    first = _weights(tmp_path / '1/iter_1.pth')
    for key, value in states[0].items():
        step = (value - first[key]).abs().max().item()
        error = (value - states[1][key]).abs().max().item()
        # Rounding: a step of 1e-6 has few digits beside weights of 0.1.
        assert error < 0.02 * step + 3e-7, key
        if key.endswith(('matrices', 'conv_out.weight')):
            assert step > 3e-6, key
