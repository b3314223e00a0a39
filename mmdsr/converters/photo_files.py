"""Select photographs: licenses, sharpness and splits."""

import csv
import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdsr.io.frames import (
    SUFFIXES,
    clean_name,
    frame_name,
    read_rgb,
    real_path,
    shown,
    walk_folders,
)
from mmdsr.io.images import short_reason
from mmdsr.io.listing import natural_order

ATTRIBUTION = 'ATTRIBUTION.csv'

LICENSES = {
    'CC0': r'\bCC-?0\b',
    'CC-BY': r'\bCC-BY\b(?!-(SA|NC|ND))',
    'CC-BY-SA': r'\bCC-BY-SA\b',
    'MIT': r'\b(MIT|EXPAT)\b',
    'BSD-2-Clause': r'\bBSD-2\b',
    'public domain': r'\bPUBLIC-DOMAIN\b',
}
"""Licenses that allow training weights for publication."""


@dataclass(frozen=True)
class Gate:
    """Requirements for a crop to be used.

    Attributes:
        sharpness: Minimum standard deviation of the Laplacian, relative to
            that of the crop at half its size, independent of contrast. About 1
            for a sharp picture of nature, 0.35 for one blurred by 1.5 pixels.
        detail: Minimum standard deviation of the detail lost by reduction by
            4, in gray levels. Flat sky has less than 1.
    """

    sharpness: float = 0.55
    detail: float = 2.0


@dataclass
class Photo:
    """One photograph.

    Attributes:
        path: The file.
        name: Name of its run.
        row: Its row of the attribution file.
        scene: Scene; all photographs of a scene are in one split.
        origins: ``(x, y)`` of the crops that pass the gate, found by `survey`.
        looked: Number of measured crops.
        soft: Number of crops that were not sharp.
        flat: Number of sharp crops without detail.
        problem: Why it cannot be used, '' if it can.
    """

    path: Path
    name: str
    row: dict = field(default_factory=dict)
    scene: str = ''
    origins: list[tuple[int, int]] = field(default_factory=list)
    looked: int = 0
    soft: int = 0
    flat: int = 0
    problem: str = ''


def license_of(text: str) -> str | None:
    """Identify a license.

    Args:
        text: Common name, such as ``'CC-BY-4.0'`` or ``'BSD 2 (repository)'``.

    Returns:
        A key of ``LICENSES``, None for any other.
    """
    text = re.sub(r'[\s_-]+', '-', text.upper())
    if re.search(r'\b(NC|ND|NOT|NO|NON)\b', text):
        return None
    for name, pattern in LICENSES.items():
        if re.search(pattern, text):
            return name
    return None


def find_photos(root: Path | str, exclude: Iterable[Path] = ()) -> list[Photo]:
    """List the photographs below a folder.

    Args:
        root: The folder.
        exclude: Folders to leave out.

    Returns:
        The photographs in natural order of their paths.

    Raises:
        FileNotFoundError: If there is no such folder, or no image in it.
        ValueError: If two photographs would get the same name.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'There is no folder {root}.')
    paths = [
        path
        for folder in walk_folders(root, [real_path(path) for path in exclude])
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith('.')
        and not path.is_dir()
    ]
    if not paths:
        raise FileNotFoundError(
            f'{root} contains no images ({", ".join(sorted(SUFFIXES))}).'
        )
    photos: dict[str, Photo] = {}
    for path in natural_order(paths):
        below = path.relative_to(root).parent.parts
        name = clean_name('-'.join([*below, frame_name(path)]))
        if name in photos:
            raise ValueError(
                f'{shown(photos[name].path)} and {shown(path)} would both '
                f'become {name}: rename one.'
            )
        photos[name] = Photo(path, name, scene=name)
    return list(photos.values())


def read_attribution(path: Path | str) -> dict[str, dict[str, str]]:
    """Read the authors and licenses of the photographs.

    Args:
        path: CSV with a header; the columns ``file`` (path below the folder of
            the photographs) and ``licence`` or ``license`` are needed,
            ``scene`` is used, others are kept.

    Returns:
        The row of each file.

    Raises:
        ValueError: If it is not such a file, or lists a file twice.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f'{path} cannot be read: {short_reason(error)}.'
        ) from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    rows = {}
    try:
        columns = set(reader.fieldnames or ())
        if 'file' not in columns or not columns & {'license', 'licence'}:
            raise ValueError(
                f'{path} needs a header with the columns "file" and '
                '"license", and should have "author" and "source", too.'
            )
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f'{path}, line {reader.line_num}: the number of values '
                    'differs from the number of columns in the header.'
                )
            if row['file'] in rows:
                raise ValueError(f'{path} names {row["file"]} twice.')
            rows[row['file']] = row
    except csv.Error as error:
        raise ValueError(
            f'{path}, line {reader.line_num}: {error}.'
        ) from error
    return rows


def attribute(
    photos: list[Photo],
    root: Path | str,
    rows: dict[str, dict[str, Any]],
    exclude: Collection[str] = (),
    any_license: bool = False,
) -> list[Photo]:
    """Assign rows to photographs and determine which may be used.

    Args:
        photos: All photographs; their rows, scenes and, if they may not be
            used, problems are set.
        root: Folder of the photographs.
        rows: Result of :func:`read_attribution`; bytes of a name that are not
            UTF-8 are escaped, as in messages.
        exclude: Names of excluded licenses.
        any_license: Use every photograph, with or without a row.

    Returns:
        The photographs that may be used.
    """
    usable = []
    for photo in photos:
        # As a table in UTF-8 can name it, whatever bytes it has.
        file = shown(photo.path.relative_to(root).as_posix())
        row = rows.get(file)
        photo.row = dict(row or {'file': file})
        if photo.row.get('scene'):
            photo.scene = f'scene {photo.row["scene"]}'
        text = photo.row.get('license') or photo.row.get('licence') or ''
        name = license_of(text)
        if name in exclude:
            photo.problem = f'license {name} is excluded'
        elif row is None and not any_license:
            photo.problem = f'no row in {ATTRIBUTION}'
        elif name is None and not any_license:
            photo.problem = (
                f'license {text!r} is not one of {", ".join(LICENSES)}'
            )
        if not photo.problem:
            usable.append(photo)
    return usable


