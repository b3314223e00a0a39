"""Turn folders of video frames into a super-resolution data set.

The same as ``mmdsr convert frames``.
"""

import sys

from mmdsr.cli.convert.frames import main

if __name__ == '__main__':
    sys.exit(main())
