"""Samples for 8-bit models."""

import shutil

import numpy as np
import pytest
from tool_runs import run_each

from mmdsr.datasets.packed import pack
from mmdsr.deploy.calibration import choose, read
from mmdsr.deploy.onnx_export import LR, REF


def test_a_resolver_does_not_import_the_simulator():
    """Its compiled functions would be looked for at every start."""
    code = 'print([n for n in ("numba", "mmdsr.sim") if n in sys.modules])'
    assert run_each('import sys, mmdsr.inference', [code]) == ['[]']


def test_samples_of_a_packed_data_set_are_equal(refsr_root, tmp_path):
    before = list(read(refsr_root))
    assert len(before) == 4
    assert before[0][LR].shape == (1, 3, 48, 64)
    assert before[0][REF].shape == (1, 1, 3, 192, 256)
    after = list(read(pack(refsr_root, tmp_path / 'packed')))
    for one, other in zip(before, after, strict=True):
        for key in (LR, REF):
            np.testing.assert_array_equal(one[key], other[key])


def test_a_damaged_image_is_named(refsr_root, tmp_path):
    root = tmp_path / 'set'
    shutil.copytree(refsr_root, root)
    path = min((root / 'train/ref').iterdir())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=f'ref/{path.name}: '):
        list(read(root))
    path.unlink()
    with pytest.raises(FileNotFoundError, match='lacks 1 images'):
        choose(root)
