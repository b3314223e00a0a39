"""Make pairs with exactly known flow from any folder of photographs.

The same as ``mmdsr convert photos``.
"""

import sys

from mmdsr.cli.convert.photos import main

if __name__ == '__main__':
    sys.exit(main())
