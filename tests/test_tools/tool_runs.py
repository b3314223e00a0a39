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


def command(tool, *args):
    """Command line of a tool in tools/."""
    line = [str(ROOT / 'tools' / tool), *map(str, args)]
    return [sys.executable, *line] if tool.endswith('.py') else line


def run(tool, *args, check=True, timeout=600):
    """Run a tool and return what it printed.

    Args:
        tool (str): Name in tools/.
        *args: Its arguments.
        check (bool): Whether it has to succeed.
        timeout (float): Seconds.
    """
    done = subprocess.run(
        command(tool, *args),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done
