import inspect
from importlib import import_module
from pathlib import Path

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
