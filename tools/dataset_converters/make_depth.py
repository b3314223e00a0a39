"""Make depth maps for frames, or for a data set that lacks them.

The same as ``mmdsr convert depth``.
"""

import sys

from mmdsr.cli.convert.depth import main

if __name__ == '__main__':
    sys.exit(main())
