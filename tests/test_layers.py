"""Imports point downwards and never in circles; pyproject.toml says how."""

from pathlib import Path

from importlinter.cli import lint_imports

from mmdsr.dev.layers import draw, read_imports, read_rows

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / 'pyproject.toml'


def test_imports_keep_to_the_layers(capsys):
    code = lint_imports(
        config_filename=str(CONTRACTS), no_cache=True, no_logo=True
    )
    assert code == 0, capsys.readouterr().out


def test_the_picture_shows_what_is_imported():
    rows = read_rows(CONTRACTS)
    imports = read_imports(rows)
    height = {name: n for n, row in enumerate(rows) for name in row}
    assert ('experiments', 'engine') in imports
    assert all(height[one] < height[other] for one, other in imports)
    # It follows from what the evaluation imports.
    assert ('engine', 'datasets') not in imports
    picture = (ROOT / 'docs/_static/layers.svg').read_text(encoding='utf-8')
    assert draw(rows, imports) == picture, 'run python tools/dev/layers.py'
