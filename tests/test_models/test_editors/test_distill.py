"""The student that learns from a teacher."""

import copy
import logging

import pytest
import torch
from editor_cases import (
    DEPTH_LOSS,
    DSRNET,
    MASA,
    NO_DEPTH_NET,
    PIXEL_LOSS,
    make_batch,
)
from mmengine.model import (
    ExponentialMovingAverage,
    MMSeparateDistributedDataParallel,
)
from mmengine.optim import OptimWrapper
from torch.nn.parallel import DistributedDataParallel

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import load_generator
from mmdsr.models.distillers import pair_distances
from mmdsr.registry import MODELS

# Wider and deeper than the student.
TEACHER = dict(
    DSRNET,
    channels=12,
    encoder_blocks=(2, 1, 3),
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=16),
)
KD_LOSS = dict(type='mmagic.L1Loss', loss_weight=0.5)
ADM = dict(type='mmdsr.ADM', channels=16)
FAKD = dict(type='mmdsr.FAKD')
ALL = {'loss', 'loss_rec', 'loss_dep', 'loss_kd', 'loss_ad'}


def _save(network, path):
    torch.save(
        {f'generator.{k}': v for k, v in network.state_dict().items()}, path
    )
    return str(path)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Weights of TEACHER as a training checkpoint names them."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp('teacher') / 'best_PSNR-Y_iter_1.pth'
    return _save(MODELS.build(copy.deepcopy(TEACHER)), path)


def _model(checkpoint, **kwargs):
    torch.manual_seed(0)
    options = dict(
        generator=DSRNET,
        pixel_loss=PIXEL_LOSS,
        depth_loss=DEPTH_LOSS,
        teacher=TEACHER,
        teacher_checkpoint=checkpoint,
        kd_loss=KD_LOSS,
        adm=ADM,
    )
    options.update(kwargs)
    return MODELS.build(
        dict(type='mmdsr.DSRDistiller', **copy.deepcopy(options))
    )


def _optim(model, lr=1e-3):
    return OptimWrapper(torch.optim.Adam(model.parameters(), lr=lr))


def _teacher(model):
    return model._teacher.module


def _losses(model, count=1, depth='known'):
    data = model.data_preprocessor(make_batch(count, depth), True)
    return model(**data, mode='loss')


