"""Running the tools as a user does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment():
    """Environment of a tool: our package, one thread, no GPU."""
    path = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])
    )
    # One thread each, as several processes share the machine.
    return {
        **os.environ,
        'PYTHONPATH': path,
        'PYTHON': sys.executable,
        'OMP_NUM_THREADS': '1',
        'CUDA_VISIBLE_DEVICES': '',
    }


def run(tool, *args, check=True):
    """Run a tool and return what it printed.

    Args:
        tool (str): Name in tools/.
        *args: Its arguments.
        check (bool): Whether it has to succeed.
    """
    command = [str(ROOT / 'tools' / tool), *map(str, args)]
    if tool.endswith('.py'):
        command.insert(0, sys.executable)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done
