"""A network that runs outside of torch."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from mmdsr.deploy.cache import cached
from mmdsr.deploy.onnx_export import (
    LR,
    REF,
    has_alone,
    make_graph,
    to_onnx,
    variants,
)
from mmdsr.deploy.precision import PRECISIONS, to_precision
from mmdsr.deploy.runtimes import RUNTIMES, Runtime
from mmdsr.extras import is_there, require
from mmdsr.models.networks.dsrnet_x import DSRNetX
from mmdsr.models.networks.reference_inputs import find_own
from mmdsr.models.networks.refsr_net import RefSRNet
from mmdsr.version import __version__

#: Version of the graphs; cached files of other versions are not used.
REVISION = 2
TORCH_PRECISIONS = ('fp32', 'bf16', 'fp16')
ALL_PRECISIONS = (*TORCH_PRECISIONS, 'int8')
#: Backends for CPUs, the fastest first, as measured in docs/deploy.md.
FASTEST = ('openvino', 'onnxruntime', 'torch')
BACKENDS = ('auto', 'torch', 'onnxruntime', 'openvino')
#: Packages needed for conversion and execution.
_NEEDS = {
    'onnxruntime': ('onnx', 'onnxruntime'),
    'openvino': ('onnx', 'openvino'),
}

_Net = TypeVar('_Net', bound=nn.Module)


class Answer(NamedTuple):
    """Outputs of a model.

    Args:
        sr: Images (N, 3, 4H, 4W), not clamped.
        confidence: Trust in the references (N, 1, H, W).
    """

    sr: Tensor
    confidence: Tensor


def choose_backend(
    backend: str, network: nn.Module, precision: str = 'fp32'
) -> str:
    """Choose the backend of a network.

    Args:
        backend: One of :data:`BACKENDS`; ``'auto'`` is torch if there is a
            GPU and torch has the precision, otherwise the fastest installed
            backend that supports the network.
        network: The network.
        precision: Precision of the computations. Defaults to 'fp32'.

    Returns:
        ``'torch'`` or one of
        :data:`mmdsr.deploy.runtimes.RUNTIMES`.

    Raises:
        ValueError: If it is unknown.
    """
    if backend not in BACKENDS:
        raise ValueError(
            f'backend must be one of {BACKENDS}, not {backend!r}.'
        )
    if backend != 'auto':
        return backend
    if precision in TORCH_PRECISIONS and torch.cuda.is_available():
        return 'torch'
    if precision not in PRECISIONS or not can_export(network):
        return 'torch'
    return next(
        name
        for name in FASTEST
        if all(is_there(module) for module in _NEEDS.get(name, ()))
    )


def make_engine(
    network: _Net, backend: str, precision: str, threads: int
) -> '_Net | Engine':
    """Return the network itself or an engine to call instead.

    Args:
        network: The network, in evaluation mode.
        backend: See :func:`choose_backend`.
        precision: One of :data:`ALL_PRECISIONS`.
        threads: Number of threads of an engine.

    Raises:
        MissingExtraError: If the runtime is not installed.
        ValueError: If the backend does not support the network or the
            precision.
    """
    backend = choose_backend(backend, network, precision)
    if backend != 'torch':
        if not isinstance(network, (RefSRNet, DSRNetX)):
            raise ValueError(
                f'{type(network).__name__} runs only in torch: use '
                "backend='torch'."
            )
        return Engine(network, backend, precision, threads)
    if precision not in TORCH_PRECISIONS:
        only, others = ', the only backend of this network', ''
        if can_export(network):
            only, others = (
                '',
                (
                    ", or backend='onnxruntime' (--backend onnxruntime; pip "
                    "install 'mmdsr[onnx]') or 'openvino' (pip install "
                    "'mmdsr[openvino]')"
                ),
            )
        raise ValueError(
            f'precision={precision!r} is not available in torch{only}: use '
            f'one of {TORCH_PRECISIONS}{others}.'
        )
    return network


def can_export(network: nn.Module) -> bool:
    """Return whether a network can run in another runtime.

    Args:
        network: The network.
    """
    try:
        make_graph(network, variants(network)[0])
    except ValueError:
        return False
    return True


def fingerprint(network: nn.Module) -> str:
    """Return an identifier of the graph of a network.

    Args:
        network: The network.

    Returns:
        16 hexadecimal digits of a digest of weights and settings.
    """
    total = hashlib.sha256()
    for name, module in network.named_modules():
        settings = {
            key: value
            for key, value in vars(module).items()
            if isinstance(value, (bool, int, float, str, tuple))
        }
        total.update(f'{name} {type(module).__name__} {settings}'.encode())
    for key, value in network.state_dict().items():
        total.update(f'{key} {tuple(value.shape)}'.encode())
        total.update(value.cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:16]


def converted(
    network: nn.Module, alone: bool = False, precision: str = 'fp32'
) -> Path:
    """Return the ONNX model of a network; convert it at the first call.

    Args:
        network: The network.
        alone: Whether to convert it without a reference. Defaults to False.
        precision: One of :data:`PRECISIONS`. Defaults to 'fp32'.

    Returns:
        A file in the user's cache.

    Raises:
        MissingExtraError: If a package for converting is not installed.
        OSError: If it cannot be written.
    """
    parts = [
        fingerprint(network),
        'alone' if alone else 'ref',
        precision,
        f'mmdsr{__version__}.{REVISION}',
        f'torch{torch.__version__}',
    ]

    def make() -> bytes:
        model = to_precision(to_onnx(network, alone), precision)
        return model.SerializeToString()

    return cached(f'{"-".join(parts)}.onnx', make)


class Engine:
    """Replacement for a network: the same call, in another runtime.

    Models are converted and loaded when they are first needed, separately in
    each process, because a session can be neither copied nor forked.

    Args:
        network: The network.
        backend: One of :data:`mmdsr.deploy.runtimes.RUNTIMES`.
        precision: One of :data:`PRECISIONS`. Defaults to 'fp32'.
        threads: Number of threads. Defaults to 1.

    Raises:
        MissingExtraError: If the runtime is not installed.
        ValueError: If the network cannot run in it.
    """

    def __init__(
        self,
        network: RefSRNet | DSRNetX,
        backend: str,
        precision: str = 'fp32',
        threads: int = 1,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(
                f'precision={precision!r} is not available with {backend}: '
                f'use one of {PRECISIONS}.'
            )
        for module in _NEEDS[backend]:
            require('onnx' if 'onnx' in module else module, module)
        make_graph(network, variants(network)[0])
        self.network = network
        self.backend = backend
        self.precision = precision
        self.threads = threads
        self._several = has_alone(network)
        self._loaded: dict[tuple[int, bool], Runtime] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, '_loaded': {}}

    def feature_channels(
        self, feature_level: str = 'scale'
    ) -> tuple[list[int], list[int] | None]:
        """Return the widths of the features of the network."""
        return self.network.feature_channels(feature_level)

    def to(self, device: torch.device) -> 'Engine':
        """Raise an error for a device that the runtime does not support.

        Args:
            device: Device of the images.

        Raises:
            ValueError: If it is not a CPU.
        """
        if torch.device(device).type != 'cpu':
            raise ValueError(
                f'backend={self.backend!r} runs on the CPU, not on {device}.'
            )
        return self

    def __call__(self, lr: Tensor, ref: Tensor) -> Tensor:
        """Super-resolve like the network.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref: References (N, 3, Hr, Wr) or (N, K, 3, Hr, Wr); LR itself
                means no reference if the network supports that.

        Returns:
            The images (N, 3, 4H, 4W), not clamped.
        """
        return self.explain(lr, ref).sr

    def explain(self, lr: Tensor, ref: Tensor) -> Answer:
        """Super-resolve and return the confidence, too.

        Args:
            lr: See :meth:`__call__`.
            ref: See :meth:`__call__`.

        Returns:
            The images and the confidence.
        """
        if isinstance(self.network, DSRNetX) and self.network.fusion is None:
            # A trunk ignores references.
            return self._run(lr, None)
        own = find_own(lr, ref) if self._several else None
        if own is None or not own.any():
            return self._run(lr, ref)
        # An image without a reference is its own reference.
        ref, own = (
            part if ref.ndim == 5 else part[:, None] for part in (ref, own)
        )
        answers = [
            self._run(image[None], others[~alone][None] if rest else None)
            for image, others, alone, rest in zip(
                lr, ref, own, (~own).any(1), strict=True
            )
        ]
        return Answer(*(torch.cat(p) for p in zip(*answers, strict=True)))

    def _run(self, lr: Tensor, ref: Tensor | None) -> Answer:
        inputs = {LR: _array(lr)}
        if ref is not None:
            inputs[REF] = _array(ref if ref.ndim == 5 else ref[:, None])
        runtime = self._runtime(alone=ref is None)
        sr, confidence = map(torch.from_numpy, runtime(inputs))
        return Answer(sr, confidence)

    def _runtime(self, alone: bool) -> Runtime:
        key = os.getpid(), alone
        if key not in self._loaded:
            path = converted(self.network, alone, self.precision)
            self._loaded[key] = RUNTIMES[self.backend](path, self.threads)
        return self._loaded[key]


def _array(image: Tensor) -> np.ndarray:
    return np.ascontiguousarray(image.float().numpy())
