"""``mmdsr export`` and the files that it writes."""

from functools import cache

import numpy as np
import pytest
from deploy_cases import pair, small_trunk
from mmengine.config import Config

from mmdsr.cli.enhance import main as enhance
from mmdsr.cli.export import main
from mmdsr.deploy.precision import to_precision
from mmdsr.deploy.runtimes import openvino_core
from mmdsr.evaluation.functional import psnr
from mmdsr.io.checkpoint import save_weights
from mmdsr.io.images import downscale, write_png
from mmdsr.models.networks.padding import upscale
from mmdsr.weights.publish import publish

onnx = pytest.importorskip('onnx')
ort = pytest.importorskip('onnxruntime')


def shapes(values):
    return {
        value.name: [
            dim.dim_param or dim.dim_value
            for dim in value.type.tensor_type.shape.dim
        ]
        for value in values
    }


def test_the_contract(tmp_path, capsys):
    assert main(['dsrnet_x_nano', '--out', str(tmp_path), '--dynamic']) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {'dsrnet_x_nano.onnx', 'dsrnet_x_nano-alone.onnx'}
    assert 'any size, fp32, from opset 18' in capsys.readouterr().err
    model = onnx.load(tmp_path / 'dsrnet_x_nano.onnx')
    assert shapes(model.graph.input) == dict(
        lr=['n', 3, 'h', 'w'], ref=['n', 'k', 3, 'ref_h', 'ref_w']
    )
    assert shapes(model.graph.output) == dict(
        sr=['n', 3, '4h', '4w'], confidence=['n', 1, 'h', 'w']
    )
    assert {o.domain: o.version for o in model.opset_import} == {'': 18}
    facts = {p.key: p.value for p in model.metadata_props}
    assert facts['network'] == 'DSRNetX'
    alone = onnx.load(tmp_path / 'dsrnet_x_nano-alone.onnx')
    assert list(shapes(alone.graph.input)) == ['lr']

    assert main(['dsrnet_x_nano', '--out', str(tmp_path)]) == 2
    assert '--overwrite' in capsys.readouterr().err


def test_a_trunk_has_one_model(tmp_path):
    network = small_trunk(use_reference=False)
    save_weights(network.state_dict(), tmp_path / 'iter_1.pth')
    generator = dict(
        type='mmdsr.DSRNetX', channels=8, num_blocks=2, use_reference=False
    )
    config = Config(
        dict(
            experiment_name='trunk',
            model=dict(type='mmdsr.DSR', generator=generator),
        )
    )
    (file,) = publish(
        config, tmp_path / 'iter_1.pth', tmp_path, suffixes=['.safetensors']
    )
    assert main([str(file.path), '--out', str(tmp_path / 'out')]) == 0
    (path,) = (tmp_path / 'out').iterdir()
    assert path.name == f'{file.path.stem}-alone.onnx'
    lr, _ = pair((17, 20), (68, 80))
    (found,) = ort.InferenceSession(path).run(['sr'], dict(lr=lr.numpy()))
    np.testing.assert_allclose(found, network(lr).numpy(), atol=1e-4)


def test_one_size(tmp_path):
    args = ['--out', str(tmp_path), '--size', '48', '32']
    assert main(['dsrnet_x_nano', *args]) == 0
    path = tmp_path / 'dsrnet_x_nano-48x32.onnx'
    session = ort.InferenceSession(path)
    assert session.get_inputs()[1].shape == [1, 1, 3, 128, 192]
    lr, ref = pair((32, 48), (128, 192))
    inputs = dict(lr=lr.numpy(), ref=ref.numpy())
    assert session.run(['sr'], inputs)[0].shape == (1, 3, 128, 192)


@pytest.mark.slow
def test_openvino_files(tmp_path):
    pytest.importorskip('openvino')
    args = ['--out', str(tmp_path), '--format', 'openvino']
    assert main(['dsrnet_x_nano', *args, '--precision', 'fp16']) == 0
    model = openvino_core().compile_model(
        tmp_path / 'dsrnet_x_nano-alone-fp16.xml', 'CPU'
    )
    lr, _ = pair((20, 24), (80, 96))
    found = model(dict(lr=lr.numpy()))['sr']
    assert abs(found - upscale(lr).numpy()).mean() < 0.05


