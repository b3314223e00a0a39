"""The page as people start it: a process of its own."""

import re
import subprocess
import sys
import threading
from contextlib import contextmanager

from page_cases import wait
from tool_runs import ROOT, environment


@contextmanager
def served(temporary, *options):
    """Serve the page at a free port; give its process and its address."""
    lines = []
    process = subprocess.Popen(
        [sys.executable, '-m', 'mmdsr', 'serve', '--port', '0', *options],
        cwd=ROOT,
        env={**environment(), 'TMPDIR': str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )

    # Read all the time, so that the process never waits for a full pipe.
    reader = threading.Thread(
        target=lambda: [lines.append(line) for line in process.stderr],
        daemon=True,
    )
    reader.start()

    def look():
        assert process.poll() is None, lines
        return re.search(r'http://\S+:\d+', ''.join(lines))

    try:
        address = wait(look)[0]
        yield process, address
    finally:
        process.kill()
        process.wait()
        reader.join()
