"""Packages that a part of mmdsr needs and the core does not."""

import importlib.util

from mmdsr.errors import MissingExtraError


def require(extra, *modules):
    """Refuse to go on without packages of an extra.

    Args:
        extra (str): Its name: there is ``requirements/EXTRA.txt``.
        *modules (str): What will be imported of it.

    Raises:
        MissingExtraError: If one is missing; the message names the extra.
    """
    missing = [name for name in modules if not is_there(name)]
    if missing:
        raise MissingExtraError(
            f'{" and ".join(missing)} not installed: pip install '
            f"'mmdsr[{extra}]' (in a checkout: pip install -c "
            f'requirements/constraints.txt -r requirements/{extra}.txt).'
        )


def is_there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
