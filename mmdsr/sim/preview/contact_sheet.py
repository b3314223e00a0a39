"""A picture of samples in rows: image, depth, labels, reference."""

from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.io.depth_colors import color_nearness

Color = tuple[int, int, int]
"""RGB, 0 to 255."""

NEAR, FAR = 0.1, 30.0
"""Depths at the two ends of the color scale, meters."""

GAP, TITLE, CAPTION = 6, 26, 22
INK, PAPER, QUIET = (235, 235, 235), (24, 24, 24), (150, 150, 150)

# The colors of Okabe and Ito, which are safe for the color-blind, then others.
COLORS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (140, 86, 75),
    (255, 255, 255),
    (127, 255, 0),
    (255, 0, 255),
    (170, 170, 255),
)


class Mark(NamedTuple):
    """Something labeled in an image.

    Attributes:
        name: Its class.
        mask: Boolean ``(H, W)``.
        box: ``(x, y, width, height)`` in pixels.
    """

    name: str
    mask: np.ndarray
    box: tuple[int, int, int, int]


class Row(NamedTuple):
    """The pictures of a sample.

    Attributes:
        caption: Text under the image.
        image: uint8 RGB ``(H, W, 3)``.
        depth: Meters ``(h, w)``, NaN unknown, or None.
        marks: What is labeled, None if there are no masks.
        labels: Names of classes of the whole image, None if there are none.
        ref: uint8 RGB ``(H, W, 3)``.
        lr: uint8 RGB, the low-resolution image, or None; shown where there
            are no labels.
        beside: Another image to compare with, or None.
    """

    caption: str
    image: np.ndarray
    depth: np.ndarray | None
    marks: list[Mark] | None
    labels: list[str] | None
    ref: np.ndarray
    lr: np.ndarray | None = None
    beside: np.ndarray | None = None


def contact_sheet(rows: Sequence[Row], width: int = 320) -> np.ndarray:
    """Draw samples in rows.

    Args:
        rows: At least one; images of any size.
        width: Width of a cell in pixels.

    Returns:
        uint8 RGB. Columns: image, depth, labels or low resolution, reference,
        and ``beside`` if any row has it.

    Raises:
        ValueError: If there is no row or the cells are too narrow to read.
    """
    if not rows:
        raise ValueError('there is no sample to show')
    if width < 96:
        raise ValueError(f'cells must be at least 96 pixels wide, not {width}')
    labeled = any(
        row.marks is not None or row.labels is not None for row in rows
    )
    titles = [
        'image',
        f'depth, {NEAR:g} to {FAR:g} m',
        'labels' if labeled else 'low resolution',
        'reference',
    ]
    if any(row.beside is not None for row in rows):
        titles.append('beside')
    names = {mark.name for row in rows for mark in row.marks or ()}
    colors = dict(zip(sorted(names), cycle(COLORS), strict=False))
    sheet = [_titles(titles, width)]
    for row in rows:
        cells = [
            _fit(row.image, width),
            _depth_cell(row, width),
            _label_cell(row, width, colors),
            _fit(row.ref, width),
        ]
        if len(titles) > len(cells):
            cells.append(_beside_cell(row, width))
        sheet.append(_line(cells, width))
        sheet.append(_caption(row.caption, len(titles), width))
    return np.concatenate(sheet)


def nearness(depth: np.ndarray) -> np.ndarray:
    """Return the nearness of each pixel, by the logarithm of its depth.

    Args:
        depth: Meters ``(H, W)``, NaN unknown.

    Returns:
        Float ``(H, W)``; 0 is FAR, 1 is NEAR, NaN is unknown.
    """
    known = np.where(depth > 0, depth, np.nan)
    return np.log(FAR / known) / np.log(FAR / NEAR)


