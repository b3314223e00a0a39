import inspect
import runpy
from importlib import import_module
from pathlib import Path

import numba
import pytest
from numba.core.registry import CPUDispatcher

import mmdsr.sim
from mmdsr.sim.jit import _FOLDER, KERNELS, jit


def compiled_of(name):
    module = import_module('mmdsr.sim.' + name.replace('/', '.'))
    return [
        value
        for value in vars(module).values()
        if isinstance(value, CPUDispatcher)
        and inspect.getmodule(value.py_func) is module
    ]


def test_every_module_with_compiled_functions_is_part_of_the_key():
    folder = Path(mmdsr.sim.__file__).parent
    names = [
        path.relative_to(folder).with_suffix('').as_posix()
        for path in folder.glob('*/*.py')
    ]
    assert {name for name in names if compiled_of(name)} == set(KERNELS)


def test_the_cache_is_kept_under_the_key():
    for name in KERNELS:
        for function in compiled_of(name):
            assert _FOLDER in function._cache.cache_path


def test_a_compiled_function_computes():
    @jit
    def twice(x):
        return 2 * x

    assert twice(21) == 42
    assert twice.signatures


def test_without_a_place_for_the_cache_it_still_computes(
    tmp_path, monkeypatch
):
    """As in a read-only installation of a user without a home."""
    file = tmp_path / '__pycache__'
    file.write_text('not a folder')
    monkeypatch.setattr(numba.config, 'CACHE_DIR', str(file))
    for name in ('HOME', 'XDG_CACHE_HOME', 'LOCALAPPDATA'):
        monkeypatch.setenv(name, str(file))
    path = tmp_path / 'module.py'
    path.write_text('def twice(x):\n    return 2 * x\n')
    twice = runpy.run_path(str(path))['twice']
    with pytest.raises(RuntimeError, match='no locator available'):
        numba.njit(cache=True)(twice)
    compiled = jit(twice)
    assert compiled(21) == 42
    assert compiled.signatures
    # What the user has set is still set.
    assert str(file) == numba.config.CACHE_DIR
