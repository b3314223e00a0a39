"""Sessions, each with files and jobs that no other user can access."""

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

#: Maximum number of sessions without files.
_EMPTY = 1000


@dataclass(frozen=True)
class Preview:
    """A picture to show: a frame of a video, or an image.

    Attributes:
        index: Number of the frame.
        time: Its time in seconds.
        path: A small picture of it.
    """

    index: int
    time: float
    path: Path


@dataclass(eq=False)
class Upload:
    """A file of a user.

    Attributes:
        name: Name given by the user; never used as a path.
        path: Path of the file, with a random name.
        kind: Kind of the file.
        size: Size in bytes.
        sha256: SHA-256 of its content.
        width: Width in pixels.
        height: Height in pixels.
        duration: Duration of a video in seconds, if known.
        note: Conversions when a picture was read and the pictures that were
            left out, '' if there were none.
        previews: Frames of a video to choose from, or the image itself.
        preparing: The job that extracts the frames.
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
        folder: Folder of the files, created when it is needed.

    Attributes:
        token: Random name, known only to the user's browser.
        uploads: Files by their tokens.
        jobs: Jobs by their tokens, the oldest first.
        results: Folder of the result of each job, by its token.
        ended: Whether the session has ended.
        incoming: Size of each upload in progress in bytes.
        seen: Time of the last request in seconds of a monotonic clock.
    """

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_urlsafe(32)
        self.uploads: dict[str, Upload] = {}
        self.jobs: dict[str, Job] = {}
        self.results: dict[str, Path] = {}
        self.ended = False
        self.incoming: list[int] = []
        self.seen = time.monotonic()
        self._folder = folder

    @property
    def empty(self) -> bool:
        """Whether the session has no files or jobs."""
        return not (self.uploads or self.jobs or self.incoming)

    @property
    def busy(self) -> bool:
        """Whether the session has an upload or job in progress."""
        return bool(self.incoming) or any(
            not job.finished for job in self.jobs.values()
        )

    def new_path(self, suffix: str = '') -> Path:
        """Return an unused path.

        Args:
            suffix: Suffix of the path.

        Raises:
            RefusedRequestError: If the session has ended.
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
        """Remove all files from the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)


class Sessions:
    """All sessions.

    Args:
        root: Folder of their files.
        limits: Limits of the page.
        queues: Queues of their jobs.
    """

    def __init__(
        self, root: Path, limits: Limits, queues: tuple[JobQueue, ...]
    ) -> None:
        self.root, self.limits, self.queues = root, limits, queues
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def find(self, token: str | None) -> Session | None:
        """Return the session of a user, if it exists.

        Args:
            token: Token sent by the browser.
        """
        with self._lock:
            session = self._sessions.get(token or '')
            if session is not None:
                session.seen = time.monotonic()
            return session

    def start(self) -> Session:
        """Return a session for a new user."""
        session = Session(self.root / secrets.token_hex(16))
        with self._lock:
            empty = [one for one in self._sessions.values() if one.empty]
            if len(empty) >= _EMPTY:
                oldest = min(empty, key=lambda one: one.seen)
                del self._sessions[oldest.token]
            self._sessions[session.token] = session
        return session

    def check_room(self, session: Session, size: int) -> None:
        """Refuse a file if there is no space for it.

        Args:
            session: Session of the upload.
            size: Size in bytes.

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
        if len(session.uploads) + len(session.incoming) >= limits.files:
            raise RefusedRequestError(
                f'There are {limits.files} files already: remove one first.',
                409,
            )
        stored = sum(one.size for one in session.uploads.values())
        if stored + sum(session.incoming) + size > limits.stored:
            raise RefusedRequestError(
                f'Your files would need more than {in_mib(limits.stored)}: '
                'remove one first.',
                409,
            )
        self.check_disk(size)
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

    def check_disk(self, size: int = 0) -> None:
        """Refuse to write if too little of the disk would stay free.

        Args:
            size: Size in bytes of what will be written, if it is known.

        Raises:
            RefusedRequestError: If there is too little space.
        """
        with self._lock:
            # What they have already written counts twice: better too early.
            size += sum(sum(one.incoming) for one in self._sessions.values())
        if shutil.disk_usage(self.root).free - size < self.limits.free:
            raise RefusedRequestError(
                'The disk of the server is nearly full: free some space '
                'there.',
                507,
            )

    def end(self, session: Session) -> None:
        """Cancel the jobs of a session and remove its files.

        Args:
            session: The session.
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
                # A running job may still write files.
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
