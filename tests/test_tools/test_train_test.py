"""tools/train.py, test.py and the shell scripts, as a user runs them."""

import json
import os
import signal
import time

import pytest
import torch
from forks import fork, on_two_ranks, start
from tool_runs import ROOT, call, run

from mmdsr.io.checkpoint import read_checkpoint, save_weights

BASE = """
_base_ = {config!r}
model = dict(
    generator=dict(
        channels=8,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 1, 1, 1),
        depth_net=dict(base_channels=8),
    )
)
data_root = {root!r}
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers=0, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=0, dataset=dict(data_root=data_root))
"""
QUICK = """
train_dataloader.update(batch_size=2)
train_cfg = dict(max_iters={iters}, val_interval=5)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
"""


def _config(folder, root, more='', config='teacher_quick'):
    path = folder / 'small.py'
    config = str(ROOT / f'configs/dsrnet/{config}.py')
    path.write_text(BASE.format(config=config, root=str(root)) + more)
    return path


def _weights(path):
    return read_checkpoint(path)['state_dict']


def _differences(a, b):
    assert a.keys() == b.keys()
    return [key for key in a if not torch.equal(a[key], b[key])]


@pytest.mark.slow
def test_wrong_input_gives_one_line_and_code_2(tmp_path, refsr_root):
    config = _config(tmp_path, refsr_root)
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'nothing')
    gone = 'val_dataloader.dataset.data_root=/no/such/data'
    cases = [
        ('train.py', [tmp_path / 'none.py'], 'none.py does not exist'),
        ('train.py', [config, '--cfg-options', gone], 'make data'),
        ('train.py', [config, '--input', 'sr'], "default_scope='mmagic'"),
        ('test.py', [config, 'x.pth', '--input', 'lr'], 'on HR images'),
        (
            'test.py',
            [config, tmp_path / 'x.pth'],
            f'no checkpoint at {tmp_path}/x.pth',
        ),
        ('test.py', [config, tmp_path], f'no checkpoint at {tmp_path}'),
        ('test.py', [config, broken, '--out', 'x.csv'], '.json'),
        ('analysis_tools/compare.py', [config, tmp_path / 'x'], 'no checkp'),
    ]
    for tool, args, message in cases:
        done = call(tool, *args)
        assert done.returncode == 2, (tool, args, done.stderr)
        (line,) = done.stderr.strip().splitlines()[-1:]
        assert message in line
        assert 'Traceback' not in done.stderr
        assert not list(tmp_path.glob('*/iter_*'))


@pytest.mark.slow
def test_kill_and_resume_equals_no_stop(tmp_path, refsr_root):
    """SIGKILL in the middle, then --resume: the same weights to the bit."""
    config = _config(tmp_path, refsr_root, QUICK.format(iters=16))
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    fork('train.py', config, '--work-dir', whole)

    process = start('train.py', config, '--work-dir', killed)
    note = killed / 'last_checkpoint'
    deadline = time.monotonic() + 300
    # Past the validation at 5, which must not disturb what follows.
    while not (note.is_file() and note.read_text().endswith('iter_8.pth')):
        assert process.poll() is None, 'training ended by itself'
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / 'iter_16.pth').exists()

    fork('train.py', config, '--work-dir', killed, '--resume')
    a, b = _weights(whole / 'iter_16.pth'), _weights(killed / 'iter_16.pth')
    assert not _differences(a, b)
    # What was trained on is compared, not two untouched initialisations.
    earlier = min(whole.glob('iter_*.pth'), key=lambda f: f.stat().st_mtime)
    assert _differences(a, _weights(earlier))

    # Asked once more, there is nothing left to do.
    done = fork('train.py', config, '--work-dir', killed, '--resume')
    assert 'Iter(train)' not in done.stdout
    assert not _differences(a, _weights(killed / 'iter_16.pth'))


