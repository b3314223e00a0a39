"""Locate the image pairs of published data sets."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdsr.io.frames import (
    SUFFIXES,
    clean_name,
    shown,
)
from mmdsr.io.layout import SPLITS
from mmdsr.io.listing import natural_order

CUFED_LEVELS = (1, 2, 3, 4, 5)
"""References of CUFED5; 1 is the most similar."""

DEPTH_SUFFIXES = {'.npy', '.png'}


@dataclass
class Pair:
    """An image with its reference, which becomes a sample.

    Attributes:
        split: ``'train'`` or ``'test'``.
        stem: Name of the sample.
        hr: The image at full size.
        refs: Its reference; several are stacked vertically.
        depth: Depth of ``hr``.
        depth_ref: Depth of the reference.
    """

    split: str
    stem: str
    hr: Path
    refs: list[Path]
    depth: Path | None = None
    depth_ref: Path | None = None


def find_deep_sewer(
    root: Path | str, by: str = 'stem', depth: bool = True
) -> list[Pair]:
    """List the pairs of the Deep Sewer set in its released layout.

    ``ROOT/{train,test}/{raw,depth}/{input,ref}``; ``depth`` may be missing.

    Args:
        root: Root of the set.
        by: Whether an image and its reference have the same ``'stem'`` or the
            same position in natural ``'order'``.
        depth: Whether to look for depth maps, which have the stems of their
            images.

    Returns:
        The pairs of both splits.

    Raises:
        FileNotFoundError: If a folder is missing, or there is no split.
        ValueError: If images have no partner, or two would get one name.
    """
    root, pairs = Path(root), []
    for split in SPLITS:
        raw = root / split / 'raw'
        if not raw.is_dir():
            continue
        maps = [
            _files(root / split / 'depth' / name, DEPTH_SUFFIXES)
            if depth and (root / split / 'depth' / name).is_dir()
            else {}
            for name in ('input', 'ref')
        ]
        for hr, ref in _match(raw / 'input', raw / 'ref', by):
            run, frame = _split_name(hr.stem)
            pairs.append(
                Pair(
                    split,
                    # The splits of the release are kept, so a run that is in
                    # both needs two names.
                    f'{clean_name("-".join(filter(None, [split, run])))}'
                    f'_{frame}',
                    hr,
                    [ref],
                    maps[0].get(hr.stem),
                    maps[1].get(ref.stem),
                )
            )
    if not pairs:
        raise FileNotFoundError(
            f'{root} has no images in train/raw/input or test/raw/input.'
        )
    return pairs


def find_cufed(
    root: Path | str, references: Sequence[int] | str = (1,)
) -> list[Pair]:
    """List the pairs of CUFED and CUFED5.

    The training split is ``ROOT/train/{input,ref}``, paired by stem; the
    test split ``ROOT/test/CUFED5`` or ``ROOT/CUFED5`` with ``NNN_0.png`` and
    its references ``NNN_1.png`` to ``NNN_5.png``. Either may be missing.

    Args:
        root: Root of the set.
        references: Which of the five references of the test images to use;
            each gives a sample. ``'stacked'`` gives one sample with all five
            as one tall image.

    Returns:
        The pairs of both splits.

    Raises:
        FileNotFoundError: If there is neither split.
        ValueError: If an image has no partner.
    """
    root, pairs = Path(root), []
    if (root / 'train' / 'input').is_dir():
        pairs += [
            Pair('train', f'cufed-{clean_name(hr.stem)}_0', hr, [ref])
            for hr, ref in _match(
                root / 'train' / 'input', root / 'train' / 'ref', 'stem'
            )
        ]
    for folder in (root / 'test' / 'CUFED5', root / 'CUFED5'):
        if folder.is_dir():
            pairs += _cufed5(folder, references)
            break
    if not pairs:
        raise FileNotFoundError(
            f'{root} has no images in train/input or test/CUFED5.'
        )
    return pairs


def _split_name(stem: str) -> tuple[str, str]:
    """Split the stem of a file into the names of its run and frame."""
    parts = re.fullmatch(r'(.*?)[\W_]*([0-9]*)', stem, re.S)
    if parts is None or not parts[2]:
        return stem, '0'
    return parts[1], parts[2]


def _match(inputs: Path, refs: Path, by: str) -> list[tuple[Path, Path]]:
    """Pair the images of two folders."""
    if by not in ('stem', 'order'):
        raise ValueError(f"by must be 'stem' or 'order', not {by!r}.")
    one, other = _files(inputs, SUFFIXES), _files(refs, SUFFIXES)
    if by == 'order':
        if len(one) != len(other):
            raise ValueError(
                f'{inputs} contains {len(one)} images and {refs} '
                f'{len(other)}: only equal numbers can be paired in order.'
            )
        return list(zip(one.values(), other.values(), strict=True))
    alone = [shown(one[stem]) for stem in one if stem not in other]
    alone += [shown(other[stem]) for stem in other if stem not in one]
    if alone:
        more = ', ...' if len(alone) > 5 else ''
        raise ValueError(
            f'{len(alone)} images have no partner with the same stem in '
            f'{inputs} and {refs}: {", ".join(alone[:5])}{more}.'
        )
    return [(path, other[stem]) for stem, path in one.items()]


def _files(folder: Path, suffixes: Container[str]) -> dict[str, Path]:
    """Map the stems in a folder to their files, in natural order."""
    if not folder.is_dir():
        raise FileNotFoundError(f'There is no folder {folder}.')
    found: dict[str, Path] = {}
    for path in natural_order(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith('.'):
            continue
        if path.stem in found:
            raise ValueError(
                f'{shown(path)} has the stem of '
                f'{shown(found[path.stem].name)}: remove one.'
            )
        found[path.stem] = path
    return found


def _cufed5(folder: Path, references: Sequence[int] | str) -> list[Pair]:
    levels = CUFED_LEVELS if references == 'stacked' else tuple(references)
    if not levels or not set(levels) <= set(CUFED_LEVELS):
        raise ValueError(
            f"references must be numbers of {CUFED_LEVELS} or 'stacked', not "
            f'{references!r}.'
        )
    files, pairs = _files(folder, SUFFIXES), []
    for stem, hr in files.items():
        name, _, number = stem.rpartition('_')
        if number != '0' or not name:
            continue
        lacking = [n for n in levels if f'{name}_{n}' not in files]
        if lacking:
            raise ValueError(
                f'{shown(hr)} lacks its references '
                f'{", ".join(f"{name}_{n}" for n in lacking)}.'
            )
        refs = {n: files[f'{name}_{n}'] for n in levels}
        run = f'cufed5-{clean_name(name)}'
        if references == 'stacked':
            pairs.append(Pair('test', f'{run}_all', hr, list(refs.values())))
        else:
            pairs += [
                Pair('test', f'{run}_{n}', hr, [ref])
                for n, ref in refs.items()
            ]
    if not pairs:
        raise ValueError(
            f'{folder} contains no NNN_0.png with references NNN_1.png ...'
        )
    return pairs
