"""The trainable models inside mmengine's distributed wrappers."""

import copy
from types import SimpleNamespace

import pytest
import torch
from editor_cases import DEPTH_LOSS, DSRNET, PIXEL_LOSS, make_batch
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import load_state_dict
from torch.nn.parallel import DistributedDataParallel

from mmdsr.engine import EMAHook
from mmdsr.io.checkpoint import load_generator
from mmdsr.models.editors.common import call
from mmdsr.models.networks import DSROutput
from mmdsr.registry import MODELS


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def _model():
    return MODELS.build(
        dict(
            type='mmdsr.DSR',
            generator=copy.deepcopy(DSRNET),
            pixel_loss=PIXEL_LOSS,
            depth_loss=DEPTH_LOSS,
        )
    )


def test_checkpoint_has_the_same_keys_and_loads_either_way(process_group):
    plain = _model()
    keys = list(plain.state_dict())
    wrapped = MMSeparateDistributedDataParallel(_model(), device_ids=None)
    assert isinstance(wrapped.module.generator, DistributedDataParallel)
    state = wrapped.module.state_dict()
    assert list(state) == keys
    assert set(wrapped.module.state_dict(prefix='a.')) == {
        f'a.{key}' for key in keys
    }

    # A run without DDP continues with the checkpoint of one with it ...
    load_state_dict(plain, state, strict=True)
    # ... and the other way round.
    other = _model()
    load_state_dict(wrapped.module, other.state_dict(), strict=True)
    for key, value in wrapped.module.state_dict().items():
        assert torch.equal(value, other.state_dict()[key])


@pytest.mark.parametrize(
    'model',
    [
        dict(
            type='mmdsr.FlowEditor',
            generator=dict(type='mmdsr.FlowNet'),
            flow_loss=dict(type='mmdsr.FlowLoss'),
        ),
        dict(
            type='mmdsr.DepthEditor',
            generator=dict(type='mmdsr.DepthUNet'),
            depth_loss=dict(type='mmdsr.DepthLoss'),
        ),
    ],
    ids=lambda model: model['type'],
)
def test_other_networks_load_the_checkpoint_of_a_part(
    process_group, tmp_path, model
):
    torch.manual_seed(1)
    wrapped = MMSeparateDistributedDataParallel(
        MODELS.build(copy.deepcopy(model)), device_ids=None
    )
    torch.save(
        dict(state_dict=wrapped.module.state_dict()), tmp_path / 'a.pth'
    )
    network = MODELS.build(model['generator'])
    load_generator(network, tmp_path / 'a.pth')
    trained = wrapped.module.generator.module.state_dict()
    for key, value in network.state_dict().items():
        assert torch.equal(value, trained[key])


@pytest.mark.parametrize('before', [False, True])
@pytest.mark.parametrize('after', [False, True])
def test_averaged_weights_are_resumed(process_group, before, after):
    def start(distributed, resume=None):
        model = _model()
        if distributed:
            model = MMSeparateDistributedDataParallel(model, device_ids=None)
        hook = EMAHook(ema_type='ExponentialMovingAverage', momentum=0.1)
        runner = SimpleNamespace(
            model=model, iter=0, _resume=resume is not None
        )
        hook.before_run(runner)
        if resume is not None:
            hook.after_load_checkpoint(runner, resume)
            load_state_dict(hook.src_model, resume['state_dict'], strict=True)
        return hook, runner

    def contents(hook):
        averages = hook.ema_model.module.state_dict()
        return {**averages, 'steps': hook.ema_model.steps}

    torch.manual_seed(0)
    hook, runner = start(before)
    with torch.no_grad():
        for _ in range(3):
            for weight in runner.model.parameters():
                weight.add_(1)
            hook.after_train_iter(runner, 0)
    checkpoint = dict(state_dict=hook.src_model.state_dict())
    hook.before_save_checkpoint(runner, checkpoint)
    trained = hook.src_model.state_dict()
    again, _ = start(after, copy.deepcopy(checkpoint))
    averages = contents(hook)
    assert contents(again).keys() == averages.keys()
    for key, value in contents(again).items():
        assert torch.equal(value, averages[key]), key
    for key, value in again.src_model.state_dict().items():
        assert torch.equal(value, trained[key]), key
    key = next(k for k in averages if k.endswith('weight'))
    assert not torch.equal(averages[key], trained[key])


def test_trains_and_predicts_wrapped(process_group):
    wrapped = MMSeparateDistributedDataParallel(_model(), device_ids=None)
    optim = OptimWrapper(torch.optim.Adam(wrapped.parameters(), lr=1e-3))
    # Twice: an unused parameter would raise in the second step.
    for _ in range(2):
        logs = wrapped.train_step(make_batch(), optim)
        assert set(logs) == {'loss', 'loss_rec', 'loss_dep'}
    output = wrapped.val_step(make_batch())[0].output
    assert output.pred_img.shape == (3, 64, 96)


def test_explain_runs_through_the_wrapper(process_group):
    """Else the gradients of the processes would not be averaged."""
    model = _model()
    network = model.generator
    wrapped = MMSeparateDistributedDataParallel(model, device_ids=None)
    wrapper = wrapped.module.generator
    passed = []
    wrapper.register_forward_hook(lambda *_: passed.append(True))
    images = torch.rand(1, 3, 16, 24), torch.rand(1, 3, 64, 96)
    output = call(wrapper, 'explain', *images, feature_level='block')
    assert isinstance(output, DSROutput)
    assert passed == [True]
    # forward is itself again, after an error, too.
    with pytest.raises(ValueError, match="'scale' or 'block'"):
        call(wrapper, 'explain', *images, feature_level='layer')
    assert torch.equal(wrapper(*images), output.sr)
    assert torch.equal(network(*images), output.sr)
