"""Depth providers by name."""

import inspect
from collections.abc import Callable

from mmdsr.depth.base import DepthProvider
from mmdsr.depth.file import FileDepth
from mmdsr.depth.pipe import PipeDepth
from mmdsr.depth.pretrained import TransformersDepth

PROVIDERS: dict[str, Callable[..., DepthProvider]] = {
    provider.name: provider
    for provider in (FileDepth, PipeDepth, TransformersDepth)
}


def build_provider(name: str, **options: object) -> DepthProvider:
    """Build a depth provider.

    Args:
        name: ``'file'``, ``'pipe'`` or ``'transformers'``.
        **options: Arguments of the provider's class.

    Returns:
        The provider.

    Raises:
        ValueError: If there is no such provider, it has no such option, or
            an option is missing or does not fit.
        FileNotFoundError: If a folder is missing or incomplete.
        ImportError: If a package is missing.
    """
    if name not in PROVIDERS:
        raise ValueError(
            f'There is no depth provider {name!r}: choose one of '
            f'{", ".join(PROVIDERS)}.'
        )
    known = inspect.signature(PROVIDERS[name]).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(
            f'The depth provider {name!r} has no option '
            f'{", ".join(unknown)}: it has {", ".join(known)}.'
        )
    missing = [
        option
        for option, parameter in known.items()
        if parameter.default is parameter.empty and option not in options
    ]
    if missing:
        raise ValueError(
            f'The depth provider {name!r} needs {", ".join(missing)}.'
        )
    return PROVIDERS[name](**options)
