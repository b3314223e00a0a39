"""Find the flow of every sample of a data set once, and keep it beside it.

The same as ``mmdsr convert alignment``.
"""

import sys

from mmdsr.cli.convert.alignment import main

if __name__ == '__main__':
    sys.exit(main())
