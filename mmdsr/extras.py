"""Packages that a part of mmdsr needs and the core does not."""

import importlib.util

from mmdsr.errors import MissingExtraError


def require(extra: str, *modules: str) -> None:
    """Raise an error if packages of an extra are missing.

    Args:
        extra: Name of the extra, as in ``requirements/EXTRA.txt``.
        *modules: The modules that will be imported.

    Raises:
        MissingExtraError: If one is missing; the message names the extra.
    """
    missing = [name for name in modules if not is_there(name)]
    if missing:
        raise MissingExtraError(
            f'{" and ".join(missing)} not installed: run pip install '
            f"'mmdsr[{extra}]' (in a checkout: pip install -c "
            f'requirements/constraints.txt -r requirements/{extra}.txt).'
        )


def is_there(name: str) -> bool:
    """Return whether a module could be imported.

    Args:
        name: Name of the module.
    """
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
