"""Imports point downwards and never in circles; pyproject.toml says how."""

import subprocess
import sys
from pathlib import Path

from tool_runs import environment

from mmdsr.dev.layers import draw, read_imports, read_rows

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / 'pyproject.toml'


def test_imports_keep_to_the_layers():
    # In a process of its own: it closes the files of all loggers in its own.
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            'from importlinter import cli; cli.lint_imports_command()',
            '--config',
            str(CONTRACTS),
            '--no-cache',
        ],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '4 kept, 0 broken' in done.stdout


def test_picture_shows_the_imports():
    rows = read_rows(CONTRACTS)
    imports = read_imports(rows)
    height = {name: n for n, row in enumerate(rows) for name in row}
    assert ('analysis', 'engine') in imports
    assert all(height[one] < height[other] for one, other in imports)
    # It follows from what the evaluation imports.
    assert ('engine', 'datasets') not in imports
    picture = (ROOT / 'docs/_static/layers.svg').read_text(encoding='utf-8')
    assert draw(rows, imports) == picture, 'run python tools/dev/layers.py'
