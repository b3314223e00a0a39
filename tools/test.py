"""Evaluate a checkpoint on the test data of a config.

The same as ``mmdsr test``.
"""

import sys

from mmdsr.cli.test import main

if __name__ == '__main__':
    sys.exit(main())
