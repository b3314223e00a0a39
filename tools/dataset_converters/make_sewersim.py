"""Simulate sewer camera runs as a data set, or check one.

The same as ``mmdsr simulate``.
"""

import sys

from mmdsr.cli.simulate import main

if __name__ == '__main__':
    sys.exit(main())
