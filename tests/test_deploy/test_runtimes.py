"""The cache of compiled models."""

import shutil

import numpy as np
import pytest
import torch
from deploy_cases import pair, small_x
from forks import Fork

from mmdsr.deploy import runtimes
from mmdsr.deploy.cache import VARIABLE, cache_folder
from mmdsr.deploy.engine import Engine

pytest.importorskip('onnx')
pytest.importorskip('openvino')


def run():
    torch.manual_seed(0)
    sr, _ = Engine(small_x(), 'openvino').explain(*pair((16, 20), (64, 80)))
    return sr.numpy()


def compiled_files():
    return sorted(cache_folder().glob('*.openvino'))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture(scope='module')
def first_cache(tmp_path_factory):
    """A cache after its first use, and what was computed then."""
    folder = tmp_path_factory.mktemp('cache')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, run()


@pytest.fixture
def first(first_cache, cache):
    """What was computed when the cache was first used."""
    folder, found = first_cache
    shutil.copytree(folder, cache)
    return found


def test_model_is_compiled_once(monkeypatch, first):
    (kept,) = compiled_files()

    def fail(*_):
        raise AssertionError('compiled again')

    monkeypatch.setattr(runtimes.openvino_core(), 'compile_model', fail)
    np.testing.assert_array_equal(run(), first)
    assert compiled_files() == [kept]


@pytest.mark.parametrize('share', [0, 0.5])
def test_a_damaged_file_is_not_used(share, first):
    (kept,) = compiled_files()
    content = kept.read_bytes()
    kept.write_bytes(content[: int(len(content) * share)])
    np.testing.assert_array_equal(run(), first)


def save(path):
    np.save(path, run())


@pytest.mark.slow
def test_processes_may_begin_at_the_same_time(tmp_path, cache):
    variables = {VARIABLE: str(cache)}
    paths = [tmp_path / f'{number}.npy' for number in range(3)]
    processes = [Fork(save, path, **variables) for path in paths]
    assert [process.wait(300) for process in processes] == [0, 0, 0]
    assert len(compiled_files()) == 1
    assert not list(cache.glob('.*'))
    first, *others = map(np.load, paths)
    for other in others:
        np.testing.assert_array_equal(other, first)
