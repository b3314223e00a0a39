"""Worker processes that end as the user wants them to."""

import os
import signal
import threading
from multiprocessing import parent_process


def start_worker() -> None:
    """Prepare a worker process; call it first in the worker.

    Ctrl-C is left to the parent, who knows what is to be finished; and the
    worker ends with its parent, even if that was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
