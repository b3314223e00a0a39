"""Draw a small part of a Sewer-ML table, with a quota for each class.

The same as ``mmdsr convert subset``.
"""

import sys

from mmdsr.cli.convert.subset import main

if __name__ == '__main__':
    sys.exit(main())
