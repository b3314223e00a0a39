"""Write simulated images and a recording to a folder, as inputs to try."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mmdsr.errors import said_by
from mmdsr.samples import copy_samples


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument('target', metavar='OUT', help='the folder')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    try:
        paths = copy_samples(args.target)
    except OSError as error:
        print(f'Error: {said_by(error)}', file=sys.stderr)
        return 2
    frame, _, _, recording = map(shlex.quote, map(str, paths))
    folder, film = (
        shlex.quote(str(Path(args.target, name)))
        for name in ('enhanced', 'enhanced.mp4')
    )
    print(f'{len(paths)} files are in {args.target}. Next, for example:')
    print(f'  mmdsr enhance {frame} {folder}')
    print(f'  mmdsr enhance {recording} {film}')
    return 0
