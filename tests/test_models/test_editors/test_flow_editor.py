"""Training the alignment, and DSRNet-X on aligned references."""

import copy

import pytest
import torch
from editor_cases import NO_DEPTH_NET, PIXEL_LOSS, make_batch
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapper

from mmdsr.registry import MODELS

FLOWNET = dict(
    type='mmdsr.FlowNet',
    channels=(4, 8),
    widths=(8, 8),
    radii=(1, 1),
    repeats=(1, 1),
)
NET_X = dict(type='mmdsr.DSRNetX', channels=8, num_blocks=3, aligner=FLOWNET)
TEACHER_X = dict(NET_X, channels=12, num_blocks=5)


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(kwargs))


def optim_of(model):
    return OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))


def aligned_batch(count=2):
    """A batch as mmdsr.AlignRef gives it: Ref at the place of LR."""
    batch = make_batch(count, 'absent')
    batch['inputs']['ref'] = [
        torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8)
        for _ in range(count)
    ]
    for sample in batch['data_samples']:
        sample.set_tensor_data(
            dict(flow=torch.zeros(2, 16, 24), confidence=torch.ones(1, 16, 24))
        )
    return batch


def save(network, path):
    state = network.state_dict()
    torch.save({f'generator.{k}': v for k, v in state.items()}, path)
    return str(path)


def test_flow_editor():
    model = build(
        type='mmdsr.FlowEditor',
        generator=FLOWNET,
        flow_loss=dict(type='mmdsr.FlowLoss'),
    )
    batch = make_batch(2, 'absent')
    for sample in batch['data_samples']:
        sample.set_tensor_data(
            dict(flow=torch.ones(2, 16, 24), visible=torch.ones(1, 16, 24))
        )
    optim = optim_of(model)
    logs = [
        model.train_step(copy.deepcopy(batch), optim)['loss'].item()
        for _ in range(15)
    ]
    assert logs[-1] < logs[0]
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss_flow', 'loss_support'}
    predictions = model.val_step(copy.deepcopy(make_batch(2, 'absent')))
    assert len(predictions) == 2
    for sample in predictions:
        assert sample.output.pred_flow.shape == (2, 16, 24)
        assert sample.output.confidence.shape == (1, 16, 24)
    flow, _ = model(data['inputs'])
    assert flow.shape == (2, 2, 16, 24)
    with pytest.raises(ValueError, match='mode'):
        model(data['inputs'], mode='x')


