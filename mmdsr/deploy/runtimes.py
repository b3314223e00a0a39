"""Runtimes for exported models: one class each, loading and one call."""

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mmdsr.deploy.cache import cached
from mmdsr.deploy.onnx_export import CONFIDENCE, SR
from mmdsr.extras import require
from mmdsr.io.checksums import digest

if TYPE_CHECKING:
    import openvino

Arrays = Mapping[str, np.ndarray]


class Runtime(Protocol):
    """A loaded model: float32 arrays in, image and confidence out."""

    def __call__(self, inputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Run the model."""


class OnnxRuntime:
    """A model in ONNX Runtime, on the CPU.

    Args:
        path: The model.
        threads: Maximum number of threads.

    Raises:
        MissingExtraError: If onnxruntime is not installed.
    """

    def __init__(self, path: Path, threads: int) -> None:
        require('onnx', 'onnxruntime')
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that wait by spinning slow down others.
        options.add_session_config_entry(
            'session.intra_op.allow_spinning', '0'
        )
        self.session = onnxruntime.InferenceSession(
            path, options, providers=['CPUExecutionProvider']
        )

    def __call__(self, inputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Run the model."""
        sr, confidence = self.session.run([SR, CONFIDENCE], dict(inputs))
        return sr, confidence


@cache
def openvino_core() -> 'openvino.Core':
    """Return OpenVINO's core, which lives until the process ends.

    With the last core, OpenVINO unloads its plugins, and the next fork of the
    process, such as that of a data loader, then causes a segmentation fault.

    Raises:
        MissingExtraError: If openvino is not installed.
    """
    require('openvino', 'openvino')
    # It would otherwise send usage statistics.
    os.environ.setdefault('OPENVINO_TELEMETRY_OPTOUT', '1')
    import openvino

    return openvino.Core()


class OpenVINO:
    """A model in OpenVINO, on the CPU.

    Args:
        path: The model, in OpenVINO's format or ONNX.
        threads: Maximum number of threads.

    Raises:
        MissingExtraError: If openvino is not installed.
    """

    def __init__(self, path: Path, threads: int) -> None:
        options = {
            'INFERENCE_NUM_THREADS': threads,
            'PERFORMANCE_HINT': 'LATENCY',
            # Otherwise bfloat16 is used on some processors.
            'INFERENCE_PRECISION_HINT': 'f32',
        }
        self.model = _compiled(path, options)

    def __call__(self, inputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Run the model."""
        found = self.model(dict(inputs))
        # Copy, because the next call reuses the buffers.
        return found[SR].copy(), found[CONFIDENCE].copy()


def _compiled(path: Path, options: dict[str, Any]) -> 'openvino.CompiledModel':
    """Compile a model, which takes seconds, or load it from the cache.

    OpenVINO's own cache (``CACHE_DIR``) writes its files in place and maps
    them into memory: a process that loads one while another one writes it
    ends with a bus error.
    """
    core = openvino_core()
    parts = [path, path.with_suffix('.bin')]
    key = [digest(part) for part in parts if part.is_file()]
    key += [
        core.get_versions('CPU')['CPU'].build_number,
        core.get_property('CPU', 'FULL_DEVICE_NAME'),
        *core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'),
        repr(sorted(options.items())),
    ]
    name = hashlib.sha256('|'.join(key).encode()).hexdigest()[:32]

    def make() -> bytes:
        return core.compile_model(path, 'CPU', options).export_model().read()

    kept = cached(f'{name}.openvino', make)
    try:
        return core.import_model(kept.read_bytes(), 'CPU', options)
    except RuntimeError:
        # Damaged, or not of this processor after all.
        return core.compile_model(path, 'CPU', options)


RUNTIMES: dict[str, Callable[[Path, int], Runtime]] = {
    'onnxruntime': OnnxRuntime,
    'openvino': OpenVINO,
}
