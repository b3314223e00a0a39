"""A queue of jobs that run one at a time and can be canceled."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mmdsr.errors import CanceledJobError, RefusedRequestError

State: TypeAlias = Literal['waiting', 'running', 'done', 'failed', 'canceled']
#: Description of the result of a finished job, in JSON types.
Outcome: TypeAlias = dict[str, object]

_log = logging.getLogger(__name__)


class Progress:
    """Progress of a running job and a request to cancel it.

    Attributes:
        share: Share that is done, in [0, 1].
        text: Current step.
    """

    def __init__(self) -> None:
        self.share, self.text = 0.0, ''
        self._canceled = threading.Event()

    def report(self, share: float, text: str) -> None:
        """Report the progress of the job.

        Args:
            share: Share that is done, in [0, 1].
            text: Current step.

        Raises:
            CanceledJobError: If the job was canceled.
        """
        if self.canceled:
            raise CanceledJobError
        self.share, self.text = min(max(share, 0.0), 1.0), text

    @property
    def canceled(self) -> bool:
        """Whether the job was canceled."""
        return self._canceled.is_set()

    def cancel(self) -> None:
        """Request the job to end."""
        self._canceled.set()


@dataclass(eq=False)
class Job:
    """A job of a session.

    Attributes:
        owner: Token of the session.
        title: Name shown to the user.
        work: Function that does the job and returns its outcome. It calls
            ``report`` or checks ``canceled`` several times a second.
        token: Random name.
        state: State of the job.
        progress: Progress of the job.
        error: Why it failed.
        outcome: Description of the result.
        started: Start time in seconds of a monotonic clock.
        ended: End time in seconds of the same clock.
    """

    owner: str
    title: str
    work: Callable[[Progress], Outcome]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = 'waiting'
    progress: Progress = field(default_factory=Progress)
    error: str = ''
    outcome: Outcome = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self.state in ('done', 'failed', 'canceled')

    @property
    def seconds(self) -> float:
        """Seconds that the job has been running."""
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started


class JobQueue:
    """Process jobs one by one in a thread.

    Of several waiting sessions, the one that was served least recently comes
    next, so that no user has to wait for all jobs of another.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._turns: dict[str, int] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(
            target=self._serve, name=name, daemon=True
        )
        self._thread.start()

    def add(self, job: Job) -> None:
        """Add a job to the queue.

        Args:
            job: The job.

        Raises:
            RefusedRequestError: If the queue is closed.
        """
        with self._changed:
            if self._closed:
                raise RefusedRequestError('The server is shutting down.', 503)
            self._waiting.append(job)
            self._changed.notify_all()

    def cancel(self, job: Job) -> None:
        """End a job as soon as possible; a finished one is unchanged.

        Args:
            job: The job.
        """
        with self._changed:
            job.progress.cancel()
            if job in self._waiting:
                self._waiting.remove(job)
                job.state = 'canceled'

    def wait_for(self, job: Job, timeout: float = 10.0) -> bool:
        """Wait until a job has ended.

        Args:
            job: The job.
            timeout: Seconds after which to give up.

        Returns:
            Whether it has ended.
        """
        with self._changed:
            return self._changed.wait_for(lambda: job.finished, timeout)

    def place(self, job: Job) -> int:
        """Return the number of jobs ahead of a waiting one.

        Args:
            job: The job.

        Returns:
            0 if it is the next one or is not waiting.
        """
        with self._changed:
            turns, left = dict(self._turns), list(self._waiting)
            if job not in left:
                return 0
            count = 0 if self._running is None else 1
            while (first := _next(left, turns)) is not job:
                left.remove(first)
                turns[first.owner] = max(turns.values(), default=0) + 1
                count += 1
            return count

    def close(self, timeout: float = 10.0) -> None:
        """Cancel all jobs and end the thread.

        Args:
            timeout: Seconds to wait for the running job.
        """
        with self._changed:
            self._closed = True
            for job in list(self._waiting):
                self.cancel(job)
            if self._running is not None:
                self._running.progress.cancel()
            self._changed.notify_all()
        self._thread.join(timeout)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                job = _next(self._waiting, self._turns)
                self._waiting.remove(job)
                last = max(self._turns.values(), default=0)
                self._turns[job.owner] = last + 1
                # A session that is not waiting comes first when it returns.
                owners = {job.owner, *(one.owner for one in self._waiting)}
                self._turns = {
                    key: turn
                    for key, turn in self._turns.items()
                    if key in owners
                }
                self._running, job.state = job, 'running'
                job.started = time.monotonic()
            state, error, outcome = _do(job)
            with self._changed:
                job.ended = time.monotonic()
                job.error, job.outcome = error, outcome
                job.state, self._running = state, None
                self._changed.notify_all()


def _next(waiting: list[Job], turns: dict[str, int]) -> Job:
    """Return the first job of the session that has waited longest."""
    return min(waiting, key=lambda job: turns.get(job.owner, 0))


def _do(job: Job) -> tuple[State, str, Outcome]:
    try:
        outcome = job.work(job.progress)
    except CanceledJobError:
        return 'canceled', '', {}
    except (OSError, ValueError, MemoryError, RefusedRequestError) as error:
        if job.progress.canceled:
            return 'canceled', '', {}
        return 'failed', str(error).split('\n')[0], {}
    except Exception:
        _log.exception('The job %s failed.', job.title)
        text = 'An internal error occurred: see the server log.'
        return 'failed', text, {}
    job.progress.share = 1.0
    return 'done', '', outcome
