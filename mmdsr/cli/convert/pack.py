"""Copy a super-resolution data set so that its images need no decoding.

The copy holds the same pixels as uncompressed images: it takes two to three
times the space, and loading takes a third of the time. Train on it with
train_dataloader.dataset.data_root=OUT. See docs/loading.md for when this
pays off.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mmdsr.datasets.packed import pack
from mmdsr.io.console import plain_console


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('data_root', help='data set')
    parser.add_argument('out', help='copy to be made')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a data set at OUT'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    columns = (
        TextColumn('files'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=plain_console(stderr=True)) as bar:
            task = bar.add_task('files', total=None)
            out = pack(
                args.data_root,
                args.out,
                overwrite=args.overwrite,
                progress=lambda done, total: bar.update(
                    task, completed=done, total=total
                ),
            )
    except (ValueError, OSError) as error:
        print(f'Error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            'Interrupted: repeat the command to resume.',
            file=sys.stderr,
        )
        return 130
    print(f'{out} is a copy of {args.data_root} without compression')
    return 0
