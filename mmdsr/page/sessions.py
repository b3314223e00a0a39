"""Sessions: each user has files and jobs that no other user can access."""

import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mmdsr.errors import RefusedRequestError
from mmdsr.page.jobs import Job, JobQueue
from mmdsr.page.limits import Limits, in_mib

#: Sessions without any file that are remembered.
_EMPTY = 1000


@dataclass(frozen=True)
class Preview:
    """A picture to draw on: a frame of a video to choose, or an image.

    Attributes:
        index: Number of the frame.
        time: Its seconds.
        path: A small picture of it.
    """

    index: int
    time: float
    path: Path


@dataclass(eq=False)
class Upload:
    """A file of a visitor.

    Attributes:
        name: What the visitor calls it; never used as a path.
        path: Where it is, under a random name.
        kind: What it is.
        size: Bytes.
        sha256: Of its content.
        width: Pixels.
        height: Pixels.
        duration: Seconds of a video, if known.
        note: What was converted in reading a picture, '' if nothing.
        previews: Frames of a video to choose from; of an image, itself.
        preparing: The job that looks for them.
        token: Random name.
    """

    name: str
    path: Path
    kind: Literal['image', 'video']
    size: int
    sha256: str
    width: int
    height: int
    duration: float | None = None
    note: str = ''
    previews: list[Preview] = field(default_factory=list)
    preparing: Job | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))


class Session:
    """The files and jobs of a user.

    Args:
        folder: Where the files are to be; made when it is needed.

    Attributes:
        token: Random name, known to the visitor's browser alone.
        uploads: Files by their tokens.
        jobs: Jobs by their tokens, the oldest first.
        results: Folder of each job's result by its token.
        ended: Whether it is over.
        incoming: Bytes of uploads that are on their way.
        seen: When the last request came, in seconds of a steady clock.
    """

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_urlsafe(32)
        self.uploads: dict[str, Upload] = {}
        self.jobs: dict[str, Job] = {}
        self.results: dict[str, Path] = {}
        self.ended = False
        self.incoming = 0
        self.seen = time.monotonic()
        self._folder = folder

    @property
    def empty(self) -> bool:
        """Whether nothing is kept for it."""
        return not (self.uploads or self.jobs or self.incoming)

    @property
    def busy(self) -> bool:
        """Whether something is being done for it."""
        return bool(self.incoming) or any(
            not job.finished for job in self.jobs.values()
        )

    def new_path(self, suffix: str = '') -> Path:
        """Return a path that is free.

        Args:
            suffix: What it ends in.

        Raises:
            RefusedRequestError: If the session is over.
        """
        if self.ended:
            raise RefusedRequestError(
                'Your session has ended: reload the page.', 401
            )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / f'{secrets.token_hex(16)}{suffix}'

    def upload(self, token: object) -> Upload:
        """Return a file.

        Args:
            token: Its random name.

        Raises:
            RefusedRequestError: If the session has no such file.
        """
        found = self.uploads.get(token) if isinstance(token, str) else None
        if found is None:
            raise RefusedRequestError(
                'That file no longer exists: upload it again.', 404
            )
        return found

    def job(self, token: object) -> Job:
        """Return a job.

        Args:
            token: Its random name.

        Raises:
            RefusedRequestError: If the session has no such job.
        """
        found = self.jobs.get(token) if isinstance(token, str) else None
        if found is None:
            raise RefusedRequestError('This result does not exist.', 404)
        return found

    def remove_files(self) -> None:
        """Remove all that lies on the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)


class Sessions:
    """All visitors.

    Args:
        root: Folder of their files.
        limits: How much is taken.
        queues: Where their jobs are.
    """

    def __init__(
        self, root: Path, limits: Limits, queues: tuple[JobQueue, ...]
    ) -> None:
        self.root, self.limits, self.queues = root, limits, queues
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def find(self, token: str | None) -> Session | None:
        """Return the session of a visitor, if it is there.

        Args:
            token: What the browser says.
        """
        with self._lock:
            session = self._sessions.get(token or '')
            if session is not None:
                session.seen = time.monotonic()
            return session

    def start(self) -> Session:
        """Return a session for a new visitor."""
        session = Session(self.root / secrets.token_hex(16))
        with self._lock:
            empty = [one for one in self._sessions.values() if one.empty]
            if len(empty) >= _EMPTY:
                oldest = min(empty, key=lambda one: one.seen)
                del self._sessions[oldest.token]
            self._sessions[session.token] = session
        return session

    def check_room(self, session: Session, size: int) -> None:
        """Refuse a file for which there is no space.

        Args:
            session: Whose it is.
            size: Bytes.

        Raises:
            RefusedRequestError: If one of the limits is reached.
        """
        limits = self.limits
        if size > limits.upload:
            raise RefusedRequestError(
                f'The file is too large: {in_mib(limits.upload)} at most. Cut '
                'the recording, or start the server with another '
                '--max-upload.',
                413,
            )
        if len(session.uploads) >= limits.files:
            raise RefusedRequestError(
                f'There are {limits.files} files already: remove one first.',
                409,
            )
        stored = sum(one.size for one in session.uploads.values())
        if stored + session.incoming + size > limits.stored:
            raise RefusedRequestError(
                f'Your files would need more than {in_mib(limits.stored)}: '
                'remove one first.',
                409,
            )
        if shutil.disk_usage(self.root).free - size < limits.free:
            raise RefusedRequestError(
                'The disk of the server is nearly full: free some space '
                'there.',
                507,
            )
        with self._lock:
            others = [
                one
                for one in self._sessions.values()
                if one is not session and not one.empty
            ]
        if len(others) >= limits.sessions:
            raise RefusedRequestError(
                'Too many people are using the page: try again later.', 503
            )

    def end(self, session: Session) -> None:
        """Cancel the jobs of a session and remove its files.

        Args:
            session: It.
        """
        with self._lock:
            self._sessions.pop(session.token, None)
            session.ended = True
        preparing = [one.preparing for one in session.uploads.values()]
        jobs = [*session.jobs.values(), *filter(None, preparing)]
        for queue in self.queues:
            for job in jobs:
                queue.cancel(job)
        for queue in self.queues:
            for job in jobs:
                # What runs may still write.
                queue.wait_for(job)
        session.remove_files()

    def sweep(self) -> None:
        """End the sessions of users who have left."""
        now = time.monotonic()
        with self._lock:
            old = [
                one
                for one in self._sessions.values()
                if now - one.seen > self.limits.idle and not one.busy
            ]
        for session in old:
            self.end(session)