@pytest.mark.parametrize('aligned', [True, False])
def test_dsr_trains_and_predicts(aligned):
    model = build(type='mmdsr.DSR', generator=NET_X, pixel_loss=PIXEL_LOSS)
    optim = optim_of(model)
    batch = aligned_batch() if aligned else make_batch(2, 'absent')
    called = []
    model.generator.aligner.register_forward_hook(
        lambda *_: called.append(True)
    )
    before = copy.deepcopy(model.state_dict())
    for _ in range(3):
        logs = model.train_step(copy.deepcopy(batch), optim)
        assert set(logs) == {'loss', 'loss_rec'}
    # A flow that is given need not be found.
    assert bool(called) != aligned
    changed = {
        key.split('.')[1]
        for key, value in model.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert changed >= {'head', 'fusion', 'trunk', 'tail', 'gate'}
    (sample,) = model.val_step(make_batch(1, 'absent'))
    assert sample.output.pred_img.shape == (3, 64, 96)
    assert sample.output.pred_flow.shape == (2, 16, 24)
    assert sample.output.confidence.shape == (1, 16, 24)
    assert 'pred_depth' not in sample.output


def test_the_confidence_of_the_samples_is_used():
    model = build(type='mmdsr.DSR', generator=NET_X, pixel_loss=PIXEL_LOSS)
    for p in model.generator.parameters():
        torch.nn.init.normal_(p, std=0.1)
    batch = aligned_batch()
    losses = []
    for factor in (0, 1):
        given = copy.deepcopy(batch)
        for sample in given['data_samples']:
            sample.confidence = sample.confidence * factor
        data = model.data_preprocessor(given, True)
        losses.append(model(**data, mode='loss')['loss_rec'].item())
        alone = model.generator(data['inputs']['img'])
        if not factor:
            expected = (alone - data['data_samples'].gt_img).abs().mean()
            assert losses[0] == pytest.approx(expected.item(), rel=1e-5)
    assert losses[0] != losses[1]


def test_the_aligner_is_loaded_and_stays(tmp_path):
    torch.manual_seed(7)
    aligner = MODELS.build(copy.deepcopy(FLOWNET))
    path = save(aligner, tmp_path / 'best_Match@1_iter_1.pth')
    model = build(
        type='mmdsr.DSR',
        generator=NET_X,
        pixel_loss=PIXEL_LOSS,
        aligner_checkpoint=str(tmp_path),
    )
    model.init_weights()
    optim = optim_of(model)
    for _ in range(2):
        model.train_step(make_batch(1, 'absent'), optim)
    for key, value in aligner.state_dict().items():
        assert torch.equal(value, model.generator.aligner.state_dict()[key])
    options = dict(pixel_loss=PIXEL_LOSS, aligner_checkpoint=path)
    with pytest.raises(ValueError, match='no aligner'):
        build(type='mmdsr.DSR', generator=NO_DEPTH_NET, **options)
    options['aligner_checkpoint'] = str(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError):
        build(type='mmdsr.DSR', generator=NET_X, **options).init_weights()


def test_the_aligner_is_loaded_into_a_wrapped_network(tmp_path):
    torch.manual_seed(7)
    aligner = MODELS.build(copy.deepcopy(FLOWNET))
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        model = MMSeparateDistributedDataParallel(
            build(
                type='mmdsr.DSR',
                generator=NET_X,
                pixel_loss=PIXEL_LOSS,
                aligner_checkpoint=save(aligner, tmp_path / 'flow.pth'),
            ),
            device_ids=None,
        )
        model.module.init_weights()
        optim = optim_of(model)
        # Twice: an unused parameter would raise in the second step.
        for _ in range(2):
            model.train_step(aligned_batch(), optim)
        state = model.module.state_dict()
        for key, value in aligner.state_dict().items():
            assert torch.equal(value, state[f'generator.aligner.{key}'])
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('level', ['scale', 'block'])
def test_x_teaches_nano(tmp_path, aligned, level):
    torch.manual_seed(5)
    teacher = MODELS.build(copy.deepcopy(TEACHER_X))
    for p in teacher.parameters():
        torch.nn.init.normal_(p, std=0.05)
    model = build(
        type='mmdsr.DSRDistiller',
        generator=NET_X,
        pixel_loss=PIXEL_LOSS,
        teacher=TEACHER_X,
        teacher_checkpoint=save(teacher, tmp_path / 'x.pth'),
        kd_loss=dict(type='mmagic.L1Loss', loss_weight=0.5),
        adm=dict(type='mmdsr.ADM', channels=8),
        feature_level=level,
    )
    seen = []

    def watch(network):
        explain = network.explain

        def spy(*args, **kwargs):
            seen.append(kwargs)
            return explain(*args, **kwargs)

        network.explain = spy

    for network in (model.generator, model._teacher.module):
        watch(network)
    batch = aligned_batch() if aligned else make_batch(2, 'absent')
    logs = model.train_step(copy.deepcopy(batch), optim_of(model))
    assert set(logs) == {'loss', 'loss_rec', 'loss_kd', 'loss_ad'}
    assert all(value.isfinite() for value in logs.values())
    assert len(seen) == 2
    for kwargs in seen:
        assert (kwargs.get('flow') is not None) == aligned
        assert (kwargs.get('confidence') is not None) == aligned
    # The loss is that of the teacher's image with the same flow.
    data = model.data_preprocessor(batch, True)
    samples = data['data_samples']
    keys = ('flow', 'confidence') if aligned else ()
    given = {key: samples.get(key) for key in keys}
    inputs = data['inputs']['img'], data['inputs']['ref']
    images = [
        network(*inputs, **given) for network in (model.generator, teacher)
    ]
    expected = 0.5 * (images[0] - images[1]).abs().mean()
    found = model(**data, mode='loss')['loss_kd']
    torch.testing.assert_close(found, expected)


def test_another_student_takes_no_flow(tmp_path):
    teacher = MODELS.build(copy.deepcopy(NET_X))
    model = build(
        type='mmdsr.DSRDistiller',
        generator=NO_DEPTH_NET,
        pixel_loss=PIXEL_LOSS,
        test_cfg=dict(depth='given'),
        teacher=NET_X,
        teacher_checkpoint=save(teacher, tmp_path / 'x.pth'),
        kd_loss=dict(type='mmagic.L1Loss'),
    )
    batch = aligned_batch(1)
    batch['data_samples'][0].set_tensor_data(
        dict(depth_lr=torch.rand(1, 16, 24), depth_ref=torch.rand(1, 16, 24))
    )
    logs = model.train_step(batch, optim_of(model))
    assert logs['loss_kd'] > 0


def test_depth_of_the_samples_is_an_input():
    model = build(
        type='mmdsr.FlowEditor',
        generator=dict(FLOWNET, depth_input=True),
        flow_loss=dict(type='mmdsr.FlowLoss'),
        self_loss=dict(type='mmdsr.SelfFlowLoss'),
    )
    batch = make_batch(2, 'half')
    for sample in batch['data_samples']:
        sample.set_tensor_data(
            dict(flow=torch.ones(2, 16, 24), visible=torch.ones(1, 16, 24))
        )
    logs = model.train_step(copy.deepcopy(batch), optim_of(model))
    assert all(value.isfinite() for value in logs.values())
    # Its last layers start at 0.
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.1)
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    sum(model(**data, mode='loss').values()).backward()
    first = model.generator.levels[0][0][0].weight
    assert first.shape[1] == 5
    assert first.grad[:, 4].abs().max() > 0
    (first, _) = model.val_step(copy.deepcopy(batch))
    assert first.output.pred_flow.shape == (2, 16, 24)
    with pytest.raises(ValueError, match=r'load both with mmdsr\.LoadDepth'):
        model.val_step(make_batch(2, 'absent'))


@pytest.mark.parametrize('own', [None, dict(type='mmdsr.SelfFlowLoss')])
def test_the_flow_is_trained_distributed(own, tmp_path):
    def make():
        return build(
            type='mmdsr.FlowEditor',
            generator=FLOWNET,
            flow_loss=dict(type='mmdsr.FlowLoss'),
            self_loss=own,
        )

    batch = make_batch(2, 'absent')
    for sample in batch['data_samples']:
        sample.set_tensor_data(
            dict(flow=torch.ones(2, 16, 24), visible=torch.ones(1, 16, 24))
        )
    alone = make()
    optim = optim_of(alone)
    for _ in range(2):
        alone.train_step(copy.deepcopy(batch), optim)
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        model = MMSeparateDistributedDataParallel(make(), device_ids=None)
        optim = optim_of(model)
        for _ in range(2):
            model.train_step(copy.deepcopy(batch), optim)
        for key, value in model.module.generator.module.state_dict().items():
            torch.testing.assert_close(
                value, alone.generator.state_dict()[key]
            )
    finally:
        torch.distributed.destroy_process_group()
