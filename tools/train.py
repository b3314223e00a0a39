"""Train a model.

The same as ``mmdsr train``.
"""

import sys

from mmdsr.cli.train import main

if __name__ == '__main__':
    sys.exit(main())
