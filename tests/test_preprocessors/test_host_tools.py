"""Training, resuming and testing host configs, as our tools do it."""

import itertools
import json
import os

import pytest
import torch
from forks import on_two_ranks
from host_data import make_data, write_config
from stage_cases import HOSTS, NANO, build

from mmdsr.engine import launch
from mmdsr.errors import UsageError
from mmdsr.io.checkpoint import load_model, read_checkpoint, save_weights

METRICS = dict(
    mmseg={'mIoU', 'aAcc', 'mAcc'},
    mmdet={'coco/bbox_mAP', 'coco/segm_mAP'},
    mmpretrain={'accuracy/top1'},
)
EMA = [dict(type='mmengine.EMAHook')]
DOWN = [dict(type='mmdsr.Downsample', scale=1 / 4)]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """HR images; small, as the hosts' networks are slow."""
    return make_data(tmp_path_factory.mktemp('data') / 'set', (48, 64))


_COUNT = itertools.count()


def _load(path, **options):
    cfg = launch.load_config(
        path, options, work_dir=path.with_suffix(''), launcher='none'
    )
    # mmengine takes a run of the same second for the same one, whose scope
    # is no longer the current one after other tests.
    cfg.experiment_name = f'{path.parent.name}-{next(_COUNT)}'
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize('host', HOSTS)
def test_train_resume_and_test(tmp_path, data, host):
    """Through mmengine's runner, with a running average of the weights."""
    path = write_config(
        host, tmp_path / 'sr.py', data, steps=DOWN, custom_hooks=EMA
    )
    torch.manual_seed(0)
    model = launch.train(_load(path))
    assert model.data_preprocessor.sr.scale == 4
    first = read_checkpoint(tmp_path / 'sr/iter_2.pth')
    own = set(build(host).state_dict())
    assert set(first['state_dict']) == own
    averaged = {key.removeprefix('module.') for key in first['ema_state_dict']}
    assert averaged == own | {'steps'}

    cfg = _load(path, **{'train_cfg.max_iters': 3})
    launch.set_resume(cfg, 'auto')
    assert cfg.resume
    launch.train(cfg)
    last = read_checkpoint(tmp_path / 'sr/iter_3.pth')
    assert last['meta']['iter'] == 3
    assert not torch.equal(
        *(
            part['state_dict']['backbone.conv1.weight']
            for part in (first, last)
        )
    )

    checkpoint = tmp_path / 'sr/iter_3.pth'
    metrics = launch.test(_load(path), checkpoint)
    assert METRICS[host] <= metrics.keys()
    # The host's plain config takes it, and so does a plain model.
    other = write_config(host, tmp_path / 'hr.py', data, sr=None)
    assert launch.test(_load(other), checkpoint).keys() == metrics.keys()
    load_model(build(host), checkpoint)


@pytest.mark.slow
def test_lr_files_without_downsampling(tmp_path, data):
    path = write_config('mmseg', tmp_path / 'sr.py', data, iters=1)
    cfg = _load(path, **{'model.data_preprocessor.size': (192, 256)})
    launch.train(cfg)
    metrics = launch.test(cfg, tmp_path / 'sr/iter_1.pth')
    assert METRICS['mmseg'] <= metrics.keys()


def test_tta(tmp_path, data):
    flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(
            type='TestTimeAug',
            transforms=[
                flips,
                [dict(type='LoadAnnotations')],
                DOWN,
                [dict(type='PackSegInputs')],
            ],
        ),
    ]
    path = write_config(
        'mmseg',
        tmp_path / 'sr.py',
        data,
        tta_model=dict(type='SegTTAModel'),
        tta_pipeline=pipeline,
    )
    weights = tmp_path / 'w.pth'
    save_weights(build('mmseg').state_dict(), weights)
    cfg = _load(path)
    launch.enable_tta(cfg)
    assert METRICS['mmseg'] <= launch.test(cfg, weights).keys()
    cfg = _load(write_config('mmseg', tmp_path / 'x.py', data))
    with pytest.raises(UsageError, match='tta_model and tta_pipeline'):
        launch.enable_tta(cfg)


