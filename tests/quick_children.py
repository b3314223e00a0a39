"""Stand-ins for the processes that read recordings.

mmdsr starts a new Python for each recording that it looks at, and a test may
have ten of them, which mostly import. Here one server per session does the
imports and forks for each; everything else is as in a process of its own:
pipes, signals, exit codes, a crash that stops nobody else. ``real_children``
of conftest.py is for tests that need the start itself.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from functools import cache
from types import SimpleNamespace

from tool_runs import ROOT, environment

_LARGEST = 2**20
_lock = threading.Lock()


def _serve(number):
    """Fork for each request, until nobody is left to send any."""
    import mmdsr.recording.child
    import mmdsr.video.child  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=number) as requests:
        while True:
            text, files, _, _ = socket.recv_fds(requests, _LARGEST, 4)
            if not text:
                return
            if not os.fork():
                requests.close()
                _keep(files.pop(), files, **json.loads(text))
            for file in files:
                os.close(file)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _keep(status, files, **request):
    """Tell the number of a process and, in the end, its exit code."""
    child = os.fork()
    if not child:
        os.close(status)
        _become(files, **request)
    for file in files:
        os.close(file)
    os.write(status, b'%d\n' % child)
    _, code = os.waitpid(child, 0)
    os.write(status, b'%d\n' % os.waitstatus_to_exitcode(code))
    os._exit(0)


def _become(files, code, folder, variables, session):
    """Be what ``python -c code`` is."""
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        if session:
            os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(folder)
        exec(code, {'__name__': '__main__'})
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


@cache
def _server():
    """Start the server; return where it takes requests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = os.pathsep.join([str(ROOT / 'tests'), environment()['PYTHONPATH']])
    code = f'import quick_children; quick_children._serve({theirs.fileno()})'
    subprocess.Popen(
        [sys.executable, '-c', code],
        env={**environment(), 'PYTHONPATH': path},
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    return ours


class Child:
    """``python -c code``, with what mmdsr asks of a ``subprocess.Popen``."""

    def __init__(self, args, stdin, stdout, stderr, start_new_session=False):
        python, option, code = args
        assert (python, option) == (sys.executable, '-c')
        self.args, self.returncode = args, None
        self.stdin = self.stdout = None
        files = [stdin, stdout, stderr]
        if stdin == subprocess.PIPE:
            files[0], ours = os.pipe()
            self.stdin = os.fdopen(ours, 'wb')
        if stdout == subprocess.PIPE:
            ours, files[1] = os.pipe()
            self.stdout = os.fdopen(ours, 'rb')
        ours, status = os.pipe()
        self._status = os.fdopen(ours, 'rb')
        request = dict(
            code=code,
            folder=os.getcwd(),  # noqa: PTH109
            variables=dict(os.environ),
            session=start_new_session,
        )
        numbers = [f if isinstance(f, int) else f.fileno() for f in files]
        with _lock:
            socket.send_fds(
                _server(), [json.dumps(request).encode()], [*numbers, status]
            )
        for file in (*files, status):
            if isinstance(file, int):
                os.close(file)
        self.pid = int(self._status.readline())

    def wait(self, timeout=None):
        """Wait for the end; return the exit code, minus a signal."""
        assert timeout is None or timeout > 0
        if self.returncode is None:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def send_signal(self, number):
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        """End the process at once."""
        self.send_signal(signal.SIGKILL)


def run(args, input, capture_output, check, start_new_session):
    """Stand in for ``subprocess.run``."""
    assert capture_output
    assert not check
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write(input)
        stdin.seek(0)
        child = Child(args, stdin, stdout, stderr, start_new_session)
        try:
            child.wait()
        except BaseException:
            child.kill()
            child.wait()
            raise
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(
            args, child.returncode, stdout.read(), stderr.read()
        )


#: What takes the place of the module ``subprocess``.
STAND_IN = SimpleNamespace(Popen=Child, run=run, PIPE=subprocess.PIPE)
