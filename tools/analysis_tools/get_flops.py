"""Print the parameters and the cost of a config's network."""

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mmdsr.analysis.flops import (
    CONVENTIONS,
    cost_parts,
    count_cost,
    example_inputs,
)
from mmdsr.engine.generator import build_generator
from mmdsr.engine.launch import load_config
from mmdsr.engine.options import add_options_argument
from mmdsr.errors import UsageError


def parse_args(argv: Sequence[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config with a model.generator')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        default=(128, 128),
        metavar=('H', 'W'),
        help='size of LR; Ref is four times larger (default: 128 128, the '
        "size of the paper's Table 2)",
    )
    parser.add_argument(
        '--convention',
        choices=CONVENTIONS,
        help='macs: what our code executes; masa: the convention of the '
        'paper (default: both)',
    )
    add_options_argument(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    try:
        cfg = load_config(args.config, args.cfg_options)
        net = build_generator(cfg).eval()
        inputs = example_inputs(net, *args.shape)
        conventions = [args.convention] if args.convention else CONVENTIONS
        counts = {c: count_cost(net, inputs, c) for c in conventions}
    except (UsageError, FileNotFoundError, ValueError) as error:
        print(f'get_flops.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    params = {
        name: sum(p.numel() for p in part.parameters())
        for name, part in cost_parts(net).items()
    }
    columns = {'macs': 'MACs as run (G)', 'masa': 'masa convention (G)'}
    height, width = args.shape
    table = Table(
        title=f'{args.config}, LR {height}x{width}, '
        f'Ref {4 * height}x{4 * width}'
    )
    table.add_column('part')
    for title in ('params', *(columns[c] for c in conventions)):
        table.add_column(title, justify='right')
    for name in [*params, 'other']:
        table.add_row(
            name,
            f'{params.get(name, 0):,}',
            *(f'{counts[c].get(name, 0) / 1e9:.3f}' for c in conventions),
        )
    table.add_section()
    table.add_row(
        'total',
        f'{sum(params.values()):,}',
        *(f'{sum(counts[c].values()) / 1e9:.3f}' for c in conventions),
    )
    Console().print(table)


if __name__ == '__main__':
    main()
