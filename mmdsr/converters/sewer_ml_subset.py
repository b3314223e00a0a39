"""Draw a small, seeded part of a Sewer-ML table."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmdsr.datasets.sewer_ml_csv import LABEL_SETS, read_rows, write_rows
from mmdsr.io.listing import missing_files


def make_subset(
    table: Path | str,
    out: Path | str,
    per_class: int = 50,
    normal: int = 50,
    label_set: str = '15',
    seed: int = 0,
    images: Path | str | None = None,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write a table with a quota of images for each class.

    The classes take turns from the rarest to the most frequent. Each draws
    images at random until it has ``per_class``. Images drawn for earlier
    classes count, too, as an image may show several classes. Frequent classes
    may thus end above their quota; a class with fewer images in the table gets
    all of them. Then ``normal`` images without any defect are drawn. Images
    that show only classes outside ``label_set`` are never drawn.

    Which images are drawn depends on the names and labels in the table and
    on the seed, not on the order of the rows. The rows that are kept keep
    their order.

    Args:
        table: A table as described in :mod:`mmdsr.datasets.sewer_ml_csv`.
        out: Path of the new table.
        per_class: Number of images for each class.
        normal: Number of images without a defect.
        label_set: Set of classes, ``'17'`` or ``'15'``.
        seed: Seed of the draw.
        images: Draw only from the images in this folder.
        overwrite: Replace an existing file.

    Returns:
        Numbers of images: ``'images'``, all in the new table; those of each
        class; and ``'ND'``, those without a defect.

    Raises:
        ValueError: If an argument or the table does not fit, or no image is
            left.
        FileExistsError: If ``out`` exists.
        FileNotFoundError: If there is no such table or folder.
    """
    table, out = Path(table), Path(out)
    _check(table, out, per_class, normal, label_set, overwrite)
    codes = LABEL_SETS[label_set]
    # Keep only the labels: all rows of a table take a gigabyte.
    labels = {
        row['Filename']: tuple(c for c in (*codes, 'Defect') if row[c] == '1')
        for row in read_rows(table)
    }
    if images is not None:
        for name in missing_files(images, list(labels)):
            del labels[name]
    kept = _draw(labels, codes, per_class, normal, seed)
    if not kept:
        raise ValueError(f'{table} leaves no image to draw from.')
    rows = (row for row in read_rows(table) if row['Filename'] in kept)
    write_rows(out, rows)
    counts = Counter(code for name in kept for code in labels[name])
    counts['ND'] = len(kept) - counts.pop('Defect', 0)
    return {
        'images': len(kept),
        **{code: counts[code] for code in (*codes, 'ND')},
    }


def _draw(
    labels: Mapping[str, Sequence[str]],
    codes: Iterable[str],
    per_class: int,
    normal: int,
    seed: int,
) -> set[str]:
    """Draw names; see :func:`make_subset`."""
    names = sorted(labels)
    random.Random(seed).shuffle(names)
    members: dict[str, list[str]] = {code: [] for code in codes}
    free = []
    for name in names:
        for code in labels[name]:
            if code != 'Defect':
                members[code].append(name)
        if 'Defect' not in labels[name]:
            free.append(name)
    kept = set()
    for code in sorted(codes, key=lambda c: (len(members[c]), c)):
        fresh = [name for name in members[code] if name not in kept]
        lacking = per_class - (len(members[code]) - len(fresh))
        kept.update(fresh[: max(lacking, 0)])
    kept.update(free[:normal])
    return kept


def _check(
    table: Path,
    out: Path,
    per_class: int,
    normal: int,
    label_set: str,
    overwrite: bool,
) -> None:
    if per_class < 0 or normal < 0:
        raise ValueError(
            f'The quotas must be >= 0, not {per_class} and {normal}.'
        )
    if label_set not in ('15', '17'):
        raise ValueError(f"label_set must be '15' or '17', not {label_set!r}.")
    if out.exists() and table.exists() and out.samefile(table):
        raise FileExistsError(
            f'{out} is the table itself: choose another name.'
        )
    if out.is_dir() or (out.exists() and not overwrite):
        raise FileExistsError(
            f'{out} already exists: allow overwriting (--overwrite) or choose '
            'another name.'
        )
