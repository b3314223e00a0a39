"""The network or interpolation of a resolver, and its description."""

from functools import cached_property
from numbers import Integral
from pathlib import Path

import torch

from mmdsr.deploy.engine import (
    ALL_PRECISIONS,
    BACKENDS,
    TORCH_PRECISIONS,
    Engine,
    make_engine,
)
from mmdsr.evidence.record import Kind
from mmdsr.inference import budget, tiling
from mmdsr.inference.interpolation import check_scale
from mmdsr.inference.references import References
from mmdsr.inference.sources import (
    ConfigLike,
    build_network,
    check_choice,
    confidence_kind,
    digest_of,
    weights_path,
)
from mmdsr.io.checksums import digest
from mmdsr.models.hidden import Hidden


class BaseResolver:
    """A network or an interpolation, with the settings to run it.

    :class:`mmdsr.inference.super_resolver.SuperResolver` applies it to images
    and documents the arguments.

    Attributes:
        scale: Factor by which rows and columns are enlarged.
    """

    def __init__(
        self,
        config: ConfigLike | None = None,
        checkpoint: str | Path | None = None,
        weights: str | Path | None = None,
        interpolation: str | None = None,
        scale: int | None = None,
        reference: str = 'upscaled',
        tile: str | int | None = 'auto',
        overlap: int = 16,
        max_batch: int | None = None,
        precision: str = 'fp32',
        backend: str = 'auto',
    ) -> None:
        check_choice(config, checkpoint, weights, interpolation)
        for name, value, known in (
            ('precision', precision, ALL_PRECISIONS),
            ('backend', backend, BACKENDS),
        ):
            if value not in known:
                raise ValueError(
                    f'{name} must be one of {known}, not {value!r}.'
                )
        if isinstance(tile, str) and tile != 'auto':
            raise ValueError(
                "tile must be a number of pixels, 'auto' or None for the "
                f'whole image, not {tile!r}.'
            )
        if tile is not None and not isinstance(tile, str):
            tile = _whole('tile', tile, 1)
        overlap = _whole('overlap', overlap, 0)
        if max_batch is not None:
            max_batch = _whole('max_batch', max_batch, 1)
        self.references = References(reference)
        self.interpolation = interpolation
        self.tile = tile
        self.overlap = overlap
        self.max_batch = max_batch
        self.precision = precision
        self._network: Hidden | None = None
        self._files = checkpoint, weights
        if interpolation is not None:
            self.scale = check_scale(interpolation, scale)
            return
        network = build_network(config, checkpoint, weights)
        if scale not in (None, network.scale):
            raise ValueError(
                f'scale={scale} does not fit: the network enlarges by '
                f'{network.scale}. Omit scale.'
            )
        self.scale = network.scale
        if tile is not None:
            side = budget.LARGEST if isinstance(tile, str) else tile
            grid = tiling.grid(
                network.lr_multiple, self.scale, network.searches_from_center
            )
            tiling.check_tiling(side, overlap, grid)
        self._network = Hidden(network)
        if (
            backend == 'auto'
            and weights is None
            and precision in TORCH_PRECISIONS
        ):
            # Converting takes seconds, and a training run has many
            # checkpoints.
            backend = 'torch'
        self._engine = make_engine(
            network, backend, precision, budget.cpu_count()
        )

    @property
    def backend(self) -> str:
        """Runtime of the network."""
        if self._network is not None and isinstance(self._engine, Engine):
            return self._engine.backend
        return 'torch'

    def __deepcopy__(self, memo: dict) -> 'BaseResolver':
        # It never changes, so that averaged copies of a model can share it.
        return self

    def __repr__(self) -> str:
        if self._network is None:
            source = self.interpolation
        else:
            source = type(self._network.module).__name__
        return f'{type(self).__name__}({source}, scale={self.scale})'

    def describe(self) -> dict[str, str | int | None]:
        """Return all settings that affect the results.

        Returns:
            Texts and numbers; equal for resolvers with equal results.
        """
        if self._network is None:
            return dict(interpolation=self.interpolation, scale=self.scale)
        network = self._network.module
        return dict(
            network=type(network).__name__,
            weights=digest_of(network),
            scale=self.scale,
            reference=self.references.policy,
            tile=self.tile,
            overlap=self.overlap if self.tile else None,
            precision=self.precision,
            backend=self.backend,
        )

    @cached_property
    def weights_file(self) -> tuple[str, str] | None:
        """Name and SHA-256 of the weights file; None for an interpolation."""
        if self._network is None:
            return None
        path = weights_path(*self._files)
        return path.name, digest(path)

    @property
    def confidence_kind(self) -> Kind | None:
        """Meaning of the confidence map, or None without one."""
        if self._network is None:
            return None
        return confidence_kind(self._network.module)

    @property
    def takes_several(self) -> bool:
        """Whether an image may have several references at once."""
        return self._network is not None and getattr(
            self._network.module, 'takes_several_references', False
        )

    def check_device(self, device: str | torch.device) -> None:
        """Refuse a device that does not work, or not with the precision.

        Args:
            device: Device of the images.

        Raises:
            ValueError: If the device cannot be used.
        """
        budget.try_device(device)
        on_cpu = str(device).partition(':')[0] == 'cpu'
        if self.backend != 'torch' and not on_cpu:
            raise ValueError(
                f'backend={self.backend!r} runs on the CPU, not on {device}: '
                "use device='cpu' (--device cpu)"
                + (
                    f", or backend='torch' (--backend torch) for {device}."
                    if self.precision in TORCH_PRECISIONS
                    else '.'
                )
            )
        if self.backend == 'torch' and self.precision == 'fp16' and on_cpu:
            raise ValueError(
                "precision='fp16' needs a GPU: use 'fp32' or 'bf16' on a CPU."
            )

    def batch_size(self, device: str | torch.device) -> int:
        """Return a sensible number of images per call.

        Args:
            device: Device of the images.

        Returns:
            At least 1.
        """
        return self.max_batch or budget.batch_size(torch.device(device))


def _whole(name: str, value: int, least: int) -> int:
    """Return a setting as an int; refuse one that is no whole number."""
    # True and False are integers in Python.
    if (
        isinstance(value, bool)
        or not isinstance(value, Integral)
        or value < least
    ):
        raise ValueError(
            f'{name} must be a whole number >= {least}, not {value!r}.'
        )
    return int(value)
