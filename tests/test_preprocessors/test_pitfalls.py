"""What can go wrong with a frozen network inside a host's model."""

import copy
import warnings
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage, MMDistributedDataParallel
from mmengine.registry import MODELS
from stage_cases import (
    HOSTS,
    NANO,
    STAGES,
    assert_same,
    batch,
    build,
    config,
    optim_wrapper,
    recorded,
    sample,
    scope,
    stage,
)
from tool_runs import run_each

from mmdsr.errors import StageError
from mmdsr.io.checkpoint import load_model, save_weights

ROOT = Path(__file__).parents[2]


def _network(model):
    return model.data_preprocessor.sr._network.module


@pytest.mark.parametrize('host', HOSTS)
def test_checkpoint_holds_no_sr_weight(tmp_path, host):
    """And loads into the plain config of the host, and back."""
    model, other = build(host, NANO), build(host)
    with torch.no_grad():
        for value in model.parameters():
            value += 1
    assert list(model.state_dict()) == list(other.state_dict())
    assert model.state_dict(prefix='a.').keys() == {
        f'a.{key}' for key in other.state_dict()
    }
    path = tmp_path / 'weights.pth'
    save_weights(model.state_dict(), path)
    load_model(other, path)
    assert_same(dict(model.state_dict()), dict(other.state_dict()))
    load_model(build(host, NANO), path)


@pytest.mark.parametrize('host', HOSTS)
def test_optimiser_holds_no_sr_weight(host):
    model, other = build(host, NANO), build(host)
    names = [name for name, _ in model.named_parameters()]
    assert names == [name for name, _ in other.named_parameters()]
    assert [n for n, _ in model.named_modules()] == [
        n for n, _ in other.named_modules()
    ]
    assert [n for n, _ in model.named_buffers()] == [
        n for n, _ in other.named_buffers()
    ]
    groups = optim_wrapper(model).optimizer.param_groups
    assert len(groups[0]['params']) == len(names)
    assert not any(p.requires_grad for p in _network(model).parameters())


def test_ddp_has_no_unused_parameter(tmp_path):
    """Two real ranks are in test_host_tools.py."""
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        model = MMDistributedDataParallel(
            build('mmseg', NANO),
            device_ids=None,
            find_unused_parameters=False,
            broadcast_buffers=True,
        )
        before = copy.deepcopy(_network(model.module).state_dict())
        data = batch(*[sample('mmseg', tmp_path)] * 2)
        optim = optim_wrapper(model)
        # Twice: an unused parameter would raise in the second step.
        for _ in range(2):
            logs = model.train_step(copy.deepcopy(data), optim)
            assert torch.isfinite(logs['loss'])
        assert_same(dict(before), dict(_network(model.module).state_dict()))
        assert not any('sr.' in name for name in model.state_dict())
    finally:
        torch.distributed.destroy_process_group()


def test_train_mode_does_not_reach_the_network():
    model = build('mmseg', NANO)
    for mode in (True, False, True):
        model.train(mode)
        assert model.data_preprocessor.training is mode
        assert not any(m.training for m in _network(model).modules())


def test_init_weights_does_not_reach_the_network():
    with scope('mmseg'):
        model = MODELS.build(config('mmseg', NANO))
        before = copy.deepcopy(dict(_network(model).state_dict()))
        own = copy.deepcopy(model.backbone.conv1.weight)
        model.init_weights()
    assert_same(before, dict(_network(model).state_dict()))
    # It does initialize what it should.
    assert not torch.equal(own, model.backbone.conv1.weight)


def test_average_of_weights_shares_the_network():
    model = build('mmdet', NANO)
    average = ExponentialMovingAverage(model).module
    assert average is not model
    assert average.data_preprocessor is not model.data_preprocessor
    assert average.data_preprocessor.sr is model.data_preprocessor.sr