@pytest.mark.slow
def test_epochs_resume_too(tmp_path, refsr_root):
    """The schedule of the paper, with the GAN and its warm-up."""
    more = """
model.update(
    discriminator=dict(base_channels=16),
    perceptual_loss=dict(weights=None, untrained=True),
    train_cfg=dict(pixel_init=5),
)
train_cfg = dict(max_epochs={epochs}, val_interval=2)
param_scheduler = dict(T_max=3)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(max_keep_ckpts=3)
)
"""
    config = _config(tmp_path, refsr_root, more.format(epochs=3), 'teacher')
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    fork('train.py', config, '--work-dir', whole)
    first = read_checkpoint(whole / 'epoch_1.pth')
    assert first['state_dict']['step_counter'] == 4
    parts.mkdir()
    (whole / 'epoch_1.pth').rename(parts / 'epoch_1.pth')
    resume = ['--resume', parts / 'epoch_1.pth']
    done = fork('train.py', config, '--work-dir', parts, *resume)
    assert done.stdout.count('loss_adv') == 7
    a, b = _weights(whole / 'epoch_3.pth'), _weights(parts / 'epoch_3.pth')
    assert not _differences(a, b)


@pytest.mark.slow
def test_a_single_image_network_resumes(tmp_path, refsr_root):
    config = tmp_path / 'small.py'
    base = str(ROOT / 'configs/baselines/rcan_plus_quick.py')
    config.write_text(f"""
_base_ = {base!r}
model = dict(generator=dict(network=dict(
    channels=8, num_groups=1, num_blocks=1, reduction=4)))
data_root = {str(refsr_root)!r}
train_dataloader = dict(batch_size=1, dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
train_cfg = dict(max_iters=6, val_interval=3)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
""")
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    fork('train.py', config, '--work-dir', whole)
    early = _weights(whole / 'iter_4.pth')
    parts.mkdir()
    (whole / 'iter_4.pth').rename(parts / 'iter_4.pth')
    resume = ['--resume', parts / 'iter_4.pth']
    done = fork('train.py', config, '--work-dir', parts, *resume)
    assert done.stdout.count('loss_rec') == 2
    a, b = _weights(whole / 'iter_6.pth'), _weights(parts / 'iter_6.pth')
    assert not _differences(a, b)
    assert _differences(a, early)


@pytest.mark.slow
def test_train_test_and_compare(tmp_path, refsr_root):
    config = _config(tmp_path, refsr_root, QUICK.format(iters=2))
    work_dir = tmp_path / 'work'
    run('train.py', config, '--work-dir', work_dir)
    assert (work_dir / 'last_checkpoint').is_file()

    checkpoint = work_dir / 'iter_2.pth'
    plain = tmp_path / 'plain.pth'
    save_weights(_weights(checkpoint), plain)
    metrics = []
    for number, weights in enumerate((checkpoint, plain)):
        out = tmp_path / f'metrics{number}.json'
        test = fork if number else run
        test(
            'test.py',
            config,
            weights,
            '--work-dir',
            tmp_path / 'test',
            '--out',
            out,
        )
        metrics.append(json.loads(out.read_text()))
    assert metrics[0] == metrics[1]
    assert metrics[0].keys() >= {'PSNR-Y', 'SSIM-Y', 'PSNR-RGB', 'SSIM-RGB'}

    out = tmp_path / 'compare'
    done = fork(
        'analysis_tools/compare.py',
        config,
        work_dir,
        '--out',
        out,
        '--strips',
        '2',
    )
    assert 'bicubic' in done.stdout
    rows = json.loads((out / 'results.json').read_text())['results']['tiny']
    assert len(rows) == 8
    assert rows[1]['name'] == 'flow-warp'
    # The study and the runner measure the same.
    assert rows[2]['psnr_y'] == pytest.approx(metrics[0]['PSNR-Y'], abs=0.01)
    assert rows[2]['ssim_y'] == pytest.approx(metrics[0]['SSIM-Y'], abs=1e-4)
    assert len(list((out / 'strips/tiny').glob('*.png'))) == 2


