"""Networks in other runtimes: parity at any size, the cache, the choice."""

import pickle

import numpy as np
import pytest
import torch
from deploy_cases import (
    SIZES,
    assert_alike,
    pair,
    small_dsr,
    small_trunk,
    small_x,
)

from mmdsr import SuperResolver
from mmdsr.deploy import engine as engines
from mmdsr.deploy.cache import VARIABLE, cache_folder, cached
from mmdsr.deploy.engine import (
    Engine,
    choose_backend,
    converted,
    fingerprint,
    make_engine,
)
from mmdsr.errors import MissingExtraError
from mmdsr.inference import budget
from mmdsr.io.checkpoint import save_weights
from mmdsr.weights import load_published

BACKENDS = ('onnxruntime', 'openvino')


@pytest.fixture(params=BACKENDS)
def backend(request):
    pytest.importorskip('onnx')
    return pytest.importorskip(request.param).__name__


@pytest.fixture(scope='module')
def networks():
    return dict(x=small_x(), dsr=small_dsr())


@pytest.mark.parametrize(
    'kind', ['x', pytest.param('dsr', marks=pytest.mark.slow)]
)
def test_any_size_batch_and_reference(backend, networks, kind):
    network = networks[kind]
    engine = Engine(network, backend)
    for number, (size, ref_size) in enumerate(SIZES):
        count = 1 + number % 2 if kind == 'x' else 1
        lr, ref = pair(size, ref_size, 1 + number % 3, count)
        assert_alike(engine.explain(lr, ref), network, lr, ref)


@pytest.mark.parametrize(
    'name',
    [
        'dsrnet_x_nano',
        pytest.param('dsrnet_x', marks=pytest.mark.slow),
        pytest.param('dsrnet_x_light', marks=pytest.mark.slow),
        pytest.param('dsrnet_student', marks=pytest.mark.slow),
    ],
)
def test_published_weights(backend, name):
    network = load_published(name)
    engine = Engine(network, backend)
    for size, ref_size in SIZES[:2]:
        lr, ref = pair(size, ref_size)
        assert_alike(engine.explain(lr, ref), network, lr, ref)


def test_an_image_stands_for_no_reference(backend, networks):
    network = networks['x']
    engine = Engine(network, backend)
    lr, _ = pair((24, 32), (96, 128), batch=2)
    with torch.inference_mode():
        torch.testing.assert_close(engine(lr, lr), network(lr))
        # In a batch, one may have a reference of LR's size.
        ref = torch.stack([lr[0], lr[1].roll(2, -1)])
        torch.testing.assert_close(engine(lr, ref), network(lr, ref))
        # Among several references, too.
        several = torch.stack(
            [
                torch.stack([lr[0].roll(1, -1), lr[0]]),
                torch.stack([lr[1], lr[1]]),
            ]
        )
        found, expected = engine(lr, several), network(lr, several)
        torch.testing.assert_close(found, expected)
        assert (expected[0] - network(lr)[0]).abs().max() > 1e-3


def test_a_trunk_ignores_references(backend):
    network = small_trunk(use_reference=False)
    engine = make_engine(network, backend, 'fp32', 1)
    lr, ref = pair((17, 24), (68, 96), batch=2)
    for other in (lr, ref):
        sr, confidence = engine.explain(lr, other)
        torch.testing.assert_close(sr, network(lr))
        assert confidence.shape == (2, 1, 17, 24)
        assert not confidence.any()


def test_without_an_aligner_a_reference_is_refused(backend):
    network = small_trunk()
    engine = make_engine(network, backend, 'fp32', 1)
    lr, ref = pair((16, 20), (64, 80))
    torch.testing.assert_close(engine(lr, lr), network(lr))
    for run in (network, engine):
        with pytest.raises(ValueError, match='has no aligner'):
            run(lr, ref)


@pytest.mark.parametrize('reference', [False, True])
def test_resolver_gives_the_pixels_of_torch(backend, reference):
    lr, ref = pair((36, 52), (144, 208))
    image, other = (
        (255 * part[0]).byte().permute(1, 2, 0).numpy()
        for part in (lr, ref[:, 0])
    )
    results = [
        SuperResolver(weights='dsrnet_x_nano', backend=name).enhance(
            image, other if reference else None
        )
        for name in ('torch', backend)
    ]
    one, two = (np.asarray(result, dtype=int) for result in results)
    assert one.shape == (144, 208, 3)
    assert abs(one - two).max() <= 1
    assert one.std() > 5


def test_an_engine_can_be_copied_to_a_process(backend, networks):
    engine = Engine(networks['x'], backend)
    lr, ref = pair((16, 24), (64, 96))
    expected = engine(lr, ref)
    again = pickle.loads(pickle.dumps(engine))
    torch.testing.assert_close(again(lr, ref), expected)


def test_half_precision(backend, networks):
    lr, ref = pair((32, 40), (128, 160))
    found = Engine(networks['x'], backend, 'fp16')(lr, ref)
    expected = networks['x'](lr, ref[:, 0])
    difference = (found - expected).abs()
    assert difference.max() > 0
    assert difference.mean() < 2e-3