@pytest.mark.parametrize('level', ['scale', 'block'])
@pytest.mark.parametrize('count', [1, 2])
def test_train_step_twice(checkpoint, count, level):
    model = _model(checkpoint, feature_level=level)
    optim = _optim(model)
    before = copy.deepcopy(model.state_dict())
    frozen = copy.deepcopy(_teacher(model).state_dict())
    for _ in range(2):
        logs = model.train_step(make_batch(count, 'half'), optim)
        assert set(logs) == ALL
        assert all(torch.isfinite(value) for value in logs.values())
        assert all(value > 0 for value in logs.values())
        total = sum(v for k, v in logs.items() if k != 'loss')
        assert torch.allclose(logs['loss'], total)
    changed = {
        '.'.join(key.split('.')[:2])
        for key, value in model.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert changed >= {
        'generator.depth_net',
        'generator.encoder',
        'generator.decoder',
        'adm_encoder.queries',
        'adm_encoder.keys',
        'adm_encoder.matrices',
        'adm_depth.teacher_position',
        'adm_depth.student_position',
    }
    for key, value in _teacher(model).state_dict().items():
        assert torch.equal(value, frozen[key])


def test_losses_are_those_of_the_equations(checkpoint):
    """Eq. 21 to 23 and the weights of Section 5.1."""
    model = _model(checkpoint)
    data = model.data_preprocessor(make_batch(2, 'half'), True)
    inputs, samples = data['inputs'], data['data_samples']
    losses = model(**data, mode='loss')
    pair = inputs['img'], inputs['ref']
    student = model.generator.explain(*pair)
    teacher = _teacher(model).explain(*pair)

    def check(name, expected):
        torch.testing.assert_close(losses[name], expected)

    check('loss_rec', (student.sr - samples.gt_img).abs().mean())
    check('loss_kd', 0.5 * (student.sr - teacher.sr).abs().mean())
    sums = []
    for adm, field in (
        (model.adm_encoder, 'feats'),
        (model.adm_depth, 'depth_feats'),
    ):
        adm = copy.deepcopy(adm)
        adm.loss_weight = 1.0
        sums.append(adm(getattr(teacher, field), getattr(student, field)))
    assert abs(sums[0] - sums[1]) > 0.01
    check('loss_ad', 0.1 * (sums[0] + sums[1]) / 2)
    plain = MODELS.build(
        dict(
            type='mmdsr.DSR',
            generator=copy.deepcopy(DSRNET),
            pixel_loss=PIXEL_LOSS,
            depth_loss=DEPTH_LOSS,
        )
    )
    plain.generator.load_state_dict(model.generator.state_dict())
    check('loss_dep', plain(**data, mode='loss')['loss_dep'])


@pytest.mark.parametrize(
    ('off', 'missing'),
    [
        (dict(kd_loss=None), {'loss_kd'}),
        (dict(adm=None), {'loss_ad'}),
        (dict(depth_loss=None), {'loss_dep'}),
        (dict(kd_loss=None, adm=None), {'loss_kd', 'loss_ad'}),
    ],
)
def test_rows_of_table_11(checkpoint, off, missing):
    model = _model(checkpoint, **off)
    assert set(_losses(model)) == ALL - {'loss'} - missing
    # All rows start from the same student.
    other = _model(checkpoint).generator.state_dict()
    for key, value in model.generator.state_dict().items():
        assert torch.equal(value, other[key])


def test_no_teacher_is_loaded_without_its_losses():
    model = _model('none.pth', kd_loss=None, adm=None)
    assert model._teacher is None
    logs = model.train_step(make_batch(), _optim(model))
    assert set(logs) == {'loss', 'loss_rec', 'loss_dep'}


def test_teacher_is_outside_of_the_model(checkpoint):
    model = _model(checkpoint)
    teacher = _teacher(model)
    prefixes = {'generator', 'adm_encoder', 'adm_depth'}
    for names in (
        model.state_dict(),
        dict(model.named_parameters()),
        dict(model.named_buffers()),
    ):
        found = {name.split('.')[0] for name in names}
        assert found - {'data_preprocessor'} <= prefixes
    assert not set(map(id, teacher.modules())) & set(map(id, model.modules()))
    model.train()
    assert model.generator.training
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_teacher_keeps_its_weights(checkpoint, caplog):
    caplog.set_level(logging.ERROR)
    model = _model(checkpoint)
    model.init_weights()
    stored = torch.load(checkpoint, weights_only=True)
    state = _teacher(model).state_dict()
    assert len(state) == len(stored)
    for key, value in state.items():
        assert torch.equal(value, stored[f'generator.{key}'])


def test_teacher_runs_without_a_graph(checkpoint):
    model = _model(checkpoint)
    data = model.data_preprocessor(make_batch(), True)
    output = model.run_teacher(data['inputs'])
    for value in (output.sr, output.depth, *output.feats, *output.depth_feats):
        assert not value.requires_grad
    losses = model(**data, mode='loss')
    sum(losses.values()).backward()
    assert all(p.grad is None for p in _teacher(model).parameters())
    # Of the student and both ADM no parameter is left out.
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize('only', ['kd_loss', 'adm'])
def test_each_term_reaches_the_student(checkpoint, only):
    model = _model(checkpoint)
    losses = _losses(model, depth='absent')
    losses['loss_kd' if only == 'kd_loss' else 'loss_ad'].backward()
    encoder = model.generator.encoder.stages[0].conv.weight.grad
    assert encoder.abs().max() > 0
    # L_ad sees the depth encoder and through it the depth network.
    depth_net = [p.grad for p in model.generator.depth_net.parameters()]
    assert any(g is not None and g.abs().max() > 0 for g in depth_net)


def test_distillation_loss_of_teacher_copy_is_zero(checkpoint):
    model = _model(checkpoint, generator=TEACHER)
    load_generator(model.generator, checkpoint)
    data = model.data_preprocessor(make_batch(2), True)
    losses = model(**data, mode='loss')
    assert losses['loss_kd'] < 1e-5
    assert losses['loss_rec'] > 0.1
    student = model.run_generator(data['inputs'])
    teacher = model.run_teacher(data['inputs'])
    for field in ('feats', 'depth_feats'):
        distances = pair_distances(
            getattr(teacher, field), getattr(student, field)
        )
        assert torch.diagonal(distances, dim1=1, dim2=2).max() < 1e-4
        # The other pairs remain: L_ad itself is not 0.
        assert distances[:, 0, 1].min() > 0.01


def test_student_checkpoint_fits_the_student(checkpoint, tmp_path):
    model = _model(checkpoint)
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    student = MODELS.build(copy.deepcopy(DSRNET))
    load_generator(student, path)
    model.eval()
    predicted = model.val_step(make_batch())[0].output.pred_img
    alone = MODELS.build(
        dict(
            type='mmdsr.DSR',
            generator=copy.deepcopy(DSRNET),
            pixel_loss=PIXEL_LOSS,
        )
    ).eval()
    load_generator(alone.generator, path)
    assert torch.equal(
        predicted, alone.val_step(make_batch())[0].output.pred_img
    )


def test_a_teacher_that_is_not_finite(checkpoint, tmp_path):
    state = torch.load(checkpoint, weights_only=True)
    key = next(iter(state))
    state[key].view(-1)[0] = torch.nan
    torch.save(state, tmp_path / 'nan.pth')
    with pytest.raises(
        CheckpointError, match=rf'teacher cannot be loaded.*finite: {key}'
    ):
        _model(tmp_path / 'nan.pth')


def test_missing_and_wrong_teachers(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match='teacher_checkpoint is not set'):
        _model(None)
    with pytest.raises(CheckpointError, match='teacher is not set'):
        _model(checkpoint, teacher=None)
    with pytest.raises(CheckpointError, match=r'no checkpoint at .*none\.pth'):
        _model(str(tmp_path / 'none.pth'))
    with pytest.raises(CheckpointError, match='no checkpoint at'):
        _model(str(tmp_path))
    with pytest.raises(CheckpointError, match=r'does not fit.*model\.teacher'):
        _model(checkpoint, teacher=DSRNET)
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'nothing')
    with pytest.raises(CheckpointError, match='teacher cannot be loaded'):
        _model(str(broken))


