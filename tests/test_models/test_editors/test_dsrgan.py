"""The trainable DSRNet with all losses."""

import copy

import pytest
import torch
from editor_cases import DEPTH_LOSS, DSRNET, MASA, PIXEL_LOSS, make_batch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmdsr.registry import MODELS

LOGS = {'loss_rec', 'loss_dep', 'loss_per', 'loss_adv', 'loss_disc'}
CRITIC = {'disc_real', 'disc_fake'}


def _model(generator=DSRNET, depth_loss=DEPTH_LOSS, per=True, **train_cfg):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmdsr.DSRGAN',
            generator=copy.deepcopy(generator),
            discriminator=dict(
                type='mmdsr.VGGStyleDiscriminator', base_channels=16
            ),
            pixel_loss=PIXEL_LOSS,
            depth_loss=depth_loss,
            # A shallow layer, so that 64x96 pixels are enough and quick.
            perceptual_loss=dict(
                type='mmdsr.PerceptualLoss',
                untrained=True,
                layer_weights={'7': 1.0},
            )
            if per
            else None,
            gan_loss=dict(type='mmdsr.RelativisticGANLoss'),
            train_cfg=train_cfg or None,
        )
    )


def _optim(model, accumulate=1):
    return OptimWrapperDict(
        **{
            name: OptimWrapper(
                torch.optim.SGD(getattr(model, name).parameters(), lr=0.1),
                accumulative_counts=accumulate,
            )
            for name in ('generator', 'discriminator')
        }
    )


def _copy(model, name):
    return copy.deepcopy(getattr(model, name).state_dict())


def _same(model, name, before):
    after = getattr(model, name).state_dict()
    return all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize('count', [1, 2])
@pytest.mark.parametrize('depth', ['known', 'absent'])
def test_train_step_twice(count, depth):
    model = _model()
    optim = _optim(model)
    for _ in range(2):
        before = {k: _copy(model, k) for k in ('generator', 'discriminator')}
        logs = model.train_step(make_batch(count, depth), optim)
        assert set(logs) == LOGS | CRITIC
        assert all(torch.isfinite(torch.as_tensor(v)) for v in logs.values())
        assert (logs['loss_dep'] > 0) == (depth == 'known')
        for name, weights in before.items():
            assert not _same(model, name, weights)
    assert model.step_counter == 2


def test_discriminator_first_then_generator_against_it():
    """One step equals the two updates of Eq. 13 and Eq. 12 by hand."""
    model, twin = _model(per=False), _model(per=False)
    data = twin.data_preprocessor(make_batch(2), True)
    hr = data['data_samples'].gt_img
    output = twin.run_generator(data['inputs'])

    def step(loss, module):
        grads = torch.autograd.grad(loss, list(module.parameters()))
        with torch.no_grad():
            for weight, grad in zip(module.parameters(), grads, strict=True):
                weight -= 0.1 * grad

    real, fake = twin.discriminator(hr), twin.discriminator(output.sr.detach())
    step(twin.gan_loss(real, fake, is_disc=True), twin.discriminator)
    losses = twin.base_losses(output, data['data_samples'])
    real, fake = twin.discriminator(hr), twin.discriminator(output.sr)
    loss_adv = twin.gan_loss(real, fake)
    step(sum(losses.values()) + loss_adv, twin.generator)

    logs = model.train_step(make_batch(2), _optim(model))
    assert logs['loss_adv'].item() == pytest.approx(loss_adv.item(), rel=1e-4)
    for name in ('generator', 'discriminator'):
        mine, other = _copy(model, name), _copy(twin, name)
        for key, value in mine.items():
            assert torch.allclose(value, other[key], atol=1e-6), key


def test_discriminator_is_left_trainable_and_clean():
    model = _model()
    optim = _optim(model)
    model.train_step(make_batch(), optim)
    parameters = list(model.discriminator.parameters())
    assert all(p.requires_grad for p in parameters)
    # The generator's loss left no gradient in the discriminator.
    assert all(p.grad is None or not p.grad.any() for p in parameters)


def test_gradient_accumulation_updates_every_second_step():
    model = _model()
    optim = _optim(model, accumulate=2)
    before = {k: _copy(model, k) for k in ('generator', 'discriminator')}
    model.train_step(make_batch(), optim)
    assert all(_same(model, name, w) for name, w in before.items())
    model.train_step(make_batch(), optim)
    assert not any(_same(model, name, w) for name, w in before.items())


def test_warm_up_survives_a_resume():
    model = _model(pixel_init=3, disc_init_steps=1)
    logs = [
        set(model.train_step(make_batch(), _optim(model))) for _ in range(2)
    ]
    assert logs == [{'loss_rec', 'loss_dep'}] * 2

    resumed = _model(pixel_init=3, disc_init_steps=1)
    resumed.load_state_dict(model.state_dict())
    logs = [
        set(resumed.train_step(make_batch(), _optim(resumed)))
        for _ in range(3)
    ]
    assert logs == [
        {'loss_rec', 'loss_dep'},
        {'loss_disc'} | CRITIC,
        LOGS | CRITIC,
    ]


def test_disc_steps_and_repeat():
    model = _model(disc_steps=2, disc_repeat=2)
    optim = _optim(model)
    keys = [set(model.train_step(make_batch(), optim)) for _ in range(3)]
    assert keys == [LOGS | CRITIC, {'loss_disc'} | CRITIC, LOGS | CRITIC]


def test_no_vgg_in_checkpoint_or_optimiser():
    model = _model()
    modules = {key.split('.')[0] for key in model.state_dict()}
    assert modules == {'generator', 'discriminator', 'step_counter'}
    assert {name.split('.')[0] for name, _ in model.named_parameters()} == {
        'generator',
        'discriminator',
    }


def test_without_depth_and_perceptual_loss():
    model = _model(MASA, depth_loss=None, per=False)
    logs = model.train_step(make_batch(depth='absent'), _optim(model))
    assert set(logs) == {'loss_rec', 'loss_adv', 'loss_disc'} | CRITIC
    output = model.val_step(make_batch())[0].output
    assert output.pred_img.shape == (3, 64, 96)


def test_generator_checkpoint_fits_dsr():
    """Weights go from pre-training with L_rec to the GAN and back."""
    model = _model()
    dsr = MODELS.build(
        dict(
            type='mmdsr.DSR',
            generator=copy.deepcopy(DSRNET),
            pixel_loss=PIXEL_LOSS,
        )
    )
    missing = model.load_state_dict(dsr.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert not [k for k in missing.missing_keys if k.startswith('generator')]


def test_unknown_train_cfg():
    with pytest.raises(ValueError, match='pixel_int'):
        _model(pixel_int=3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_amp(dtype):
    from mmengine.optim import AmpOptimWrapper

    model = _model().cuda()
    optim = OptimWrapperDict(
        **{
            name: AmpOptimWrapper(
                dtype=dtype,
                optimizer=torch.optim.Adam(
                    getattr(model, name).parameters(), lr=1e-4
                ),
            )
            for name in ('generator', 'discriminator')
        }
    )
    for _ in range(2):
        logs = model.train_step(make_batch(2), optim)
        assert all(torch.isfinite(torch.as_tensor(v)) for v in logs.values())
