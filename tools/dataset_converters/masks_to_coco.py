"""Make boxes and instance masks (COCO JSON) from masks of class ids.

The same as ``mmdsr convert masks``.
"""

import sys

from mmdsr.cli.convert.masks import main

if __name__ == '__main__':
    sys.exit(main())
