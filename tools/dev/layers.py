"""Draw the layers of the package from its imports, for the documentation.

Example:
    python tools/dev/layers.py
    python tools/dev/layers.py --check
"""

import argparse
import sys
from pathlib import Path

from mmdsr.dev.layers import draw, read_imports, read_rows

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / 'docs/_static/layers.svg'


def main() -> int:
    """Draw, or compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--check',
        action='store_true',
        help='write nothing; the exit code is 1 if the picture is out of date',
    )
    args = parser.parse_args()
    rows = read_rows(ROOT / 'pyproject.toml')
    picture = draw(rows, read_imports(rows))
    if not args.check:
        PICTURE.write_text(picture, encoding='utf-8')
    elif PICTURE.read_text(encoding='utf-8') != picture:
        print(f'{PICTURE} is out of date: run "python tools/dev/layers.py".')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
