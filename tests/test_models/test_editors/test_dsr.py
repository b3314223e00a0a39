"""The trainable DSRNet+."""

import copy

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
from mmengine.optim import OptimWrapper

from mmdsr.models.losses import match_loss
from mmdsr.registry import MODELS


def _model(generator=DSRNET, depth_loss=DEPTH_LOSS, **kwargs):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmdsr.DSR',
            generator=copy.deepcopy(generator),
            pixel_loss=PIXEL_LOSS,
            depth_loss=depth_loss,
            **kwargs,
        )
    )


def _optim(model, lr=1e-3):
    return OptimWrapper(torch.optim.Adam(model.parameters(), lr=lr))


@pytest.mark.parametrize('count', [1, 2])
@pytest.mark.parametrize('depth', ['known', 'half', 'unknown', 'absent'])
def test_train_step_twice(count, depth):
    model = _model()
    optim = _optim(model)
    before = copy.deepcopy(model.state_dict())
    for _ in range(2):
        logs = model.train_step(make_batch(count, depth), optim)
        assert set(logs) == {'loss', 'loss_rec', 'loss_dep'}
        assert all(torch.isfinite(value) for value in logs.values())
        assert (logs['loss_dep'] > 0) == (depth in ('known', 'half'))
        assert torch.allclose(
            logs['loss'], logs['loss_rec'] + logs['loss_dep']
        )
    changed = {
        key.split('.')[1]
        for key, value in model.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert changed >= {'depth_net', 'encoder', 'decoder'}


def test_losses_are_those_of_the_equations():
    model = _model()
    data = model.data_preprocessor(make_batch(2, 'half'), True)
    inputs, samples = data['inputs'], data['data_samples']
    losses = model(**data, mode='loss')
    output = model.generator.explain(inputs['img'], inputs['ref'])
    assert inputs['img'].max() <= 1
    assert samples.gt_img.max() <= 1
    expected = (output.sr - samples.gt_img).abs().mean()
    assert torch.allclose(losses['loss_rec'], expected)
    expected = sum(
        (pred - target).abs()[~target.isnan()].mean()
        for pred, target in (
            (output.depth, samples.depth_lr),
            (output.depth_ref, samples.depth_ref),
        )
    )
    assert torch.allclose(losses['loss_dep'], 0.01 * expected)


@pytest.mark.slow
def test_overfits_one_sample():
    model = _model()
    optim = _optim(model, lr=2e-3)
    data = make_batch()
    # A smooth truth: noise cannot be learnt by heart in a few steps.
    data['data_samples'][0].gt_img = torch.full((3, 64, 96), 30.0)
    losses = [
        model.train_step(copy.deepcopy(data), optim)['loss_rec'].item()
        for _ in range(45)
    ]
    assert losses[-1] < 0.5 * losses[0]


def test_all_parameters_get_a_gradient():
    """Else distributed training would need find_unused_parameters."""
    model = _model()
    losses = model(
        **model.data_preprocessor(make_batch(depth='absent'), True),
        mode='loss',
    )
    sum(losses.values()).backward()
    missing = [k for k, p in model.named_parameters() if p.grad is None]
    assert not missing


def test_val_step():
    model = _model()
    model.eval()
    batch = make_batch(2)
    truth = batch['data_samples'][1].gt_img.clone()
    samples = model.val_step(batch)
    assert len(samples) == 2
    output = samples[1].output
    assert output.pred_img.shape == (3, 64, 96)
    assert output.pred_img.device.type == 'cpu'
    assert output.pred_img.min() >= 0
    assert 1 < output.pred_img.max() <= 255
    assert output.pred_depth.shape == output.confidence.shape == (1, 16, 24)
    # The order of the channels is that of the truth, which mmagic turns.
    data = model.data_preprocessor(make_batch(2), False)
    sr = model(**data, mode='tensor')[1] * 255
    same_order = torch.equal(samples[1].gt_img, truth.float())
    expected = sr.clamp(0, 255) if same_order else sr.clamp(0, 255).flip(0)
    assert torch.allclose(output.pred_img, expected, atol=1e-3)


def test_generator_without_depth():
    model = _model(MASA, depth_loss=None)
    logs = model.train_step(make_batch(2, 'absent'), _optim(model))
    assert set(logs) == {'loss', 'loss_rec'}
    output = model.val_step(make_batch())[0].output
    assert 'pred_depth' not in output
    with pytest.raises(ValueError, match='MASASRNet predicts no depth'):
        _model(MASA)
    with pytest.raises(ValueError, match='uses no depth'):
        _model(MASA, depth_loss=None, test_cfg=dict(depth='zero'))


def test_given_depth_as_input():
    model = _model(NO_DEPTH_NET, depth_loss=None)
    logs = model.train_step(make_batch(2), _optim(model))
    assert set(logs) == {'loss', 'loss_rec'}
    batch = make_batch()
    given = batch['data_samples'][0].depth_lr.clone()
    assert torch.equal(model.val_step(batch)[0].output.pred_depth, given)


@pytest.mark.parametrize('mode', ['train', 'val'])
def test_missing_depth_names_the_sample(mode):
    model = _model(NO_DEPTH_NET, depth_loss=None)
    batch = make_batch(2)
    batch['data_samples'][1].depth_ref[0, 3, 4] = float('nan')
    step = dict(
        train=lambda: model.train_step(batch, _optim(model)),
        val=lambda: model.val_step(batch),
    )[mode]
    with pytest.raises(ValueError, match=r'depth_ref.*run_1\.png \(1 pixels'):
        step()
    with pytest.raises(ValueError, match='LoadDepth'):
        model.val_step(make_batch(depth='absent'))


def test_depth_sources_in_evaluation():
    predictions = {}
    for source in ('predicted', 'given', 'zero'):
        model = _model(test_cfg=dict(depth=source)).eval()
        batch = make_batch()
        given = batch['data_samples'][0].depth_lr.clone()
        output = model.val_step(batch)[0].output
        predictions[source] = output.pred_img
        used = output.pred_depth
        assert torch.equal(used, given) == (source == 'given')
        assert (used == 0).all() == (source == 'zero')
    assert not torch.equal(predictions['predicted'], predictions['given'])
    assert not torch.equal(predictions['zero'], predictions['given'])


@pytest.mark.parametrize(
    ('generator', 'source', 'message'),
    [
        (DSRNET, 'guessed', 'must be one of'),
        (NO_DEPTH_NET, 'predicted', 'no depth_net'),
    ],
)
def test_wrong_depth_source(generator, source, message):
    with pytest.raises(ValueError, match=message):
        _model(generator, depth_loss=None, test_cfg=dict(depth=source))


@pytest.mark.parametrize(
    'inputs', [torch.zeros(1, 3, 16, 16), dict(img=torch.zeros(1, 3, 16, 16))]
)
def test_wrong_inputs_say_how_to_pack(inputs):
    with pytest.raises(TypeError, match=r"keys=\['img', 'ref'\]"):
        _model()(inputs)


def test_unknown_mode():
    with pytest.raises(ValueError, match='mode'):
        _model()(dict(img=None, ref=None), mode='lose')


def test_mixed_precision_on_the_cpu():
    """The losses stay fp32 and finite, and the weights get gradients."""
    model = _model()
    data = model.data_preprocessor(make_batch(2, 'half'), True)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(**data, mode='loss')
    reference = model(**data, mode='loss')
    for name, value in losses.items():
        assert value.dtype == torch.float32
        assert torch.allclose(value, reference[name], rtol=0.05)
    sum(losses.values()).backward()
    grads = [p.grad for p in model.parameters()]
    assert all(torch.isfinite(grad).all() for grad in grads)


@pytest.mark.parametrize('generator', [DSRNET, MASA])
def test_match_loss(generator):
    depth_loss = DEPTH_LOSS if generator is DSRNET else None
    options = dict(match_loss=dict(type='mmdsr.MatchLoss', loss_weight=0.1))
    model = _model(generator, depth_loss, **options)
    batch = make_batch(2)
    with pytest.raises(ValueError, match=r'add mmdsr\.LoadFlow'):
        model.train_step(batch, _optim(model))
    for index, sample in enumerate(batch['data_samples']):
        sample.set_tensor_data(
            dict(
                flow=torch.full((2, 16, 24), 0.5),
                visible=torch.full((1, 16, 24), float(index)),
            )
        )
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    found = model(**data, mode='loss')['loss_match']
    inputs, samples = data['inputs'], data['data_samples']
    output = model.generator.explain(inputs['img'], inputs['ref'])
    terms = match_loss(output.matched, samples.flow, samples.visible)
    torch.testing.assert_close(found, 0.1 * sum(terms))
    optim = _optim(model)
    logs = [model.train_step(copy.deepcopy(batch), optim) for _ in range(14)]
    assert logs[-1]['loss_match'] < 0.9 * logs[0]['loss_match']


def test_match_loss_needs_a_match():
    with pytest.raises(ValueError, match='DSRNetX does not match blocks'):
        _model(
            dict(type='mmdsr.DSRNetX', channels=8, num_blocks=3),
            None,
            match_loss=dict(type='mmdsr.MatchLoss'),
        )
