"""Enlarge in a separate process that can be terminated at any time.

A running network cannot be interrupted, but its process can be killed. The
page keeps responding, also if the process runs out of memory.
"""

import multiprocessing
import time
import traceback
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from mmdsr.errors import CanceledJobError
from mmdsr.page.enhance import Request, enhance
from mmdsr.page.jobs import Outcome, Progress
from mmdsr.workers import start_worker

#: Seconds between two checks for cancellation, and between two progress
#: reports.
_STEP = 0.1


class Worker:
    """A process that does one job at a time and is started when needed."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process so that the first job need not wait for it."""
        self._ready()

    def run(self, request: Request, progress: Progress) -> Outcome:
        """Do a job.

        Args:
            request: Description of the job.
            progress: Receives the progress; can be canceled.

        Returns:
            Result of :func:`enhance`.

        Raises:
            CanceledJobError: If it was canceled.
            ValueError: If it failed; the message says why.
            RuntimeError: If an internal error occurs.
        """
        pipe = self._ready()
        pipe.send(request)
        try:
            while True:
                while not pipe.poll(_STEP):
                    # Reporting also checks for cancellation.
                    progress.report(progress.share, progress.text)
                kind, *content = pipe.recv()
                if kind == 'progress':
                    progress.report(*content)
                elif kind == 'failed':
                    raise ValueError(content[0])
                elif kind == 'fault':
                    raise RuntimeError(content[0])
                else:
                    return content[0]
        except CanceledJobError:
            self.close()
            # Start a new process before the next job needs it.
            self.start()
            raise
        except (EOFError, OSError) as error:
            self.close()
            raise ValueError(
                'The worker process ended, most likely because memory ran '
                'out: choose a smaller region.'
            ) from error

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _ready(self) -> Connection:
        if self._process is not None and not self._process.is_alive():
            self.close()
        if self._pipe is None:
            # Do not fork: threads of the server may hold locks.
            context = multiprocessing.get_context('spawn')
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs,), daemon=True
            )
            self._process.start()
            theirs.close()
        return self._pipe


def _serve(pipe: Connection) -> None:
    """Process the requests from the pipe until it is closed."""
    start_worker()
    import torch

    from mmdsr.inference.budget import cpu_count

    torch.set_num_threads(min(torch.get_num_threads(), cpu_count()))
    last = 0.0

    def report(share: float, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _STEP:
            last = now
            pipe.send(('progress', share, text))

    with suppress(EOFError, OSError):
        while True:
            request, last = pipe.recv(), 0.0
            try:
                with warnings.catch_warnings():
                    # Warnings of smaller tiles; the record has them.
                    warnings.simplefilter('ignore')
                    outcome = enhance(request, report)
            except (ImportError, OSError, ValueError, MemoryError) as error:
                # Errors of the system contain internal paths.
                text = getattr(error, 'strerror', None) or str(error)
                text = text.split('\n')[0] or type(error).__name__
                pipe.send(('failed', text))
            except Exception:
                pipe.send(('fault', traceback.format_exc()))
            else:
                pipe.send(('done', outcome))
