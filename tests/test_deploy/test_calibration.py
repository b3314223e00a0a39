"""Samples for 8-bit models."""

import subprocess
import sys


def test_a_resolver_does_not_import_the_simulator():
    """Its compiled functions would be looked for at every start."""
    code = (
        'import sys, mmdsr.inference\n'
        'print([n for n in ("numba", "mmdsr.sim") if n in sys.modules])\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == '[]\n', done.stderr
