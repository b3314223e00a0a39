"""Training the depth network alone, and starting from the result."""

import copy

import pytest
import torch
from editor_cases import DSRNET, MASA, PIXEL_LOSS, make_batch
from mmengine.optim import OptimWrapper

from mmdsr.registry import MODELS

UNET = dict(type='mmdsr.DepthUNet', base_channels=8, upsample='resize')


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(kwargs))


def depth_editor(weight=1.0):
    loss = dict(type='mmdsr.DepthLoss', loss_weight=weight)
    return build(type='mmdsr.DepthEditor', generator=UNET, depth_loss=loss)


@pytest.mark.parametrize('depth', ['known', 'half', 'unknown', 'absent'])
def test_trains(depth):
    model = depth_editor()
    optim = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-2))
    batch = make_batch(2, depth)
    logs = [model.train_step(copy.deepcopy(batch), optim) for _ in range(10)]
    first, last = logs[0]['loss_dep'], logs[-1]['loss_dep']
    if depth in ('known', 'half'):
        assert last < 0.95 * first
    else:
        assert first == last == 0


def test_loss_is_eq_9_and_predictions_are_of_lr():
    model = depth_editor(0.3)
    batch = make_batch(2)
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    found = model(**data, mode='loss')['loss_dep']
    samples, unet = data['data_samples'], model.generator
    lr, ref = data['inputs']['img'], data['inputs']['ref']
    down = torch.nn.functional.interpolate(
        ref, scale_factor=1 / 4, mode='bicubic', antialias=True
    )
    expected = (unet(lr) - samples.depth_lr).abs().mean()
    expected = expected + (unet(down) - samples.depth_ref).abs().mean()
    torch.testing.assert_close(found, 0.3 * expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model(data['inputs']), unet(lr))
    predictions = model.val_step(batch)
    for sample, depth in zip(predictions, unet(lr), strict=True):
        torch.testing.assert_close(sample.output.pred_depth, depth.detach())
    with pytest.raises(ValueError, match='mode'):
        model(data['inputs'], mode='x')


def test_joint_training_starts_from_it(tmp_path):
    trained = depth_editor()
    for p in trained.parameters():
        torch.nn.init.normal_(p)
    torch.save(trained.state_dict(), tmp_path / 'iter_1.pth')
    options = dict(
        type='mmdsr.DSR',
        generator=dict(DSRNET, depth_net=UNET),
        pixel_loss=PIXEL_LOSS,
        depth_loss=dict(type='mmdsr.DepthLoss'),
        depth_checkpoint=str(tmp_path / 'iter_1.pth'),
    )
    model = build(**options)
    model.init_weights()
    unet = model.generator.depth_net
    for key, value in trained.generator.state_dict().items():
        assert torch.equal(value, unet.state_dict()[key])
    # It continues to learn.
    optim = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
    model.train_step(make_batch(), optim)
    before, after = (net.head.weight for net in (trained.generator, unet))
    assert not torch.equal(before, after)
    with pytest.raises(ValueError, match='MASASRNet has no depth_net'):
        build(**dict(options, generator=MASA, depth_loss=None))
