"""What networks lose in other runtimes, measured."""

import numpy as np
import pytest
from tool_runs import call

from mmdsr.experiments import precision_loss
from mmdsr.experiments.precision_loss import measure_losses, read_samples
from mmdsr.extras import is_there
from mmdsr.io.layout import RefSRWriter

TOOL = 'analysis_tools/precision_loss.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Four frames of noise, each beside a reference that is another."""
    out = tmp_path_factory.mktemp('loss') / 'data'
    rng = np.random.default_rng(0)
    with RefSRWriter(out) as writer:
        for i in range(4):
            hr, ref = rng.integers(0, 255, (2, 64, 96, 3), np.uint8)
            writer.add('test', f'run0_{i:04d}', hr, ref)
    return out


def test_samples_are_evenly_spread(root):
    every, two = read_samples(root), read_samples(root, most=2)
    assert (len(every), len(two)) == (4, 2)
    assert every[0].image.shape == (16, 24, 3)
    assert every[0].reference.shape == every[0].truth.shape == (64, 96, 3)
    assert (every[0].truth != every[0].reference).any()
    np.testing.assert_array_equal(two[0].truth, every[0].truth)


class Rounding:
    """A network that is exact in torch, and off by as much as it is told."""

    OFF = {'torch': 0, 'onnxruntime': 1, 'openvino': 3}  # noqa: RUF012

    def __init__(self, weights, backend, precision):
        self.off = self.OFF[backend] + (precision == 'int8')

    def enhance(self, image, reference, device):
        return np.full((64, 96, 3), 100 + self.off, np.uint8)


def test_change_is_against_torch_in_float32(root, monkeypatch):
    monkeypatch.setattr(precision_loss, 'SuperResolver', Rounding)
    monkeypatch.setattr(precision_loss, 'is_there', lambda name: True)
    flat = np.full((64, 96, 3), 100, np.uint8)
    samples = [
        one._replace(truth=flat + 10) for one in read_samples(root, most=2)
    ]
    found = {
        (loss.backend, loss.precision): loss
        for loss in measure_losses('any', samples)
    }
    assert tuple(found) == precision_loss.VARIANTS
    base = found['torch', 'fp32']
    assert (base.change, base.most) == (0, 0)
    # Nearer to the truth by one of ten: 20 log10(10 / 9) dB.
    near = found['onnxruntime', 'fp32']
    assert near.most == 1
    assert near.change == pytest.approx(20 * np.log10(10 / 9), abs=0.01)
    assert near.psnr_y == pytest.approx(base.psnr_y + near.change)
    assert found['openvino', 'int8'].most == 4


def test_only_installed_backends(root, monkeypatch):
    monkeypatch.setattr(precision_loss, 'SuperResolver', Rounding)
    monkeypatch.setattr(
        precision_loss, 'is_there', lambda name: name in ('torch', 'openvino')
    )
    found = list(measure_losses('any', read_samples(root, most=1)))
    assert [(loss.backend, loss.precision) for loss in found] == [
        ('torch', 'fp32'),
        ('torch', 'bf16'),
        ('openvino', 'fp32'),
        ('openvino', 'fp16'),
    ]
    with pytest.raises(ValueError, match='no samples'):
        next(measure_losses('any', []))


def test_tool(root, monkeypatch):
    # Converting to 8 bits takes long, and is tested with the export.
    variants = (('torch', 'fp32'), ('onnxruntime', 'fp32'))
    monkeypatch.setattr(precision_loss, 'VARIANTS', variants)
    done = call(TOOL, root, '--samples', 1)
    assert done.returncode == 0, done.stderr
    assert '1 images' in done.stdout
    assert '+0.000' in done.stdout
    assert ('onnxruntime' in done.stdout) == is_there('onnxruntime')
    for args in ((root / 'none',), (root, '--weights', 'nothing')):
        done = call(TOOL, *args)
        assert done.returncode == 2
        assert done.stderr.count('error: ') == 1
