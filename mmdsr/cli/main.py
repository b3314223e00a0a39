"""The command ``mmdsr``."""

import sys
from collections.abc import Sequence

from mmdsr.cli.commands import Command, run_command
from mmdsr.version import __version__

COMMANDS = {
    'enhance': Command(
        'mmdsr.cli.enhance', 'enhance an image, a folder or a recording'
    ),
    'verify': Command(
        'mmdsr.cli.verify', 'check results against their records'
    ),
    'serve': Command('mmdsr.cli.serve', 'serve a page for the browser'),
    'sample': Command(
        'mmdsr.cli.sample', 'write simulated pictures to try things on'
    ),
    'doctor': Command(
        'mmdsr.doctor.command', 'check the environment and say how to fix it'
    ),
    'export': Command(
        'mmdsr.cli.export', 'export weights for ONNX Runtime and OpenVINO'
    ),
    'weights': Command('mmdsr.cli.weights', 'list published weights'),
    'simulate': Command(
        'mmdsr.cli.simulate', 'make a data set of simulated sewers'
    ),
    'convert': Command(
        'mmdsr.cli.convert', 'make a data set from videos, frames or others'
    ),
    'train': Command('mmdsr.cli.train', 'train a model'),
    'test': Command('mmdsr.cli.test', 'evaluate a checkpoint'),
}


def main(argv: Sequence[str] | None = None) -> int | None:
    """Run ``mmdsr COMMAND ...``; return the exit code."""
    try:
        return run_command(
            COMMANDS,
            argv,
            prog='mmdsr',
            about='Depth-aware, reference-based super-resolution for sewer '
            'images.',
            version=f'mmdsr {__version__}',
        )
    except KeyboardInterrupt:
        # Before the command itself is running.
        print('Interrupted.', file=sys.stderr)
        return 130
