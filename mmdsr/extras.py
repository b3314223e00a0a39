"""Packages that a part of mmdsr needs and the core does not."""

import importlib.util

#: Extra to the modules that come with it and that mmdsr imports late.
MODULES = {'video': ('av', 'jinja2'), 'depth': ('scipy',)}


class MissingExtraError(ImportError):
    """A part of mmdsr is used whose packages are not installed."""


def require(extra):
    """Refuse to go on without the packages of an extra.

    Args:
        extra (str): Its name, ``'video'`` or ``'depth'``.

    Raises:
        MissingExtraError: If one is missing; the message names the extra.
    """
    missing = [name for name in MODULES[extra] if not _is_there(name)]
    if missing:
        raise MissingExtraError(
            f'This needs {" and ".join(missing)}, not installed here: '
            f"pip install 'mmdsr[{extra}]', or in a checkout: pip install -c "
            f'requirements/constraints.txt -r requirements/{extra}.txt.'
        )


def _is_there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
