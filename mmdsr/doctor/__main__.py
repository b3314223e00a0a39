import sys

from mmdsr.doctor.command import main

if __name__ == '__main__':
    sys.exit(main())
