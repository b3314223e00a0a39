"""Request handlers of the page."""

import shutil
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mmdsr.errors import MissingExtraError, RefusedRequestError
from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.io.files import whole_file
from mmdsr.page.bodies import announced_length, read_json
from mmdsr.page.enhance import BEFORE, DEPTH, Request, list_weights
from mmdsr.page.guard import Guard, cookie_name
from mmdsr.page.jobs import Job, JobQueue, Outcome, Progress
from mmdsr.page.limits import Limits
from mmdsr.page.orders import read_order
from mmdsr.page.sessions import Session, Sessions, Upload
from mmdsr.page.uploads import receive
from mmdsr.page.videos import prepare
from mmdsr.page.worker import Worker
from mmdsr.version import __version__

STATIC = Path(__file__).parent / 'static'
#: Seconds between two searches for sessions that have ended.
_SWEEP = 30.0


class Page:
    """The page and its state.

    Args:
        root: Folder for the visitors' files; it must exist.
        limits: Limits of uploads and storage.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self.limits = limits
        self.enlarging = JobQueue('enlarging')
        self.preparing = JobQueue('preparing')
        self.sessions = Sessions(
            root, limits, (self.enlarging, self.preparing)
        )
        self.worker = Worker()
        self._packing = threading.Lock()
        self._ended = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, daemon=True)
        self._sweeper.start()

    def _sweep(self) -> None:
        while not self._ended.wait(min(_SWEEP, self.limits.idle)):
            self.sessions.sweep()

    def close(self) -> None:
        """Cancel all jobs."""
        self._ended.set()
        self.enlarging.close()
        self.preparing.close()
        self.worker.close()

    def session(self, request: HttpRequest) -> Session:
        """Return the session of a visitor.

        Args:
            request: Request of the browser.

        Raises:
            RefusedRequestError: If there is no such session.
        """
        found = self.sessions.find(
            request.cookies.get(cookie_name(request.headers))
        )
        if found is None:
            raise RefusedRequestError(
                'Your session has ended: reload the page.', 401
            )
        return found

    async def index(self, request: HttpRequest) -> Response:
        """Return the page; start a session if needed."""
        response = FileResponse(STATIC / 'index.html')
        name = cookie_name(request.headers)
        if self.sessions.find(request.cookies.get(name)) is None:
            response.set_cookie(
                name,
                self.sessions.start().token,
                httponly=True,
                samesite='strict',
            )
        return response

    async def setup(self, request: HttpRequest) -> Response:
        """Return the available choices."""
        self.session(request)
        weights = await run_in_threadpool(list_weights)
        return JSONResponse(
            {
                'version': __version__,
                'weights': [asdict(one) for one in weights],
                'upload': self.limits.upload,
                'region': self.limits.region,
            }
        )

    async def end(self, request: HttpRequest) -> Response:
        """Remove everything that belongs to a user."""
        session = self.session(request)
        await run_in_threadpool(self.sessions.end, session)
        response = Response(status_code=204)
        response.delete_cookie(
            cookie_name(request.headers), httponly=True, samesite='strict'
        )
        return response

    async def add_file(self, request: HttpRequest) -> Response:
        """Receive a file as the body of the request."""
        session = self.session(request)
        upload = await receive(
            self.sessions,
            session,
            request.query_params.get('name', ''),
            announced_length(request),
            request.stream(),
        )
        if upload.kind == 'video':
            new_path = partial(self._preview_path, session)
            work = partial(prepare, upload, self.limits.previews, new_path)
            upload.preparing = Job(session.token, upload.name, work)
            self.preparing.add(upload.preparing)
        return JSONResponse(_describe_file(upload), 201)

    def _preview_path(self, session: Session, suffix: str) -> Path:
        self.sessions.check_disk()
        return session.new_path(suffix)

    async def files(self, request: HttpRequest) -> Response:
        """List the files of a user."""
        uploads = self.session(request).uploads.values()
        return JSONResponse([_describe_file(one) for one in uploads])

    async def file(self, request: HttpRequest) -> Response:
        """Describe a file."""
        upload = self.session(request).upload(request.path_params['token'])
        return JSONResponse(_describe_file(upload))

    async def remove_file(self, request: HttpRequest) -> Response:
        """Remove a file; jobs that still need it fail."""
        session = self.session(request)
        upload = session.upload(request.path_params['token'])
        del session.uploads[upload.token]
        await run_in_threadpool(self._remove, upload)
        return Response(status_code=204)

    def _remove(self, upload: Upload) -> None:
        if upload.preparing is not None:
            self.preparing.cancel(upload.preparing)
            self.preparing.wait_for(upload.preparing)
        for preview in upload.previews:
            preview.path.unlink(missing_ok=True)
        upload.path.unlink(missing_ok=True)

    async def picture(self, request: HttpRequest) -> Response:
        """Return a picture, or a frame of a video."""
        upload = self.session(request).upload(request.path_params['token'])
        number = request.query_params.get('number', '0')
        previews = upload.previews
        if not number.isdecimal() or int(number) >= len(previews):
            raise RefusedRequestError('This frame does not exist.', 404)
        return FileResponse(previews[int(number)].path)

    async def add_job(self, request: HttpRequest) -> Response:
        """Add an order to the queue."""
        session = self.session(request)
        fields = await read_json(request)
        # After the last await: no other order can come in between.
        if len(session.jobs) >= self.limits.jobs:
            raise RefusedRequestError(
                f'There are {self.limits.jobs} results already: remove one '
                'first.',
                409,
            )
        self.sessions.check_disk()
        order = read_order(fields, session, self.limits)
        title = order.source.name
        if order.frame is not None:
            title = f'{title}, frame {order.frame}'
        job = Job(session.token, title, partial(self._enlarge, order))
        session.jobs[job.token] = job
        session.results[job.token] = order.target
        self.enlarging.add(job)
        return JSONResponse(self._describe_job(job), 201)

    def _enlarge(self, order: Request, progress: Progress) -> Outcome:
        # The disk may have filled up while the job was waiting.
        self.sessions.check_disk()
        return self.worker.run(order, progress)

    async def jobs(self, request: HttpRequest) -> Response:
        """List the jobs of a user."""
        jobs = self.session(request).jobs.values()
        return JSONResponse([self._describe_job(job) for job in jobs])

    async def remove_job(self, request: HttpRequest) -> Response:
        """Cancel an unfinished job or remove a finished one."""
        session = self.session(request)
        job = session.job(request.path_params['token'])
        if job.finished:
            del session.jobs[job.token]
            folder = session.results.pop(job.token)
            await run_in_threadpool(_remove_folder, folder)
        else:
            self.enlarging.cancel(job)
        return Response(status_code=204)

    async def result(self, request: HttpRequest) -> Response:
        """Return one of the pictures of a result."""
        session = self.session(request)
        job, folder = _finished(session, request.path_params['token'])
        result = folder / str(job.outcome['name'])
        path = {
            'before': folder / BEFORE,
            'after': result,
            'confidence': overlay_path(result),
            'depth': folder / DEPTH,
        }.get(request.path_params['part'])
        if path is None or not path.is_file():
            raise RefusedRequestError('This picture does not exist.', 404)
        return FileResponse(path)

    async def download(self, request: HttpRequest) -> Response:
        """Return an archive of a result, its side-car and its confidence."""
        session = self.session(request)
        job, folder = _finished(session, request.path_params['token'])
        result = folder / str(job.outcome['name'])
        archive = folder / 'all.zip'
        paths = [result, sidecar_path(result), overlay_path(result)]
        await run_in_threadpool(self._pack, archive, paths)
        name = quote(f'{result.stem}.zip', safe='')
        return FileResponse(
            archive,
            media_type='application/zip',
            headers={
                'content-disposition': f"attachment; filename*=utf-8''{name}"
            },
        )

    def _pack(self, archive: Path, paths: list[Path]) -> None:
        # A second click waits: both would write to the same temporary file.
        with self._packing:
            if archive.is_file():
                return
            self.sessions.check_disk(sum(one.stat().st_size for one in paths))
            with (
                whole_file(archive) as temporary,
                zipfile.ZipFile(temporary, 'w') as file,
            ):
                for path in paths:
                    file.write(path, path.name)

    def _describe_job(self, job: Job) -> dict[str, object]:
        return {
            'token': job.token,
            'title': job.title,
            'state': job.state,
            'share': round(job.progress.share, 3),
            'text': job.progress.text,
            'before': self.enlarging.place(job),
            'seconds': round(job.seconds, 1),
            'error': job.error,
            'outcome': job.outcome,
        }


def make_app(
    root: Path,
    limits: Limits | None = None,
    host: str = '127.0.0.1',
    names: Iterable[str] = (),
) -> Starlette:
    """Build the page.

    Args:
        root: Folder for the visitors' files; it must exist.
        limits: Limits of uploads and storage.
        host: Address of the server.
        names: Further names of the server.

    Returns:
        The application; ``state.page`` is the page.
    """
    page = Page(root, limits or Limits())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        page.worker.start()
        yield
        await run_in_threadpool(page.close)

    file, job = '/api/files/{token}', '/api/jobs/{token}'
    app = Starlette(
        routes=[
            Route('/', page.index),
            _route('/api/setup', GET=page.setup),
            _route('/api/session', DELETE=page.end),
            _route('/api/files', GET=page.files, POST=page.add_file),
            _route(file, GET=page.file, DELETE=page.remove_file),
            _route(f'{file}/picture', GET=page.picture),
            _route('/api/jobs', GET=page.jobs, POST=page.add_job),
            _route(job, DELETE=page.remove_job),
            _route(f'{job}/download', GET=page.download),
            _route(f'{job}/{{part}}', GET=page.result),
            Mount('/static', StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, host=host, names=tuple(names))],
        exception_handlers={
            RefusedRequestError: _refused,
            MissingExtraError: _refused,
            ClientDisconnect: _left,
            HTTPException: _not_found,
        },
        lifespan=lifespan,
    )
    app.state.page = page
    return app


def _route(path: str, **handlers: Callable) -> Route:
    """Combine the handlers of one address, one per method."""

    async def answer(request: HttpRequest) -> Response:
        method = 'GET' if request.method == 'HEAD' else request.method
        return await handlers[method](request)

    return Route(path, answer, methods=list(handlers))


async def _refused(_: HttpRequest, error: Exception) -> Response:
    status = getattr(error, 'status', 500)
    # The rest of an upload is not read, so close the connection.
    headers = {'connection': 'close'} if status in (408, 411, 413) else None
    return JSONResponse({'error': str(error)}, status, headers)


async def _left(_: HttpRequest, error: Exception) -> Response:
    return Response(status_code=400)


async def _not_found(_: HttpRequest, error: Exception) -> Response:
    status = getattr(error, 'status_code', 500)
    return JSONResponse({'error': 'This page does not exist.'}, status)


def _describe_file(upload: Upload) -> dict[str, object]:
    job = upload.preparing
    return {
        'token': upload.token,
        'name': upload.name,
        'kind': upload.kind,
        'width': upload.width,
        'height': upload.height,
        'duration': upload.duration,
        'note': upload.note,
        'frames': [[one.index, one.time] for one in list(upload.previews)],
        'ready': job is None or job.state == 'done',
        'share': 1.0 if job is None else round(job.progress.share, 3),
        'error': '' if job is None else job.error,
    }


def _finished(session: Session, token: str) -> tuple[Job, Path]:
    job = session.job(token)
    if job.state != 'done':
        raise RefusedRequestError('The result is not ready yet.', 404)
    return job, session.results[token]


def _remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
