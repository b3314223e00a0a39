"""Files under temporary names: whose they are, and when they go."""

import os
import subprocess
import sys

import pytest

from mmdsr.io.files import remove_leftovers, temporary_name


@pytest.fixture
def ended():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, '-S', '-c', ''])
    process.wait()
    return process.pid


@pytest.mark.skipif(os.name != 'posix', reason='needs POSIX processes')
def test_leftovers_of_killed_processes_go(tmp_path, ended):
    target, other = tmp_path / 'a.png', tmp_path / 'b.png'
    # A process may have the number of one that was killed.
    gone = [temporary_name(target, n) for n in (ended, None, 10**30)]
    # Somebody is writing the first; nobody asked for the second.
    kept = [temporary_name(target, os.getppid()), temporary_name(other, ended)]
    for path in (target, *gone, *kept):
        path.write_bytes(b'half')
    remove_leftovers([target])
    assert set(tmp_path.iterdir()) == {target, *kept}
