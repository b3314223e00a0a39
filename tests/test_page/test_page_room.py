"""Limits that hold while several requests are being answered."""

import asyncio
import json
import zipfile
from io import BytesIO
from types import SimpleNamespace

import pytest
from page_cases import ADDRESS, OWN, encoded, files_below, order, pixels, sent
from starlette.requests import Request
from starlette.testclient import TestClient

from mmdsr.errors import RefusedRequestError
from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.page.app import make_app
from mmdsr.page.enhance import Weights
from mmdsr.page.jobs import Job, Progress
from mmdsr.page.limits import MIB, Limits
from mmdsr.page.uploads import receive

LIMITS = Limits(files=3, jobs=3)


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Return a visitor of a page whose jobs stay in the queue."""
    choices = (Weights('bicubic', False, False),)
    monkeypatch.setattr('mmdsr.page.orders.list_weights', lambda: choices)
    app = make_app(tmp_path, LIMITS)
    client = TestClient(app, base_url=ADDRESS)
    client.headers.update(OWN)
    client.page = app.state.page
    monkeypatch.setattr(client.page.enlarging, 'add', lambda _: None)
    assert client.get('/').status_code == 200
    yield client
    client.page.close()


@pytest.fixture
def disk(monkeypatch):
    """Return a disk whose free space, beyond what must stay, can be set."""
    disk = SimpleNamespace(room=100 * MIB)
    monkeypatch.setattr(
        'mmdsr.page.sessions.shutil.disk_usage',
        lambda _: SimpleNamespace(free=LIMITS.free + disk.room),
    )
    return disk


def session_of(client):
    (token,) = client.cookies.values()
    return client.page.sessions.find(token)


def upload_slowly(sessions, session):
    content = encoded(pixels())

    async def chunks():
        # Every other upload begins before this one ends.
        await asyncio.sleep(0.1)
        yield content

    return receive(sessions, session, 'a.png', len(content), chunks())


def at_once(*work):
    """Do all; return the errors."""

    async def gather():
        return await asyncio.gather(*work, return_exceptions=True)

    return [one for one in asyncio.run(gather()) if isinstance(one, Exception)]


def test_uploads_in_progress_are_counted(client):
    sessions, session = client.page.sessions, session_of(client)
    (error,) = at_once(*(upload_slowly(sessions, session) for _ in range(4)))
    assert '3 files already' in str(error)
    assert len(session.uploads) == 3
    assert session.incoming == []


def test_uploads_of_all_visitors_leave_the_disk_free(client, disk, tmp_path):
    disk.room = int(1.5 * len(encoded(pixels())))
    sessions = client.page.sessions
    both = session_of(client), sessions.start()
    (error,) = at_once(*(upload_slowly(sessions, one) for one in both))
    assert 'nearly full' in str(error)
    assert error.status == 507
    # The file and its preview.
    assert len(files_below(tmp_path)) == 2


def test_orders_at_once_are_counted(client):
    file = sent(client)
    fields = {'file': file['token'], 'weights': 'bicubic', 'reference': 'none'}
    cookie = client.get('/api/files').request.headers['cookie']

    def add():
        async def body():
            await asyncio.sleep(0.1)
            return {
                'type': 'http.request',
                'body': json.dumps(fields).encode(),
            }

        headers = [(b'cookie', cookie.encode()), (b'host', b'127.0.0.1:8000')]
        scope = {'type': 'http', 'method': 'POST', 'headers': headers}
        return client.page.add_job(Request(scope, body))

    (error,) = at_once(*(add() for _ in range(4)))
    assert isinstance(error, RefusedRequestError)
    assert '3 results already' in str(error)
    assert len(session_of(client).jobs) == 3


def test_jobs_need_a_free_disk(client, disk):
    file = sent(client)
    assert order(client, file).status_code == 201
    disk.room = -1
    response = order(client, file)
    assert response.status_code == 507
    assert 'nearly full' in response.json()['error']
    (job,) = session_of(client).jobs.values()
    # It was full before the turn of the first one came.
    with pytest.raises(RefusedRequestError, match='nearly full'):
        job.work(Progress())


def test_previews_need_a_free_disk(client, disk):
    session = session_of(client)
    assert client.page._preview_path(session, '.jpg').suffix == '.jpg'
    disk.room = -1
    with pytest.raises(RefusedRequestError, match='nearly full'):
        client.page._preview_path(session, '.jpg')


def test_an_archive_needs_a_free_disk(client, disk):
    session = session_of(client)
    folder = session.new_path()
    folder.mkdir()
    result = folder / 'pipe.png'
    for path in (result, sidecar_path(result), overlay_path(result)):
        path.write_bytes(bytes(1000))
    job = Job('', 'pipe', lambda _: {}, outcome={'name': 'pipe.png'})
    job.state = 'done'
    session.jobs[job.token], session.results[job.token] = job, folder
    disk.room = 2999
    response = client.get(f'/api/jobs/{job.token}/download')
    assert response.status_code == 507
    assert not (folder / 'all.zip').exists()
    disk.room = 3000
    content = client.get(f'/api/jobs/{job.token}/download').content
    assert len(zipfile.ZipFile(BytesIO(content)).namelist()) == 3