def test_output_is_where_the_input_is(tmp_path):
    model = build('mmseg', NANO)
    assert model.to('cpu').data_preprocessor.device == torch.device('cpu')
    data = batch(sample('mmseg', tmp_path))
    out = model.data_preprocessor(data)
    assert out['inputs'].device.type == 'cpu'


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
@pytest.mark.parametrize('host', HOSTS)
def test_follows_the_model_to_cuda(tmp_path, host):
    data = batch(*[sample(host, tmp_path)] * 2)
    model = build(host, NANO)
    expected = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
    model.cuda()
    found = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
    assert found.device.type == 'cuda'
    # A gray level may round the other way.
    assert (found.cpu() - expected).abs().max() < 0.1
    logs = model.train_step(copy.deepcopy(data), optim_wrapper(model))
    assert torch.isfinite(logs['loss'])
    model.eval()
    assert len(model.test_step(copy.deepcopy(data))) == 2


def test_autocast_does_not_reach_the_network(tmp_path):
    """In training the preprocessor runs inside ``optim_context``."""
    model = build('mmseg', dict(NANO, backend='torch'))
    data = batch(*[sample('mmseg', tmp_path)] * 2)
    seen = []
    _network(model).register_forward_hook(
        lambda module, inputs, output: seen.append(output.dtype)
    )
    expected = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
    with torch.autocast('cpu', torch.bfloat16):
        found = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
        loss = model(**model.data_preprocessor(data, True), mode='loss')
    assert_same(expected, found)
    assert set(seen) == {torch.float32}
    # The host's own network is under autocast nevertheless.
    assert torch.isfinite(loss['decode.loss_ce'])


def test_gradients_pass_behind_the_stage(tmp_path):
    """Tensors of ``inference_mode`` could not be saved for backward."""
    model = build('mmseg', NANO)
    data = batch(*[sample('mmseg', tmp_path)] * 2)
    inputs = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
    assert not inputs.is_inference()
    assert not inputs.requires_grad
    before = model.backbone.conv1.weight.detach().clone()
    model.train_step(data, optim_wrapper(model))
    assert not torch.equal(before, model.backbone.conv1.weight)
    assert all(p.grad is None for p in _network(model).parameters())


@pytest.mark.parametrize('host', HOSTS)
def test_missing_sr_weights_are_named(host):
    """A checkpoint of the host does not bring them along."""
    sr = dict(
        config=str(ROOT / 'configs/dsrnet/student.py'),
        checkpoint='no/such/student.pth',
    )
    with pytest.raises(FileNotFoundError, match=r'no/such/student\.pth'):
        stage(host, sr)
    with pytest.raises(FileNotFoundError, match=r'no/such/config\.py'):
        stage(host, dict(config='no/such/config.py', checkpoint='x.pth'))


@pytest.mark.parametrize(
    ('sr', 'message'),
    [
        (dict(), 'exactly one of config'),
        (dict(weights='no_such_name'), 'dsrnet_student'),
        (dict(interpolation='nearest', size=3), 'size'),
    ],
)
def test_wrong_arguments_are_named(sr, message):
    with pytest.raises(StageError, match=message):
        stage('mmseg', sr)


def test_init_model_names_missing_settings():
    """mmseg's own loader, without the file of the SR network."""
    from mmseg.apis import init_model

    cfg = Config(
        dict(model=config('mmseg', dict(NANO)), default_scope='mmseg')
    )
    cfg.model.data_preprocessor.sr = dict(
        config=str(ROOT / 'configs/dsrnet/student.py'),
        checkpoint='work_dirs/none.pth',
    )
    with pytest.raises(FileNotFoundError, match=r'work_dirs/none\.pth'):
        init_model(cfg, None, device='cpu')


@pytest.mark.parametrize('other', [*HOSTS, 'mmagic', 'mmengine', 'mmdsr'])
@pytest.mark.parametrize('host', HOSTS)
def test_builds_under_each_scope(host, other):
    if other == 'mmagic':
        pytest.importorskip('mmagic')
    # A student has parts of its own that are looked up, too.
    sr = dict(weights='dsrnet_student')
    with scope(other), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        built = MODELS.build(dict(type=STAGES[host], sr=sr))
    assert type(built).__name__ == STAGES[host].split('.')[1]
    assert built.sr.scale == 4