def test_teacher_of_a_working_directory(checkpoint, tmp_path):
    network = MODELS.build(copy.deepcopy(TEACHER))
    _save(network, tmp_path / 'best_PSNR-Y_iter_9.pth')
    torch.save({}, tmp_path / 'iter_10.pth')
    model = _model(str(tmp_path))
    for key, value in _teacher(model).state_dict().items():
        assert torch.equal(value, network.state_dict()[key])


@pytest.mark.parametrize(
    ('teacher', 'student', 'depth'),
    [
        (MASA, MASA, False),
        (TEACHER, MASA, False),
        (MASA, DSRNET, False),
        (NO_DEPTH_NET, DSRNET, True),
        (TEACHER, NO_DEPTH_NET, True),
    ],
)
def test_other_networks(tmp_path, teacher, student, depth):
    network = MODELS.build(copy.deepcopy(teacher))
    model = _model(
        _save(network, tmp_path / 'teacher.pth'),
        teacher=teacher,
        generator=student,
        depth_loss=None,
    )
    assert (model.adm_depth is not None) == depth
    logs = model.train_step(make_batch(2), _optim(model))
    assert set(logs) == ALL - {'loss_dep'}


def test_given_depth_is_missed_by_name(tmp_path):
    network = MODELS.build(copy.deepcopy(NO_DEPTH_NET))
    path = _save(network, tmp_path / 'teacher.pth')
    model = _model(path, teacher=NO_DEPTH_NET)
    with pytest.raises(ValueError, match='LoadDepth'):
        model.train_step(make_batch(depth='absent'), _optim(model))


def test_fakd_in_the_same_frame(checkpoint):
    model = _model(checkpoint, adm=FAKD)
    logs = model.train_step(make_batch(2), _optim(model))
    assert set(logs) == ALL
    assert {k.split('.')[0] for k in model.state_dict()} == {'generator'}
    with pytest.raises(ValueError, match="feature_level='scale'"):
        _model(checkpoint, adm=FAKD, feature_level='block')


def test_unknown_feature_level(checkpoint):
    with pytest.raises(ValueError, match="'scale' or 'block'"):
        _model(checkpoint, feature_level='layer')


def test_mixed_precision_on_the_cpu(checkpoint):
    model = _model(checkpoint)
    data = model.data_preprocessor(make_batch(2, 'half'), True)
    reference = model(**data, mode='loss')
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(**data, mode='loss')
    for name, value in losses.items():
        assert value.dtype == torch.float32
        assert torch.allclose(value, reference[name], rtol=0.1), name
    sum(losses.values()).backward()
    grads = [p.grad for p in model.parameters()]
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_an_average_of_the_model_shares_the_teacher(checkpoint):
    model = _model(checkpoint)
    average = ExponentialMovingAverage(model)
    assert _teacher(average.module) is _teacher(model)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_teacher_follows_the_device(checkpoint):
    model = _model(checkpoint).cuda()
    logs = model.train_step(make_batch(2), _optim(model))
    assert logs['loss_ad'].is_cuda
    assert next(_teacher(model).parameters()).is_cuda


def test_wrapped_for_distributed_training(checkpoint, tmp_path):
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        plain = _model(checkpoint)
        wrapped = MMSeparateDistributedDataParallel(
            _model(checkpoint), device_ids=None
        )
        for name in ('generator', 'adm_encoder', 'adm_depth'):
            child = getattr(wrapped.module, name)
            assert isinstance(child, DistributedDataParallel)
        assert list(wrapped.module.state_dict()) == list(plain.state_dict())
        optims = _optim(plain), _optim(wrapped)
        # Twice: an unused parameter would raise in the second step.
        for _ in range(2):
            for model, optim in zip((plain, wrapped), optims, strict=True):
                logs = model.train_step(make_batch(2), optim)
                assert set(logs) == ALL
        state = wrapped.module.state_dict()
        for key, value in plain.state_dict().items():
            assert torch.allclose(value, state[key], atol=1e-5), key
        output = wrapped.val_step(make_batch())[0].output
        assert output.pred_img.shape == (3, 64, 96)
    finally:
        torch.distributed.destroy_process_group()