def test_weights_that_do_not_fit_are_refused(tmp_path, data):
    path = write_config('mmpretrain', tmp_path / 'sr.py', data)
    state = build('mmpretrain').state_dict()
    file = tmp_path / 'w.pth'
    with pytest.raises(UsageError, match=r'no checkpoint at .*w\.pth'):
        launch.test(_load(path), file)
    for change, message in (
        (lambda s: s.pop('head.fc.bias'), r'1 missing \(head.fc.bias'),
        (lambda s: s.update(more=torch.ones(1)), r'1 unexpected \(more'),
        (
            lambda s: s.update({'head.fc.bias': torch.ones(7)}),
            r'1 of another shape \(head.fc.bias',
        ),
        (lambda s: s.update({'head.fc.bias': 1}), 'of another shape'),
    ):
        wrong = dict(state)
        change(wrong)
        torch.save(dict(state_dict=wrong), file)
        with pytest.raises(UsageError, match=message) as caught:
            launch.test(_load(path), file)
        assert 'model of the config' in str(caught.value)
    file.write_bytes(b'PK nothing')
    with pytest.raises(UsageError, match='cannot be read as a checkpoint'):
        launch.test(_load(path), file)


def test_a_file_that_runs_code_is_refused(tmp_path, data):
    class Evil:
        def __reduce__(self):
            return (os.system, (f'touch {tmp_path}/ran',))

    path = write_config('mmpretrain', tmp_path / 'sr.py', data)
    file = tmp_path / 'w.pth'
    torch.save(
        dict(state_dict=build('mmpretrain').state_dict(), x=Evil()), file
    )
    with pytest.raises(UsageError, match='system'):
        launch.test(_load(path), file)
    assert not (tmp_path / 'ran').exists()


def test_stage_errors_are_messages(tmp_path, data):
    """Wrong arguments, missing files, missing references, sizes."""
    path = tmp_path / 'sr.py'
    cases = [
        (dict(sr=dict(weights='nothing')), 'dsrnet_student'),
        (
            dict(sr=dict(config='no.py', checkpoint='x')),
            'There is no config no.py',
        ),
        (dict(sr=dict(NANO, reference='file')), 'ref_path.*meta_keys'),
        (
            dict(steps=[dict(type='mmdsr.Downsample', scale=1 / 2)]),
            'neither the same nor 4 times',
        ),
    ]
    for arguments, message in cases:
        write_config('mmseg', path, data, **arguments)
        with pytest.raises(UsageError, match=message):
            launch.train(_load(path))


def test_sync_bn_without_cuda(tmp_path, data, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    path = write_config('mmseg', tmp_path / 'sr.py', data, steps=DOWN, iters=1)
    sync = dict(type='SyncBN', requires_grad=True)
    model = launch.train(
        _load(
            path,
            **{
                'model.backbone.norm_cfg': sync,
                'model.decode_head.norm_cfg': sync,
            },
        )
    )
    kinds = {type(m).__name__ for m in model.modules()}
    assert 'BatchNorm2d' in kinds
    assert 'SyncBatchNorm' not in kinds


@pytest.mark.slow
def test_two_ranks(tmp_path, data, free_port):
    """With gloo, where there is no CUDA."""
    path = write_config(
        'mmseg',
        tmp_path / 'sr.py',
        data,
        steps=DOWN,
        # Every parameter has to be used, in both steps.
        find_unused_parameters=False,
    )
    out = tmp_path / 'metrics.json'
    work = tmp_path / 'work'
    args = (path, '--work-dir', work)
    on_two_ranks(free_port, 'train.py', *args)
    args = (path, work / 'iter_2.pth', '--work-dir', work, '--out', out)
    on_two_ranks(free_port, 'test.py', *args)
    assert METRICS['mmseg'] <= json.loads(out.read_text()).keys()
    state = read_checkpoint(work / 'iter_2.pth')['state_dict']
    assert set(state) == set(build('mmseg').state_dict())
