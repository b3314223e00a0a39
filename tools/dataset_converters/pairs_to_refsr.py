"""Turn a published data set of image pairs into our layout.

The same as ``mmdsr convert pairs``.
"""

import sys

from mmdsr.cli.convert.pairs import main

if __name__ == '__main__':
    sys.exit(main())
