"""Worker processes that shut down cleanly."""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess


def start_worker() -> None:
    """Prepare a worker process; call it first in the worker.

    Ctrl-C is left to the parent, which knows what has to be finished, and
    the worker ends with its parent, even if the parent was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    # The main process, which starts no thread here, has no parent.
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
