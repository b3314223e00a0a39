"""Copy a super-resolution data set so that its images need no decoding.

The same as ``mmdsr convert pack``.
"""

import sys

from mmdsr.cli.convert.pack import main

if __name__ == '__main__':
    sys.exit(main())
