"""The losses against slow versions written from the paper's equations."""

import math

import pytest
import torch

from mmdsr.models.losses import (
    DepthLoss,
    RelativisticGANLoss,
    masked_l1,
    relativistic_d_loss,
    relativistic_g_loss,
)
from mmdsr.registry import MODELS

NAN = float('nan')


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


def _equations_12_13(real, fake):
    """L_G and L_D as printed, with D(a, b) = sigmoid(C(a) - E[C(b)])."""
    mean_real, mean_fake = sum(real) / len(real), sum(fake) / len(fake)
    d_real = [_sigmoid(c - mean_fake) for c in real]
    d_fake = [_sigmoid(c - mean_real) for c in fake]
    mean = lambda values: sum(values) / len(values)  # noqa: E731
    l_g = -mean([math.log(1 - d) for d in d_real])
    l_g -= mean([math.log(d) for d in d_fake])
    l_d = -mean([math.log(d) for d in d_real])
    l_d -= mean([math.log(1 - d) for d in d_fake])
    return l_g, l_d


@pytest.mark.parametrize('count', [1, 2, 5])
def test_relativistic_loss_is_eq_12_and_13(count):
    generator = torch.Generator().manual_seed(count)
    real = torch.randn(count, 1, generator=generator, dtype=torch.float64)
    fake = torch.randn(count, 1, generator=generator, dtype=torch.float64)
    l_g, l_d = _equations_12_13(
        real.flatten().tolist(), fake.flatten().tolist()
    )
    loss = RelativisticGANLoss(loss_weight=0.25)
    assert loss(real, fake).item() == pytest.approx(0.25 * l_g, rel=1e-5)
    assert loss(real, fake, is_disc=True).item() == pytest.approx(
        l_d, rel=1e-5
    )


def test_relativistic_loss_is_twice_esrgan():
    gan_module = pytest.importorskip('mmagic.models.losses.gan_loss')
    from mmagic.models.editors.esrgan import ESRGAN

    class Critic(torch.nn.Module):
        def forward(self, image):
            return image.mean(dim=(1, 2, 3)).unsqueeze(1)

    esrgan = ESRGAN.__new__(ESRGAN)
    torch.nn.Module.__init__(esrgan)
    esrgan.pixel_loss = esrgan.perceptual_loss = None
    esrgan.discriminator = Critic()
    esrgan.gan_loss = gan_module.GANLoss('vanilla', loss_weight=1.0)
    sr, hr = torch.randn(3, 3, 4, 4), torch.randn(3, 3, 4, 4)
    l_g = esrgan.g_step(sr, hr)['loss_gan']
    l_d = esrgan.d_step_real(sr, hr) + esrgan.d_step_fake(sr, hr)
    real, fake = esrgan.discriminator(hr), esrgan.discriminator(sr)
    assert torch.allclose(relativistic_g_loss(real, fake), 2 * l_g)
    assert torch.allclose(relativistic_d_loss(real, fake), 2 * l_d)


def test_relativistic_loss_gradients():
    real = torch.randn(4, 1, requires_grad=True)
    fake = torch.randn(4, 1, requires_grad=True)
    relativistic_g_loss(real, fake).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0
    fake.grad = None
    # Each term treats the other class as a constant: the gradient of the
    # sum equals that of the two terms taken alone.
    relativistic_d_loss(real, fake).backward()
    gap_real = torch.sigmoid(real - fake.mean()) - 1
    gap_fake = torch.sigmoid(fake - real.mean())
    assert torch.allclose(real.grad, gap_real / 4, atol=1e-6)
    assert torch.allclose(fake.grad, gap_fake / 4, atol=1e-6)


def test_relativistic_loss_is_stable():
    far = torch.tensor([[1e4]])
    for real, fake in ((far, -far), (-far, far)):
        for loss in (relativistic_g_loss, relativistic_d_loss):
            assert torch.isfinite(loss(real, fake))
            assert loss(real.half(), fake.half()).dtype == torch.float32


def _equation_9(pred, target):
    known = [
        abs(p - t)
        for p, t in zip(
            pred.flatten().tolist(), target.flatten().tolist(), strict=True
        )
        if not math.isnan(t)
    ]
    return sum(known) / len(known)


def test_depth_loss_is_eq_9_over_known_pixels():
    torch.manual_seed(0)
    lr, ref = torch.rand(2, 1, 5, 6), torch.rand(2, 1, 3, 4)
    gt_lr, gt_ref = torch.rand_like(lr), torch.rand_like(ref)
    gt_lr[0, 0, 1:, 2:] = NAN
    gt_ref[1] = NAN
    expected = _equation_9(lr, gt_lr) + _equation_9(ref, gt_ref)
    loss = DepthLoss(loss_weight=0.5)(lr, ref, gt_lr, gt_ref)
    assert loss.item() == pytest.approx(0.5 * expected, rel=1e-5)


def test_depth_loss_gradient_at_unknown_pixels_is_zero():
    pred = torch.rand(1, 1, 2, 2, requires_grad=True)
    target = torch.tensor([[[[0.0, NAN], [NAN, 2.0]]]])
    masked_l1(pred, target).backward()
    assert pred.grad.flatten().tolist() == [0.5, 0.0, 0.0, -0.5]


@pytest.mark.parametrize('unknown', [None, NAN])
def test_depth_loss_without_any_known_pixel(unknown):
    pred = torch.rand(1, 1, 4, 4, requires_grad=True)
    target = None if unknown is None else torch.full_like(pred, unknown)
    loss = DepthLoss()(pred, pred, target, target)
    assert loss.item() == 0
    loss.backward()
    assert pred.grad.abs().sum() == 0


def test_depth_loss_names_the_sizes_that_differ():
    with pytest.raises(ValueError, match=r'\(1, 1, 4, 4\).*\(1, 1, 2, 2\)'):
        masked_l1(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2))


def test_losses_resolve_in_every_scope():
    for name in ('RelativisticGANLoss', 'DepthLoss'):
        loss = MODELS.build(dict(type=f'mmdsr.{name}', loss_weight=2.0))
        assert loss.loss_weight == 2.0
    with pytest.raises(TypeError):
        MODELS.build(dict(type='mmdsr.DepthLoss', loss_wieght=1.0))