def test_converted_once(monkeypatch, tmp_path, networks):
    pytest.importorskip('onnx')
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    path = converted(networks['x'], alone=True)
    assert path.parent == tmp_path
    assert not list(tmp_path.glob('.*'))

    def refuse(*_, **__):
        raise AssertionError('converted again')

    monkeypatch.setattr(engines, 'to_onnx', refuse)
    assert converted(networks['x'], alone=True) == path
    with pytest.raises(AssertionError):
        converted(networks['x'])


def test_settings_and_weights_make_the_fingerprint():
    one, two = small_x(), small_x()
    assert fingerprint(one) == fingerprint(two)
    two.aligner.repeats = (1, 1, 1)
    assert fingerprint(one) != fingerprint(two)
    two = small_x()
    two.tail.bias += 1e-3
    assert fingerprint(one) != fingerprint(two)


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'file/cache'))
    with pytest.raises(OSError, match=f'set {VARIABLE}'):
        cached('model.onnx', lambda: b'model')


def test_an_interrupted_conversion_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached('model.onnx', stop)
    assert not list(tmp_path.iterdir())
    assert cached('model.onnx', lambda: b'1').read_bytes() == b'1'


def test_where_the_cache_is(monkeypatch):
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv('XDG_CACHE_HOME', '/somewhere')
    monkeypatch.setattr('sys.platform', 'linux')
    assert str(cache_folder()) == '/somewhere/mmdsr'


@pytest.mark.parametrize(
    ('there', 'expected'),
    [
        ((), 'torch'),
        (('onnx',), 'torch'),
        (('onnx', 'onnxruntime'), 'onnxruntime'),
        (('onnx', 'onnxruntime', 'openvino'), 'openvino'),
    ],
)
def test_the_fastest_that_is_installed(monkeypatch, there, expected):
    monkeypatch.setattr(engines, 'is_there', lambda name: name in there)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert choose_backend('auto', small_x()) == expected
    assert choose_backend('auto', small_x(), 'bf16') == 'torch'
    assert choose_backend('auto', torch.nn.Identity()) == 'torch'
    assert choose_backend('auto', small_trunk()) == expected
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    assert choose_backend('auto', small_x()) == 'torch'
    # torch has no 8 bits.
    assert choose_backend('auto', small_x(), 'int8') == expected


def test_8_bits_of_a_checkpoint(backend, monkeypatch, tmp_path):
    monkeypatch.setattr(engines, 'FASTEST', (backend, 'torch'))
    save_weights(small_trunk().state_dict(), tmp_path / 'a.pth')
    generator = dict(type='mmdsr.DSRNetX', channels=8, num_blocks=2)
    trained = dict(
        config=dict(model=dict(generator=generator)),
        checkpoint=tmp_path / 'a.pth',
    )
    assert SuperResolver(**trained).backend == 'torch'
    resolver = SuperResolver(**trained, precision='int8')
    assert resolver.backend == backend
    monkeypatch.setattr(budget, 'try_device', lambda device: None)
    with pytest.raises(ValueError, match=r"device='cpu' \(--device cpu\)\.$"):
        resolver.check_device('cuda')


def test_8_bits_in_torch_are_refused():
    with pytest.raises(ValueError, match="or backend='onnxruntime' \\(--back"):
        make_engine(small_x(), 'torch', 'int8', 1)
    with pytest.raises(ValueError, match=r'only backend of this.*fp16.\)\.$'):
        make_engine(torch.nn.Identity(), 'auto', 'int8', 1)


@pytest.mark.parametrize('name', BACKENDS)
def test_a_missing_package_is_named(monkeypatch, name):
    monkeypatch.setattr('mmdsr.extras.is_there', lambda module: False)
    with pytest.raises(MissingExtraError, match=r"pip install 'mmdsr\[o"):
        Engine(small_x(), name)


def test_contradictory_arguments_are_refused(backend, monkeypatch):
    network = small_x()
    with pytest.raises(ValueError, match='backend must be one of'):
        make_engine(network, 'tensorrt', 'fp32', 1)
    with pytest.raises(ValueError, match="'int8' is not available"):
        make_engine(network, 'torch', 'int8', 1)
    with pytest.raises(ValueError, match="'bf16' is not available"):
        make_engine(network, backend, 'bf16', 1)
    with pytest.raises(ValueError, match='runs on the CPU'):
        Engine(network, backend).to(torch.device('cuda'))
    resolver = SuperResolver(weights='dsrnet_x_nano', backend=backend)
    assert resolver.describe()['backend'] == backend
    with pytest.raises(ValueError, match='device nowhere cannot be used'):
        resolver.check_device('nowhere')
    monkeypatch.setattr(budget, 'try_device', lambda device: None)
    with pytest.raises(ValueError, match='runs on the CPU'):
        resolver.check_device('cuda')