DISTRIBUTED = """
train_dataloader.update(
    batch_size={batch}, num_workers=0, persistent_workers=False
)
train_cfg = dict(max_iters=3, val_interval=3)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=3))
# Adam would turn rounding errors of tiny gradients into steps.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=0.5), clip_grad=None
)
"""


@pytest.mark.slow
def test_two_ranks_equal_one_with_twice_the_batch(
    tmp_path, refsr_root, free_port
):
    """dist_train.sh with gloo, on a machine without CUDA."""
    weights = []
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        config = _config(
            folder, refsr_root, DISTRIBUTED.format(batch=4 // ranks)
        )
        args = [config, '--work-dir', folder]
        if ranks == 1:
            fork('train.py', *args)
        else:
            os.environ['PORT'] = free_port
            run('dist_train.sh', config, ranks, '--work-dir', folder)
        weights.append(_weights(folder / 'iter_3.pth'))
    initial = _weights_at_start(tmp_path, refsr_root)
    moved = 0.0
    for key, value in weights[0].items():
        assert torch.allclose(value, weights[1][key], atol=1e-5), key
        moved = max(moved, (value - initial[key]).abs().max().item())
    assert moved > 1e-3

    done = run(
        'dist_test.sh',
        tmp_path / '2/small.py',
        tmp_path / '2/iter_3.pth',
        2,
        '--work-dir',
        tmp_path / 'test',
        '--out',
        tmp_path / 'metrics.json',
    )
    assert 'PSNR-Y' in done.stdout
    assert (tmp_path / 'metrics.json').is_file()


def _weights_at_start(folder, root):
    """Weights of the first iteration's start, through a zero rate."""
    more = DISTRIBUTED.format(batch=1).replace('lr=0.5', 'lr=0.0')
    path = folder / 'start'
    path.mkdir()
    config = _config(path, root, more)
    fork('train.py', config, '--work-dir', path)
    return _weights(path / 'iter_3.pth')


@pytest.mark.slow
def test_gan_trains_on_two_ranks(tmp_path, refsr_root, free_port):
    more = """
model.update(
    discriminator=dict(base_channels=16),
    perceptual_loss=dict(weights=None, untrained=True),
    train_cfg=dict(pixel_init=1),
)
train_dataloader.update(num_workers=0)
train_cfg = dict(max_epochs=2, val_interval=2)
default_hooks = dict(logger=dict(interval=1))
"""
    config = _config(tmp_path, refsr_root, more, 'teacher')
    printed = on_two_ranks(
        free_port, 'train.py', config, '--work-dir', tmp_path
    )
    assert printed.count('loss_adv') == 3
    state = _weights(tmp_path / 'epoch_2.pth')
    assert state['step_counter'] == 4
    assert all(torch.isfinite(value).all() for value in state.values())


@pytest.mark.parametrize(
    ('script', 'usage'),
    [
        ('dist_train.sh', 'CONFIG PROCESSES'),
        ('dist_test.sh', 'CONFIG CHECKPOINT PROCESSES'),
        ('slurm_train.sh', 'PARTITION JOB_NAME CONFIG WORK_DIR'),
        ('slurm_test.sh', 'PARTITION JOB_NAME CONFIG CHECKPOINT'),
    ],
)
def test_scripts_explain_themselves(script, usage):
    done = run(script, check=False)
    assert done.returncode == 2
    assert usage in done.stderr


@pytest.mark.parametrize('kind', ['train', 'test'])
def test_slurm_command(tmp_path, monkeypatch, kind):
    """srun is replaced by a program that prints its arguments."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setenv('GPUS', '2')
    monkeypatch.setenv('SRUN_ARGS', '--qos low')
    done = run(f'slurm_{kind}.sh', 'part', 'job', 'a.py', 'b c', '--x')
    words = done.stdout.splitlines()
    assert {'--job-name=job', '--ntasks=2', '--qos', 'low', '--x'} <= set(
        words
    )
    assert 'b c' in words
    assert words[words.index('--launcher') + 1] == 'slurm'