@pytest.mark.parametrize(
    ('args', 'reason'),
    [
        (['nonesuch'], 'no weights named'),
        (['lost.safetensors'], 'no weights at'),
        (['dsrnet_x_nano', '--size', '8', '8'], '8x8 is too small'),
        (['dsrnet_teacher_quick', '--out', __file__], 'test_export_files.py'),
        (
            ['dsrnet_x_nano', '--precision', 'int8', '--samples', 'nowhere'],
            'nowhere is not a data set',
        ),
    ],
)
def test_errors_take_one_line(args, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    message = capsys.readouterr().err.strip()
    assert reason in message
    assert '\n' not in message
    assert not list(tmp_path.iterdir())


def test_unknown_format(capsys):
    with pytest.raises(SystemExit):
        main(['dsrnet_x_nano', '--format', 'tflite'])
    assert "invalid choice: 'tflite'" in capsys.readouterr().err


def test_missing_package(monkeypatch, capsys):
    monkeypatch.setattr('mmdsr.extras.is_there', lambda module: False)
    assert main(['dsrnet_x_nano']) == 2
    assert "pip install 'mmdsr[onnx]'" in capsys.readouterr().err


def test_unknown_precision():
    with pytest.raises(ValueError, match='precision must be one of'):
        to_precision(onnx.ModelProto(), 'int4')


def test_enhance_by_onnxruntime_equals_torch(tmp_path):
    lr, _ = pair((30, 44), (120, 176))
    image = (255 * lr[0]).byte().permute(1, 2, 0).numpy()
    write_png(tmp_path / 'in/a.png', image)
    from PIL import Image

    results = []
    for name in ('torch', 'onnxruntime'):
        args = [str(tmp_path / 'in'), str(tmp_path / name), '--backend', name]
        assert enhance(args) == 0
        picture = Image.open(tmp_path / name / 'a.png')
        results.append(np.asarray(picture, dtype=int))
    assert results[0].shape == (120, 176, 3)
    assert abs(results[0] - results[1]).max() <= 1


@cache
def views():
    """Frames that no network has seen, with LR and the frame after them."""
    from mmdsr.sim.pipe_run import PipeRun

    found = []
    for number in range(3):
        run = PipeRun(77, number)
        hr, ref = (run.frame(index).image for index in (0, 1))
        found.append((hr, downscale(hr), ref))
    return found


@pytest.mark.slow
@pytest.mark.parametrize('name', ['dsrnet_x_nano', 'dsrnet_student'])
def test_8_bits_lose_little(name, tmp_path):
    pytest.importorskip('nncf')
    for precision in ('fp32', 'int8'):
        args = ['--out', str(tmp_path), '--precision', precision]
        assert main([name, *args]) == 0
    losses = []
    sessions = [
        ort.InferenceSession(tmp_path / f'{name}{suffix}.onnx')
        for suffix in ('', '-int8')
    ]
    for hr, lr, ref in views():
        inputs = {
            key: image.transpose(2, 0, 1).astype(np.float32)[None] / 255
            for key, image in (('lr', lr), ('ref', ref))
        }
        inputs['ref'] = inputs['ref'][:, None]
        values = []
        for session in sessions:
            sr = session.run(['sr'], inputs)[0][0].transpose(1, 2, 0)
            values.append(psnr(255 * sr.clip(0, 1), hr.astype(float)))
        losses.append(values[0] - values[1])
    assert any(losses)
    assert np.mean(losses) < 0.05


def test_weights_of_openvino_are_not_overwritten(tmp_path, capsys):
    pytest.importorskip('openvino')
    pytest.importorskip('onnx')
    other = tmp_path / 'dsrnet_x_nano.bin'
    other.write_bytes(b'mine')
    command = ['dsrnet_x_nano', '--format', 'openvino', '--out', str(tmp_path)]
    assert main(command) == 2
    assert 'dsrnet_x_nano.bin already exists' in capsys.readouterr().err
    assert other.read_bytes() == b'mine'
