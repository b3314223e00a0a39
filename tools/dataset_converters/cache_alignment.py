"""Compute the flow of every sample of a data set once and store it.

The same as ``mmdsr convert alignment``.
"""

import sys

from mmdsr.cli.convert.alignment import main

if __name__ == '__main__':
    sys.exit(main())