@pytest.mark.slow
def test_other_hosts_may_be_missing():
    """Each class needs its own host and no other, and the mixin none."""
    codes = []
    for host in STAGES:
        blocked = [name for name in (*STAGES, 'mmagic') if name != host]
        codes.append(f"""
for name in {blocked!r}:
    sys.modules[name] = None
from mmengine.registry import MODELS, init_default_scope
init_default_scope({host!r})
data = dict(inputs=[torch.zeros(3, 8, 8)], data_samples=None)
stage = MODELS.build(dict(type={STAGES[host]!r}, sr={NANO!r}))
assert stage(data)['inputs'].shape == (1, 3, 32, 32)
for other in {[STAGES[name] for name in blocked if name in STAGES]!r}:
    try:
        MODELS.build(dict(type=other, sr={NANO!r}))
    except ImportError as error:
        assert other in str(error) and 'mmdsr.doctor' in str(error)
    else:
        raise SystemExit(f'{{other}} was built')
""")
    codes.append(f"""
for name in {(*STAGES, 'mmagic', 'mmcv')!r}:
    sys.modules[name] = None
from mmdsr.preprocessors import SuperResolveMixin
from mmengine.model import ImgDataPreprocessor
class Third(SuperResolveMixin, ImgDataPreprocessor): pass
stage = Third(sr={NANO!r})
out = stage(dict(inputs=[torch.zeros(3, 8, 8)]))
assert out['inputs'].shape == (1, 3, 32, 32)
""")
    common = 'import sys, torch, mmengine.model, mmengine.registry'
    assert len(run_each(common, codes)) == 4


def test_augmentation_precedes_the_stage(tmp_path):
    """The network is given what the pipeline made, jitter and all."""
    step = dict(type='PhotoMetricDistortion')
    torch.manual_seed(0)
    one = sample('mmseg', tmp_path, step)
    preprocessor = stage('mmseg', NANO, size=(96, 128))
    with recorded(preprocessor.sr) as calls:
        preprocessor(batch(one), True)
    assert_same(calls[0][0][0], one['inputs'])
    page = (ROOT / 'docs/preprocessing.md').read_text()
    assert 'PhotoMetricDistortion' in page


def test_transform_behind_resize_keeps_the_factor(tmp_path):
    """mmcv's Resize writes scale_factor anew; the transform multiplies."""
    half = dict(type='Resize', scale=(16, 12), interpolation='nearest')
    sr = dict(type='mmdsr.SuperResolve', sr=NANO)
    one = sample('mmseg', tmp_path, half, sr)
    info = one['data_samples'].metainfo
    assert info['scale_factor'] == (2.0, 2.0)
    assert info['img_shape'] == (48, 64)
    assert info['ori_shape'] == (24, 32)
    # The same as the stage makes of the same pipeline.
    other = stage('mmseg', NANO, size=(48, 64))(
        batch(sample('mmseg', tmp_path, half)), True
    )
    assert other['data_samples'][0].scale_factor == (2.0, 2.0)
    assert_same(one['inputs'].float(), other['inputs'][0])


def test_pictures_of_predictions_have_the_size_of_the_file(tmp_path):
    """Visualisers draw on the file at img_path."""
    import cv2
    from mmseg.visualization import SegLocalVisualizer

    model = build('mmseg', NANO).eval()
    result = model.test_step(batch(sample('mmseg', tmp_path)))[0]
    image = cv2.imread(result.img_path)
    visualizer = SegLocalVisualizer(
        vis_backends=None, save_dir=str(tmp_path), alpha=0.5
    )
    visualizer.dataset_meta = dict(
        classes=list('abcd'), palette=[[9 * i, 0, 0] for i in range(4)]
    )
    visualizer.add_datasample(
        'x',
        image,
        result,
        draw_gt=False,
        with_labels=False,
        out_file=str(tmp_path / 'drawn.png'),
    )
    assert cv2.imread(str(tmp_path / 'drawn.png')).shape == image.shape
