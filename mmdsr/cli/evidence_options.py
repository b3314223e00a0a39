"""Options of commands that write results: what evidence goes with them."""

import argparse

from mmdsr.evidence.mark import MARK
from mmdsr.evidence.options import EvidenceOptions


def add_evidence_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command line.

    Args:
        parser: Of the command.
    """
    group = parser.add_argument_group('evidence (docs/evidence.md)')
    group.add_argument(
        '--mark',
        action='store_true',
        help=f'write "{MARK}" into a corner of each result',
    )
    group.add_argument(
        '--confidence',
        action='store_true',
        help='write a picture beside each result of where its detail was '
        'seen in the reference and where it is inferred',
    )
    group.add_argument(
        '--no-sidecar',
        action='store_true',
        help='write no NAME.json beside each result; the record in its '
        'metadata stays',
    )


def evidence_options(args: argparse.Namespace) -> EvidenceOptions:
    """Return what the options ask for.

    Args:
        args: The parsed command line.
    """
    return EvidenceOptions(
        sidecar=not args.no_sidecar,
        confidence=args.confidence,
        mark=MARK if args.mark else None,
    )
