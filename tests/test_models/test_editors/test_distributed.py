"""The trainable models inside mmengine's distributed wrappers."""

import copy

import pytest
import torch
from editor_cases import DEPTH_LOSS, DSRNET, PIXEL_LOSS, make_batch
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import load_state_dict
from torch.nn.parallel import DistributedDataParallel

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
