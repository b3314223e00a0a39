"""Lists of files: natural order, missing files, short summaries."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from natsort import natsorted, ns

T = TypeVar('T')


def natural_order(
    items: Iterable[T], key: Callable[[T], str] = str
) -> list[T]:
    """Sort ``frame2`` before ``frame10``, without regard to case.

    Args:
        items: Items to sort.
        key: Text to sort an item by. Defaults to the item as text.

    Returns:
        The sorted items. The order is independent of the input order, as
        ``f1``, ``F1`` and ``f01`` are sorted as texts.
    """
    return natsorted(items, key, alg=ns.IGNORECASE | ns.PRESORT)


def missing_files(folder: str | Path, names: Iterable[str]) -> list[str]:
    """Return the names that are not files in a folder.

    Each directory is read once, because a million single look-ups take minutes
    on a network drive.

    Args:
        folder: Where the files should be.
        names: Paths below it.

    Returns:
        The missing ones, in the given order.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f'There is no folder {folder}: set data_root and data_prefix.'
        )
    found, missing = {}, []
    for name in names:
        parent, base = os.path.split(name)
        if parent not in found:
            found[parent] = _files(folder / parent)
        if base not in found[parent]:
            missing.append(name)
    return missing


def some(names: Sequence[str], limit: int = 5) -> str:
    """Return the first names of a list as text.

    Args:
        names: The names.
        limit: Maximum number of names.

    Returns:
        The names, with an ellipsis if there are more.
    """
    return ', '.join(names[:limit]) + (', ...' if len(names) > limit else '')


def _files(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}
