import sys

from mmdsr.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
