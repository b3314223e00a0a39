"""The options of all depth providers on a command line."""

import argparse

from mmdsr.depth.build import PROVIDERS


def add_provider_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--provider`` and the options of all providers.

    Options that are not given are not set, so that the rest of the parsed
    arguments can be handed to :func:`mmdsr.depth.build_provider`, which
    refuses an option of another provider.

    Args:
        parser: The parser.
    """
    parser.add_argument(
        '--provider', required=True, choices=PROVIDERS, help='source of depth'
    )
    group = parser.add_argument_group(
        'options of the providers',
        'pipe: radius, hfov, far, water. file: folder, unit, kind. '
        'transformers: checkpoint, allow-download, output, near, far, device.',
        argument_default=argparse.SUPPRESS,
    )
    group.add_argument(
        '--radius', type=float, help=('radius of the pipe in meters')
    )
    group.add_argument(
        '--hfov', type=float, help='horizontal field of view in degrees'
    )
    group.add_argument('--far', type=float, help='largest depth in meters')
    group.add_argument(
        '--water', choices=('auto', 'none'), help='whether to look for water'
    )
    group.add_argument(
        '--folder',
        help=(
            'maps (16-bit PNG or .npy) with the folders and names of the '
            'images'
        ),
    )
    group.add_argument(
        '--unit', type=float, help='meters per step of a 16-bit PNG'
    )
    group.add_argument(
        '--kind', choices=('metric', 'relative'), help='content of the maps'
    )
    group.add_argument(
        '--checkpoint', help='folder of a depth-estimation checkpoint'
    )
    group.add_argument(
        '--allow-download',
        action='store_true',
        help='download the checkpoint if it does not exist',
    )
    group.add_argument(
        '--output',
        choices=('auto', 'inverse', 'metric'),
        help='output of the network',
    )
    group.add_argument(
        '--near',
        type=float,
        help=(
            'depth of the nearest surface in meters if the network returns '
            'inverse depth'
        ),
    )
    group.add_argument('--device', help='such as cpu or cuda')
