"""What may be uploaded, and what is left of what may not."""

import io
import struct
import zlib

import pytest
from page_cases import encoded, files_below, page, pixels, send, sent

from mmdsr.page.limits import Limits
from mmdsr.page.uploads import clean_name

LIMITS = Limits(upload=300_000, stored=500_000, files=3, pixels=60_000)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tmp_path_factory.mktemp('page')


@pytest.fixture(scope='module')
def visitors(root):
    with page(root, LIMITS) as visitor:
        yield visitor


@pytest.fixture
def client(visitors):
    client = visitors()
    yield client
    assert client.delete('/api/session').status_code == 204


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'TIFF', 'WEBP', 'BMP'])
def test_a_picture_is_taken_and_shown(client, kind):
    file = sent(client, encoded(pixels(), kind), f'pipe.{kind.lower()}')
    assert (file['width'], file['height']) == (64, 48)
    assert file['kind'] == 'image'
    assert file['ready']
    shown = client.get(f'/api/files/{file["token"]}/picture')
    assert shown.status_code == 200
    # Every browser shows it, a TIFF too.
    assert shown.headers['content-type'] == 'image/jpeg'
    assert client.get('/api/files').json() == [file]


def bomb():
    """Return a PNG file that says it has 4 thousand million pixels."""
    header = struct.pack('>IIBBBBB', 2**16, 2**16, 8, 2, 0, 0, 0)

    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack('>I', len(data)) + name + data + crc.to_bytes(4)

    start = b'\x89PNG\r\n\x1a\n'
    packed = zlib.compress(bytes(1000))
    return start + chunk(b'IHDR', header) + chunk(b'IDAT', packed)


def eps():
    """Return PostScript, which Pillow would have Ghostscript run."""
    lines = '%!PS-Adobe-3.0 EPSF-3.0', '%%BoundingBox: 0 0 64 48', 'showpage'
    return '\n'.join(lines).encode()


@pytest.mark.parametrize(
    ('name', 'content', 'status', 'text'),
    [
        ('pipe.png', b'no picture', 415, 'cannot be read as a picture'),
        ('pipe.png', b'', 400, 'The file is empty'),
        ('pipe.png', bomb(), 413, 'too many pixels'),
        ('pipe.png', encoded(pixels(400, 200)), 413, 'too many pixels'),
        ('pipe.png', encoded(pixels(64, 12)), 400, 'is too small'),
        ('pipe.png', encoded(pixels())[:-90], 415, 'cannot be read'),
        ('pipe.jpg', eps(), 415, 'cannot be read as a picture'),
        ('pipe.eps', eps(), 415, 'does not have the suffix'),
        ('pipe.html', b'<script>', 415, 'does not have the suffix'),
        ('pipe', encoded(pixels()), 415, 'does not have the suffix'),
        ('pipe.mp4', b'no video', 415, 'cannot be read as a video'),
        ('pipe.mp4', b'#EXTM3U\nfile:///etc/passwd', 415, 'as a video'),
        ('pipe.png', bytes(300_001), 413, 'is too large'),
    ],
)
def test_a_wrong_file_gets_a_plain_message(
    client, root, name, content, status, text
):
    before = files_below(root)
    response = send(client, content, name)
    assert response.status_code == status
    message = response.json()['error']
    assert text in message
    assert str(root) not in message
    assert files_below(root) == before
    assert client.get('/api/files').json() == []


def test_a_length_is_asked_for(client, root):
    def chunks():
        yield encoded(pixels())

    response = send(client, chunks())
    assert response.status_code == 411
    assert 'its length' in response.json()['error']
    assert files_below(root) == []


@pytest.mark.parametrize('length', ['10', '200000'])
def test_uploads_of_wrong_length_are_dropped(client, root, length):
    response = client.post(
        '/api/files?name=pipe.png',
        content=encoded(pixels()),
        headers={'Content-Length': length},
    )
    assert response.status_code == 400
    assert 'interrupted' in response.json()['error']
    assert files_below(root) == []


def test_files_are_limited_in_number_and_in_all(client):
    for _ in range(3):
        file = sent(client)
    response = send(client)
    assert response.status_code == 409
    assert '3 files already' in response.json()['error']
    for one in client.get('/api/files').json():
        client.delete(f'/api/files/{one["token"]}')
    large = io.BytesIO(encoded(pixels(), 'BMP'))
    large.seek(0, io.SEEK_END)
    large.write(bytes(250_000))
    sent(client, large.getvalue(), 'a.bmp')
    response = send(client, large.getvalue(), 'b.bmp')
    assert response.status_code == 409
    assert 'remove one' in response.json()['error']
    # Removed, it makes room again.
    assert client.get(f'/api/files/{file["token"]}').status_code == 404


def test_removed_files_leave_nothing(client, root):
    file = sent(client)
    assert files_below(root)
    assert client.delete(f'/api/files/{file["token"]}').status_code == 204
    assert files_below(root) == []


@pytest.mark.parametrize(
    'name',
    [
        '../../../etc/passwd.png',
        '..\\..\\windows\\pipe.png',
        '/etc/pipe.png',
        'pipe\x00.png',
        'C:\\pipe.png',
    ],
)
def test_a_name_is_never_a_path(client, root, name):
    file = sent(client, name=name)
    assert not set(file['name']) & set('/\\\x00')
    assert file['name'].endswith('.png')
    # All that was written has a random name in the session's own folder.
    for path in files_below(root):
        assert path.parent.parent == root
        assert 'p' not in path.stem.removesuffix('_small')


@pytest.mark.parametrize(
    ('name', 'clean'),
    [
        ('pipe.png', 'pipe.png'),
        ('..', 'unnamed'),
        ('', 'unnamed'),
        ('a/b\\c.jpg', 'c.jpg'),
        ('Straße 7.tif', 'Straße 7.tif'),
        ('a\r\nSet-Cookie: x.png', 'aSet-Cookie: x.png'),
        (f'{"x" * 300}.png', f'{"x" * 176}.png'),
        (f'{"水" * 120}.png', f'{"水" * 58}.png'),
        (f'a{"я" * 150}.jpeg', f'a{"я" * 87}.jpeg'),
    ],
)
def test_clean_names(name, clean):
    assert clean_name(name) == clean


def test_an_upload_that_stands_still_is_given_up(root):
    import asyncio

    from mmdsr.errors import RefusedRequestError
    from mmdsr.page.uploads import receive

    async def never():
        yield b'\x89PNG'
        await asyncio.sleep(60)

    with page(root, Limits(stall=0.1)) as visitor:
        sessions = visitor().page.sessions
        session = sessions.start()
        work = receive(sessions, session, 'pipe.png', 100, never())
        with pytest.raises(RefusedRequestError, match='has stalled'):
            asyncio.run(work)
        assert session.incoming == []
    assert files_below(root) == []
