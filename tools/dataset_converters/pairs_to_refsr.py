"""Convert a published data set of image pairs to the layout of mmdsr.

The same as ``mmdsr convert pairs``.
"""

import sys

from mmdsr.cli.convert.pairs import main

if __name__ == '__main__':
    sys.exit(main())
