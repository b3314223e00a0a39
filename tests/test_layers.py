"""Imports point downwards and never in circles; pyproject.toml says how."""

from pathlib import Path

from importlinter.cli import lint_imports

CONTRACTS = Path(__file__).parents[1] / 'pyproject.toml'


def test_imports_keep_to_the_layers(capsys):
    code = lint_imports(
        config_filename=str(CONTRACTS), no_cache=True, no_logo=True
    )
    assert code == 0, capsys.readouterr().out
