"""Draw the layer diagram of the documentation from the imports.

The rows come from the contracts in ``pyproject.toml``, the arrows from the
imports that grimp finds. Arrows implied by others are omitted: if ``a``
imports ``b`` and ``c``, and ``b`` imports ``c``, no arrow is drawn from ``a``
to ``c``. Arrows to common foundations are omitted, too.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import grimp
import networkx
import numpy as np
from importlinter.api import read_configuration

_BOX = 112
_COLUMN = 68
"""Half the distance of two boxes, which is the column of the grid."""
_COLUMNS = 11
_ROW = 58
_COLORS = {
    'models': ('#eaf4ea', '#4d8a4d'),
    'base': ('#f2f2f2', '#777'),
    'other': ('#e8eef7', '#4a6fa5'),
}
#: Common foundations, which every package may import.
_BASE = ('registry', 'io', 'extras', 'workers', 'errors', 'version')
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    'font-family="Helvetica, Arial, sans-serif" font-size="13">\n'
    '<title>The packages of mmdsr; arrows point to imported packages</title>\n'
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
    'markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" fill="#999"/></marker></defs>\n'
    '<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>\n'
)


def read_rows(contracts: Path | str) -> list[list[str]]:
    """Read the layers.

    Args:
        contracts: The ``pyproject.toml``.

    Returns:
        Names of packages below ``mmdsr`` per row, from above to below; the
        packages of ``models`` each by itself.
    """
    options = read_configuration(str(contracts))['contracts_options']
    layers = {
        option['containers'][0]: [row.split(' | ') for row in option['layers']]
        for option in options
        if option['type'] == 'layers'
    }
    rows = []
    for row in layers['mmdsr']:
        if row == ['models']:
            rows += [
                [f'models.{name}' for name in inner]
                for inner in layers['mmdsr.models']
            ]
        else:
            rows.append(row)
    return rows


def read_imports(rows: list[list[str]]) -> list[tuple[str, str]]:
    """Find the imports between packages.

    Args:
        rows: Result of :func:`read_rows`.

    Returns:
        Importer and imported package, without imports that follow from others
        and those of common foundations.
    """
    graph = grimp.build_graph('mmdsr', cache_dir=None)
    names = [name for row in rows for name in row if name not in _BASE]
    edges = networkx.DiGraph()
    edges.add_nodes_from(names)
    for name in names:
        for other in names:
            if name != other and graph.direct_import_exists(
                importer=f'mmdsr.{name}',
                imported=f'mmdsr.{other}',
                as_packages=True,
            ):
                edges.add_edge(name, other)
    return sorted(networkx.transitive_reduction(edges).edges)


def arrange(
    rows: list[list[str]], imports: list[tuple[str, str]]
) -> dict[str, tuple[int, int]]:
    """Choose the columns: short arrows that cross few boxes.

    Starting from the middle, each box in turn moves to its best column, until
    none moves.

    Args:
        rows: Result of :func:`read_rows`.
        imports: Result of :func:`read_imports`.

    Returns:
        Column and row per package.
    """
    places = {}
    for number, row in enumerate(rows):
        first = _COLUMNS // 2 - len(row) + 1
        for place, name in enumerate(row):
            places[name] = first + 2 * place, number
    moved = True
    while moved:
        moved = False
        for name, (column, line) in list(places.items()):
            taken = [
                c for n, (c, r) in places.items() if r == line and n != name
            ]
            trials = {
                trial: _cost({**places, name: (trial, line)}, imports)
                for trial in range(_COLUMNS)
                if all(abs(trial - other) > 1 for other in taken)
            }
            best = min(trials, key=trials.__getitem__)
            if trials[best] < trials[column]:
                places[name], moved = (best, line), True
    return places


def _cost(
    places: Mapping[str, tuple[int, int]], imports: Iterable[tuple[str, str]]
) -> float:
    """Columns that the arrows span, and ten for each box in their way."""
    boxes = np.array(list(places.values()), float)
    t = np.linspace(0, 1, 33)[1:-1]
    cost = 0.0
    for one, other in imports:
        (x0, y0), (x1, y1) = places[one], places[other]
        x = x0 + (x1 - x0) * t * t * (3 - 2 * t)
        # A curve that leaves and arrives upright.
        y = y0 + (y1 - y0) * (1.5 * t * (1 - t) + t**3)
        near = (abs(boxes[:, :1] - x) < 0.9) & (abs(boxes[:, 1:] - y) < 0.3)
        ends = [name in (one, other) for name in places]
        cost += abs(x1 - x0) + 10 * int((near.any(1) & ~np.array(ends)).sum())
    return cost


def draw(rows: list[list[str]], imports: list[tuple[str, str]]) -> str:
    """Draw the packages and their imports.

    Args:
        rows: Result of :func:`read_rows`.
        imports: Result of :func:`read_imports`.

    Returns:
        The picture as SVG.
    """
    places = {
        name: (76 + _COLUMN * column, 30 + _ROW * row)
        for name, (column, row) in arrange(rows, imports).items()
    }
    width = 2 * 76 + _COLUMN * (_COLUMNS - 1)
    parts = [_HEAD.format(width=width, height=60 + _ROW * (len(rows) - 1))]
    parts += [_arrow(places[one], places[other]) for one, other in imports]
    parts += [_box(name, *place) for name, place in places.items()]
    return ''.join(parts) + '</svg>\n'


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x0, y0), (x1, y1) = (start[0], start[1] + 15), (end[0], end[1] - 16)
    bend = (y1 - y0) / 2
    return (
        f'<path d="M{x0:g} {y0:g} C{x0:g} {y0 + bend:g} {x1:g} '
        f'{y1 - bend:g} {x1:g} {y1:g}" fill="none" stroke="#999" '
        'marker-end="url(#tip)"/>\n'
    )


def _box(name: str, x: float, y: float) -> str:
    group = name.split('.')[0]
    group = 'base' if group in _BASE else group
    fill, stroke = _COLORS.get(group, _COLORS['other'])
    return (
        f'<rect x="{x - _BOX / 2:g}" y="{y - 15:g}" width="{_BOX}" '
        f'height="30" rx="5" fill="{fill}" stroke="{stroke}"/>\n'
        f'<text x="{x:g}" y="{y + 4:g}" text-anchor="middle" fill="#111">'
        f'{name.removeprefix("models.")}</text>\n'
    )