def draw_marks(
    image: np.ndarray,
    marks: Sequence[Mark],
    colors: dict[str, Color],
) -> np.ndarray:
    """Draw masks, boxes and class names over an image.

    Args:
        image: uint8 RGB ``(H, W, 3)``; left unchanged.
        marks: What to draw.
        colors: RGB of each class.

    Returns:
        uint8 RGB ``(H, W, 3)``.
    """
    drawn = image.copy()
    for mark in marks:
        ink = colors[mark.name]
        drawn[mark.mask] = 0.5 * drawn[mark.mask] + 0.5 * np.array(ink)
        x, y, width, height = mark.box
        corner = (x + width - 1, y + height - 1)
        cv2.rectangle(drawn, (x, y), corner, ink, 1)
        _write(drawn, mark.name, (x, max(y - 4, 12)), ink)
    return drawn


def _fit(image: np.ndarray, width: int) -> np.ndarray:
    height, full = image.shape[:2]
    size = (width, max(1, round(height * width / full)))
    shrinks = width < full
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=how)


def _depth_cell(row: Row, width: int) -> np.ndarray:
    if row.depth is None:
        return _empty(row, width, 'no depth')
    size = _fit(row.image, width).shape[1::-1]
    colors = color_nearness(nearness(row.depth))
    return cv2.resize(colors, size, interpolation=cv2.INTER_NEAREST)


def _label_cell(row: Row, width: int, colors: dict[str, Color]) -> np.ndarray:
    if row.marks is not None:
        # Drawn at the size of the cell: lines and text stay sharp.
        image = _fit(row.image, width)
        zoom = width / row.image.shape[1]
        marks = [_scale(mark, zoom, image) for mark in row.marks]
        return draw_marks(image, marks, colors)
    if row.labels is not None:
        cell = (0.35 * _fit(row.image, width)).astype(np.uint8)
        for i, name in enumerate(row.labels or ['no defect']):
            _write(cell, name, (10, 24 + 20 * i), INK)
        return cell
    if row.lr is not None:
        size = _fit(row.image, width).shape[1::-1]
        return cv2.resize(row.lr, size, interpolation=cv2.INTER_NEAREST)
    return _empty(row, width, 'no labels')


def _scale(mark: Mark, zoom: float, image: np.ndarray) -> Mark:
    size = image.shape[1::-1]
    mask = cv2.resize(
        mark.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
    )
    x, y, wide, high = (round(side * zoom) for side in mark.box)
    return Mark(mark.name, mask > 0, (x, y, wide, high))


def _beside_cell(row: Row, width: int) -> np.ndarray:
    if row.beside is None:
        return _empty(row, width, 'none')
    return _fit(row.beside, width)


def _empty(row: Row, width: int, text: str) -> np.ndarray:
    cell = np.full_like(_fit(row.image, width), 40)
    _write(cell, text, (10, 24), QUIET)
    return cell


def _line(cells: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Put cells, which may differ in height, side by side."""
    height = max(cell.shape[0] for cell in cells)
    gap = np.full((height, GAP, 3), PAPER, np.uint8)
    parts = [gap]
    for cell in cells:
        part = np.full((height, width, 3), PAPER, np.uint8)
        part[: cell.shape[0]] = cell
        parts += [part, gap]
    return np.concatenate(parts, axis=1)


def _titles(titles: Sequence[str], width: int) -> np.ndarray:
    strip = _strip(len(titles), width, TITLE)
    for i, title in enumerate(titles):
        _write(strip, title, (GAP + i * (width + GAP), 18), INK)
    return strip


def _caption(text: str, columns: int, width: int) -> np.ndarray:
    strip = _strip(columns, width, CAPTION)
    _write(strip, text, (GAP, 14), QUIET)
    return strip


def _strip(columns: int, width: int, height: int) -> np.ndarray:
    full = GAP + columns * (width + GAP)
    return np.full((height, full, 3), PAPER, np.uint8)


def _write(
    image: np.ndarray, text: str, place: tuple[int, int], color: Color
) -> None:
    # OpenCV's font has ASCII only.
    plain = text.encode('ascii', 'replace').decode()
    font = cv2.FONT_HERSHEY_SIMPLEX
    for ink, thick in (((0, 0, 0), 3), (color, 1)):
        cv2.putText(image, plain, place, font, 0.45, ink, thick, cv2.LINE_AA)