def load_photo(
    path: Path, halve_above: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Read a photograph.

    Args:
        path: The file.
        halve_above: A photograph whose longer side has more pixels is assumed
            to be soft at full size and is halved.

    Returns:
        The photograph at full size and as used, both ``(H, W, 3)`` uint8, and
        the factor between them, 1 or 2. The full size is cropped to a multiple
        of the factor.

    Raises:
        ValueError: See :func:`mmdsr.io.frames.read_rgb`.
    """
    full, _ = read_rgb(path)
    if max(full.shape) <= halve_above:
        return full, full, 1
    height, width = (side // 2 for side in full.shape[:2])
    full = full[: height * 2, : width * 2]
    small = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
    return full, small, 2


def measure(crop: np.ndarray) -> tuple[float, float]:
    """Measure sharpness and detail of a crop.

    Args:
        crop: ``(H, W, 3)`` uint8 RGB.

    Returns:
        Sharpness and detail, see `Gate`.
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)

    def reduced(factor: int) -> np.ndarray:
        size = [side // factor for side in gray.shape[::-1]]
        return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)

    coarse = cv2.Laplacian(reduced(2), cv2.CV_32F).std()
    fine = cv2.Laplacian(gray, cv2.CV_32F).std()
    again = cv2.resize(
        reduced(4), gray.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    # A crop of a single color has no sharpness at all.
    sharp = fine / coarse if coarse > 0 else 0
    return float(sharp), float((gray - again).std())


def passes(crop: np.ndarray, gate: Gate) -> str:
    """Check whether a crop passes the gate.

    Args:
        crop: ``(H, W, 3)`` uint8 RGB.
        gate: The thresholds.

    Returns:
        ``''`` if it passes, ``'soft'`` or ``'flat'`` if not.
    """
    sharp, detail = measure(crop)
    if detail < gate.detail:
        return 'flat'
    return 'soft' if sharp < gate.sharpness else ''


def survey(
    photo: Photo, size: tuple[int, int], halve_above: int, gate: Gate
) -> Photo:
    """Search a photograph for crops that pass the gate.

    Args:
        photo: Photograph, whose origins and counts, or problem, are set.
        size: Width and height of a crop.
        halve_above: See :func:`load_photo`.
        gate: The thresholds.

    Returns:
        The photograph.
    """
    try:
        _, image, factor = load_photo(photo.path, halve_above)
    except ValueError as error:
        photo.problem = str(error)
        return photo
    room = [image.shape[1] - size[0], image.shape[0] - size[1]]
    if min(room) < 0:
        halved = ' when halved' if factor > 1 else ''
        photo.problem = (
            f'{image.shape[1]}x{image.shape[0]}{halved} is smaller than '
            f'{size[0]}x{size[1]}'
        )
        return photo
    # Crops overlap by half and cover the image.
    steps = [
        np.linspace(0, free, -(-2 * free // side) + 1).astype(int)
        for free, side in zip(room, size, strict=True)
    ]
    for y in steps[1].tolist():
        for x in steps[0].tolist():
            verdict = passes(image[y : y + size[1], x : x + size[0]], gate)
            photo.looked += 1
            photo.soft += verdict == 'soft'
            photo.flat += verdict == 'flat'
            if not verdict:
                photo.origins.append((x, y))
    if not photo.origins:
        photo.problem = (
            'no crop is sharp enough'
            if photo.soft >= photo.flat
            else 'no crop has enough detail'
        )
    return photo


def split_photos(
    photos: list[Photo], test_share: float, seed: int
) -> dict[str, list[Photo]]:
    """Divide photographs into splits by scene.

    Args:
        photos: Usable ones.
        test_share: Share of the scenes in the test split, in [0, 1]; strictly
            between 0 and 1, each split gets at least one scene.
        seed: Seed of the draw.

    Returns:
        The photographs of each split, in their order.

    Raises:
        ValueError: If there are two splits to fill and only one scene.
    """
    scenes = sorted({photo.scene for photo in photos})
    count = round(test_share * len(scenes))
    if 0 < test_share < 1:
        if len(scenes) < 2:
            raise ValueError(
                'The usable photographs show only one scene, which cannot be '
                'in both splits: add others, or request pairs for one split '
                'only.'
            )
        count = min(max(count, 1), len(scenes) - 1)
    order = np.random.default_rng([seed, 1]).permutation(len(scenes))
    test = {scenes[k] for k in order[:count]}
    return {
        'train': [photo for photo in photos if photo.scene not in test],
        'test': [photo for photo in photos if photo.scene in test],
    }


def share_out(photos: list[Photo], pairs: int) -> list[int]:
    """Return how many pairs each photograph yields.

    A scene of n photographs has the weight sqrt(n), as they are similar.

    Args:
        photos: The photographs of a split.
        pairs: All pairs of the split.

    Returns:
        One number per photograph; their sum is ``pairs``.
    """
    scenes = [photo.scene for photo in photos]
    weights = np.array([scenes.count(scene) ** -0.5 for scene in scenes])
    ends = np.rint(weights.cumsum() / weights.sum() * pairs).astype(int)
    return np.diff(ends, prepend=0).tolist()
