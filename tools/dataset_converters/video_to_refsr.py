"""Turn inspection videos into a super-resolution data set.

The same as ``mmdsr convert video``.
"""

import sys

from mmdsr.cli.convert.video import main

if __name__ == '__main__':
    sys.exit(main())
