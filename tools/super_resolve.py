"""Super-resolve an image or a folder of images into a folder of PNG files.

The same as ``mmdsr enhance``.
"""

import sys

from mmdsr.cli.enhance import main

if __name__ == '__main__':
    sys.exit(main())
