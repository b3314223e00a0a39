"""Serve the page, and clean up afterwards."""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import uvicorn

from mmdsr.errors import UsageError
from mmdsr.page.app import make_app
from mmdsr.page.limits import Limits

_PREFIX, _LOCK = 'mmdsr-page-', '.lock'
#: Maximum number of concurrent requests.
_CONNECTIONS = 64


def serve(
    host: str,
    port: int,
    limits: Limits,
    names: Sequence[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until Ctrl-C or a termination signal.

    Args:
        host: Address to listen on.
        port: Port to listen on, 0 for any free one.
        limits: Limits of the page.
        names: Further names of the server.
        ready: Called with the address of the page when it is available.

    Raises:
        UsageError: If the address cannot be used.
    """
    listener = _listen(host, port)
    with listener, private_folder() as root:
        config = uvicorn.Config(
            make_app(root, limits, host, names),
            ws='none',
            # There is no proxy, so ignore addresses in headers.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_level='warning',
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=3,
        )
        if ready is not None:
            ready(_address(host, listener.getsockname()[1]))
        uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Create a folder for the files of users, and remove it at the end.

    The folders of killed servers are removed, too.

    Yields:
        The folder, which only this user can read.
    """
    base = Path(tempfile.gettempdir())
    _remove_leftovers(base)
    root = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = (root / _LOCK).open('w')
    _try_lock(lock.fileno())
    try:
        yield root
    finally:
        lock.close()
        shutil.rmtree(root, ignore_errors=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name == 'posix':
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Early requests wait until the server is ready.
        listener.listen()
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UsageError(
            f'{host}:{port} is not available ({reason}): choose another '
            '--port or --host.'
        ) from error
    return listener


def _address(host: str, port: int) -> str:
    shown = f'[{host}]' if ':' in host else host
    return f'http://{shown}:{port}/'


def _remove_leftovers(base: Path) -> None:
    """Remove the folders whose server is no longer running."""
    for folder in base.glob(f'{_PREFIX}*'):
        with contextlib.suppress(OSError):
            # Windows has no user ids, but a temporary folder for each user.
            own = os.name != 'posix' or folder.lstat().st_uid == os.getuid()
            if folder.is_symlink() or not own:
                continue
            with (folder / _LOCK).open('r+') as lock:
                if _try_lock(lock.fileno()):
                    shutil.rmtree(folder, ignore_errors=True)


def _try_lock(file: int) -> bool:
    """Try to lock a file for this process and return whether it worked."""
    try:
        import fcntl
    except ImportError:  # On Windows, leftovers are not removed.
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
