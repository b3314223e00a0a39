"""Arguments that the experiments' command lines share."""

from mmdsr.engine.options import add_options_argument


def positive(text):
    """Parse a positive whole number.

    Args:
        text (str): Of the command line.

    Returns:
        int: The number.

    Raises:
        ValueError: If it is none.
    """
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def add_run_arguments(parser):
    """Add what says how a set of runs is done.

    Args:
        parser (ArgumentParser): Gets ``--seeds``, ``--jobs`` and
            ``--cfg-options``.
    """
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='SEED'
    )
    parser.add_argument(
        '--jobs',
        type=positive,
        default=1,
        help='runs at a time; they share the cores (default: 1)',
    )
    add_options_argument(
        parser,
        'override values of all configs',
    )
