"""The command line of the doctor, which starts in an empty environment."""

import argparse
import shlex
import sys
from collections.abc import Sequence


def main(
    argv: Sequence[str] | None = None, prog: str = 'python -m mmdsr.doctor'
) -> int:
    """Run the command line; return the exit code."""
    try:
        import packaging.requirements  # noqa: F401
    except ImportError:
        python = shlex.quote(sys.executable)
        print(
            f'{prog}: packaging, which compares versions, is missing. Install '
            f'it first: {python} -m pip install packaging',
            file=sys.stderr,
        )
        return 1
    from mmdsr.doctor.lane import HOSTS, read_lane
    from mmdsr.doctor.report import examine, report

    parser = argparse.ArgumentParser(
        prog=prog,
        description='Check the environment against the version lane; the exit '
        'code is 1 if something will not work.',
    )
    parser.add_argument(
        '--for',
        dest='part',
        default='all',
        choices=[*HOSTS, 'all'],
        help='the part of mmdsr that should work (default: all)',
    )
    args = parser.parse_args(argv)
    parts = list(HOSTS) if args.part == 'all' else [args.part]
    try:
        lane = read_lane()
    except (OSError, ValueError) as error:
        print(f'{prog}: {error}', file=sys.stderr)
        return 1
    print('Trying the imports, up to a minute ...', file=sys.stderr)
    return report(examine(parts, lane))
