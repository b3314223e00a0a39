"""A page to talk to, and what to send it."""

import io
import time
from contextlib import contextmanager

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from mmdsr.page.app import make_app
from mmdsr.page.limits import Limits

ADDRESS = 'http://127.0.0.1:8000'
#: What the page's own requests carry.
OWN = {'X-Mmdsr': '1'}


@contextmanager
def page(root, limits=None, **options):
    """Serve a page in this process; give a function that makes visitors."""
    app = make_app(root, limits or Limits(), **options)
    with TestClient(app, base_url=ADDRESS):

        def visitor():
            # Not entered: the page starts and ends once.
            client = TestClient(app, base_url=ADDRESS)
            client.headers.update(OWN)
            client.page = app.state.page
            assert client.get('/').status_code == 200
            return client

        yield visitor


def pixels(width=64, height=48, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    large = Image.fromarray(small).resize((width, height))
    return np.asarray(large)


def encoded(image, kind='PNG'):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def send(client, content=None, name='pipe.png'):
    """Upload a file; return the response."""
    if content is None:
        content = encoded(pixels())
    return client.post('/api/files', params={'name': name}, content=content)


def sent(client, content=None, name='pipe.png'):
    """Upload a file that is taken; return what is said of it."""
    response = send(client, content, name)
    assert response.status_code == 201, response.text
    return response.json()


def wait(look, timeout=120):
    """Wait until something is so; return it."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f'nothing came in {timeout} s')


def prepared(client, file):
    """Wait until the frames of a video are there."""

    def look():
        found = client.get(f'/api/files/{file["token"]}').json()
        return found if found['ready'] or found['error'] else None

    return wait(look)


def order(client, upload, **changes):
    """Ask for an enlargement; return the response."""
    fields = {
        'file': upload['token'],
        'number': 0,
        'weights': 'bicubic',
        'reference': 'none',
        'shows': 'picture',
        'region': None,
        'mark': False,
    }
    return client.post('/api/jobs', json={**fields, **changes})


def job_of(client, token):
    jobs = {job['token']: job for job in client.get('/api/jobs').json()}
    return jobs.get(token)


def finished(client, token):
    """Wait until a job has ended; return what is said of it."""

    def look():
        job = job_of(client, token)
        return job if job['state'] not in ('waiting', 'running') else None

    return wait(look)


def enlarged(client, file, **changes):
    """Ask for an enlargement and wait for it."""
    response = order(client, file, **changes)
    assert response.status_code == 201, response.text
    job = finished(client, response.json()['token'])
    assert job['state'] == 'done', job
    return job


def picture(client, job, part):
    """Return one of the pictures of a result."""
    response = client.get(f'/api/jobs/{job["token"]}/{part}')
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content)))


def files_below(root):
    return [path for path in root.rglob('*') if path.is_file()]
