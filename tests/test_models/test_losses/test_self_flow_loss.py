"""Losses of a flow without truth."""

import pytest
import torch
import torch.nn.functional as F

from mmdsr.models.losses import (
    SelfFlowLoss,
    photometric_error,
    return_error,
    smoothness,
)


@pytest.fixture
def shifted():
    """A textured image and itself two pixels further right."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(1, 3, 12, 16, generator=generator)
    image = F.interpolate(noise, scale_factor=3, mode='bicubic').clamp(0, 1)
    return image, image.roll(2, -1)


def constant(x, y, size=(36, 48)):
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, *size)


def test_the_right_flow_has_the_least_photometric_error(shifted):
    lr, ref_down = shifted
    errors = {
        x: photometric_error(lr, ref_down, constant(float(x), 0.0))[
            ..., 8:-8
        ].mean()
        for x in range(5)
    }
    assert min(errors, key=errors.get) == 2
    assert errors[2] < 1e-4


def test_light_does_not_matter(shifted):
    lr, ref_down = shifted
    error = photometric_error(lr, 0.5 * ref_down + 0.1, constant(2.0, 0.0))
    assert error[..., 8:-8].mean() < 0.1


def test_return_error_is_the_distance():
    back = constant(-1.0, 4.0)
    error = return_error(constant(1.0, -1.0), back)
    torch.testing.assert_close(
        error, torch.full((1, 1, 36, 48), 3.0), atol=1e-5, rtol=0
    )


def test_slanted_wall_has_no_smoothness_loss():
    ramp = torch.arange(48.0).expand(1, 2, 36, 48)
    image = torch.rand(1, 3, 36, 48)
    assert smoothness(ramp, image) == 0
    broken = torch.cat([ramp[..., :24], ramp[..., 24:] + 3], -1)
    assert smoothness(broken, torch.zeros(1, 3, 36, 48)) > 0.1
    # An edge of the image allows one of the flow.
    edge = torch.zeros(1, 3, 36, 48)
    edge[..., 23:] = 1
    assert smoothness(broken, edge) < smoothness(broken, 0 * edge)


def test_loss_moves_a_flow_to_the_truth(shifted):
    lr, ref_down = shifted
    move = torch.tensor([1.3, 0.2], requires_grad=True)
    loss = SelfFlowLoss()
    optimizer = torch.optim.Adam([move], lr=0.05)
    for _ in range(60):
        flow = move.view(1, 2, 1, 1).expand(1, 2, 36, 48)
        losses = loss(lr, ref_down, flow, -flow)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    torch.testing.assert_close(
        move.detach(), torch.tensor([2.0, 0.0]), atol=0.15, rtol=0
    )


@pytest.mark.parametrize(('lost', 'counts'), [(1.4, True), (1.6, False)])
def test_hidden_pixels_have_no_photometric_loss(shifted, lost, counts):
    lr, ref_down = shifted
    flow = constant(0.0, 0.0)
    back = flow.clone()
    # On the right, the way back misses the start.
    back[:, 0, :, 24:] = lost
    error = photometric_error(lr, ref_down, flow)
    expected = error if counts else error[..., :24]
    losses = SelfFlowLoss(photometric=2.0)(lr, ref_down, flow, back)
    torch.testing.assert_close(losses['loss_photo'], 2 * expected.mean())


def test_pixels_outside_the_reference_have_no_loss(shifted):
    lr, ref_down = shifted
    flow = constant(10.0, 0.0)
    error = photometric_error(lr, ref_down, flow)
    losses = SelfFlowLoss()(lr, ref_down, flow, -flow)
    inner = error[..., :38].mean()
    torch.testing.assert_close(losses['loss_photo'], inner)
    assert not torch.isclose(inner, error.mean(), rtol=1e-2)
