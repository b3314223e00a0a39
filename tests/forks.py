"""Processes of their own that need not import torch and the hosts first.

The imports take longer than what most tests ask of a process. Here one server
per session does them, and forks for each call. Use it where a process is
needed, to kill it or for its seeds and registries, and not the start of
Python: ``tool_runs.run`` starts a tool as a user does.
"""

import contextlib
import multiprocessing
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from tool_runs import ROOT, environment

from mmdsr.experiments.processes import WORKER

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['warm_imports'])


def _server_environment():
    """Where the server, which the first start brings up, finds its imports."""
    path = os.pathsep.join([str(ROOT / 'tests'), environment()['PYTHONPATH']])
    return {**environment(), 'PYTHONPATH': path}


def _call(function, args, variables, outputs):
    """Call a function; this is where the new process begins."""
    os.setsid()
    for number, path in enumerate(outputs, 1):
        with path.open('a') as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(ROOT)
    # All forks would begin with the random numbers of their server.
    random.seed()
    sys.modules['numpy'].random.seed()
    sys.modules['torch'].seed()
    function(*args)


def run_tool(tool, *args):
    """Be a tool of tools/, or with ``-m`` a module, and end as it does."""
    if tool == '-m':
        tool, *args = args
        sys.argv = [tool, *args]
        runpy.run_module(tool, run_name='__main__', alter_sys=True)
    else:
        sys.argv = [str(ROOT / 'tools' / tool), *args]
        runpy.run_path(sys.argv[0], run_name='__main__')


class Fork:
    """A function in a process, which leads a group of processes.

    It can be used as a ``subprocess.Popen`` whose output goes to files.

    Args:
        function (Callable): Of a module.
        *args: Its arguments.
        log (Path, optional): Where all that is printed is appended.
        **variables (str): Of the environment.
    """

    def __init__(self, function, *args, log=None, **variables):
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [
            log or Path(self._folder.name, name) for name in ('out', 'err')
        ]
        self.args = args
        environ = {**environment(), **variables}
        self._process = _CONTEXT.Process(
            target=_call, args=(function, args, environ, self._outputs)
        )
        with mock.patch.dict(os.environ, _server_environment()):
            self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self):
        """Exit code, minus the signal that killed it, or None before."""
        return self._process.exitcode

    def poll(self):
        """Return the exit code, or None while the process runs."""
        return self.returncode

    def wait(self, timeout=600):
        """Wait for the end; return the exit code."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def communicate(self, timeout=600):
        """Wait for the end; return output and errors."""
        self.wait(timeout)
        return tuple(
            path.read_text() if path.exists() else '' for path in self._outputs
        )

    def send_signal(self, number):
        """Send a signal to the process alone, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self):
        """Ask the process to end."""
        self._process.terminate()

    def kill(self):
        """End the process at once."""
        self.send_signal(signal.SIGKILL)


def start(tool, *args, **variables):
    """Start a tool of tools/, or a module after ``-m``."""
    return Fork(run_tool, tool, *map(str, args), **variables)


def fork(tool, *args, check=True, **variables):
    """Run a tool and return what it printed; see :func:`tool_runs.run`."""
    process = start(tool, *args, **variables)
    out, err = process.communicate()
    code = process.returncode
    if check:
        assert code == 0, out[-3000:] + err[-3000:]
    return subprocess.CompletedProcess([tool, *args], code, out, err)


def _until_rename(after, prefix, function, *args):
    """Call a function, and be killed as the system would do it."""
    done, replace = [], Path.replace

    def kill(self, target):
        if Path(target).name.startswith(prefix):
            if len(done) == after:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(target)
        return replace(self, target)

    Path.replace = kill
    function(*args)


def kill_at_rename(after, prefix, function, *args):
    """Call a function in a process that is killed between two renames.

    Args:
        after (int): How many renames to such names it survives.
        prefix (str): How the new names begin.
        function (Callable): Of a module.
        *args: Its arguments.
    """
    process = Fork(_until_rename, after, prefix, function, *args)
    assert process.wait(120) == -signal.SIGKILL, process.communicate()


def start_run(folder, threads):
    """Stand in for ``start`` of mmdsr.experiments.processes."""
    return Fork(run_tool, '-m', WORKER, str(folder), log=folder / 'log.txt')


def on_two_ranks(port, tool, *args):
    """Do what dist_train.sh and dist_test.sh do, without their launcher.

    Args:
        port (str): Where the ranks meet.
        tool (str): Name in tools/.
        *args: Its arguments.

    Returns:
        str: What the first rank printed.
    """
    place = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, WORLD_SIZE='2')
    ranks = [
        start(
            *(tool, *args, '--launcher', 'pytorch'),
            **dict(place, RANK=str(rank), LOCAL_RANK=str(rank)),
        )
        for rank in range(2)
    ]
    printed = [''.join(rank.communicate()) for rank in ranks]
    for rank, text in zip(ranks, printed, strict=True):
        assert rank.returncode == 0, text[-3000:]
    return printed[0]
