"""From an order to a result: one page, its queue and its worker for all."""

import errno
import io
import os
import signal
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from page_cases import (
    encoded,
    enlarged,
    files_below,
    finished,
    job_of,
    order,
    page,
    picture,
    pixels,
    prepared,
    sent,
    wait,
)
from video_makers import write_video

from mmdsr import SuperResolver
from mmdsr.dev.views import drive, texture
from mmdsr.evidence.sidecar import read_sidecar
from mmdsr.evidence.verify import verify
from mmdsr.page.limits import Limits
from mmdsr.video.reader import read_video

pytestmark = pytest.mark.slow
LIMITS = replace(Limits(), region=200_000, jobs=6)
NANO, DEPTH = 'dsrnet_x_nano', 'dsrnet_student'


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


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'drive.mp4'
    return write_video(path, drive(texture(), 12, 1.03))


def test_available_choices(client):
    setup = client.get('/api/setup').json()
    weights = {one.pop('name'): one for one in setup['weights']}
    assert weights[NANO] == {'reference': True, 'depth': False}
    assert weights[DEPTH] == {'reference': True, 'depth': True}
    assert weights['bicubic'] == {'reference': False, 'depth': False}
    assert setup['upload'] == LIMITS.upload


@pytest.mark.parametrize('weights', [NANO, 'bicubic'])
def test_the_result_is_that_of_the_resolver(client, weights):
    image = pixels()
    job = enlarged(client, sent(client, encoded(image)), weights=weights)
    plain = SuperResolver(interpolation='bicubic')
    wanted = plain if weights == 'bicubic' else SuperResolver(weights=weights)
    np.testing.assert_array_equal(
        picture(client, job, 'after'), wanted.enhance(image)
    )
    np.testing.assert_array_equal(
        picture(client, job, 'before'), plain.enhance(image)
    )
    assert job['outcome']['seen'] == 0
    assert not job['outcome']['depth']
    assert client.get(f'/api/jobs/{job["token"]}/depth').status_code == 404


def test_a_region_and_its_part_of_a_reference(client):
    large = pixels(256, 192)
    image = np.ascontiguousarray(large[::4, ::4])
    given = sent(client, encoded(large), 'before.png')
    file = sent(client, encoded(image))
    region = [16, 8, 32, 24]
    resolver = SuperResolver(weights=NANO)
    part = np.ascontiguousarray(image[8:32, 16:48])
    for shows, ref in (
        ('picture', large[32:128, 64:192]),
        ('region', large),
    ):
        job = enlarged(
            client,
            file,
            weights=NANO,
            reference=given['token'],
            region=region,
            shows=shows,
        )
        wanted = resolver.explain(part, np.ascontiguousarray(ref))
        np.testing.assert_array_equal(
            picture(client, job, 'after'), wanted.image
        )
        reference = job['outcome']['reference']
        assert reference['name'] == 'before.png'
        assert len(reference['sha256']) == 64
        assert job['outcome']['confidence']
        drawn = picture(client, job, 'confidence')
        assert drawn.shape[0] > 96
        assert drawn.shape[1] >= 128


def test_depth_is_shown_if_predicted(client):
    job = enlarged(client, sent(client), weights=DEPTH)
    assert job['outcome']['depth']
    shown = picture(client, job, 'depth')
    assert shown.shape == (48, 64, 3)
    assert shown.std() > 0


def test_the_download_passes_the_check(client, tmp_path):
    content = encoded(pixels())
    file = sent(client, content, 'Straße 7.png')
    job = enlarged(client, file, mark=True, region=[0, 0, 48, 48])
    response = client.get(f'/api/jobs/{job["token"]}/download')
    assert response.status_code == 200
    said = response.headers['content-disposition']
    assert 'filename*=utf-8' in said
    assert said.isascii()
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        names = archive.namelist()
        assert not any(set(name) & set('/\\') for name in names)
        archive.extractall(tmp_path)
    result = tmp_path / 'Straße 7_bicubic.png'
    assert len(names) == 3
    source = tmp_path / 'source' / 'Straße 7.png'
    source.parent.mkdir()
    source.write_bytes(content)
    verdict = verify(result, source)
    assert verdict.problems == []
    assert verdict.source_checked
    record = read_sidecar(tmp_path / f'{result.name}.json')
    assert record.mark == 'enhanced'
    assert record.settings['region'] == '0,0,48,48'
    assert record.source.name == 'Straße 7.png'
    # It would tell if one pixel were another one.
    result.write_bytes(result.read_bytes()[:-20] + bytes(20))
    assert verify(result, source).problems


def test_a_long_name_has_a_result(client):
    # 120 characters, but 352 bytes.
    file = sent(client, name=f'{"水" * 116}.png')
    job = enlarged(client, file, weights=DEPTH)
    response = client.get(f'/api/jobs/{job["token"]}/download')
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert len(archive.namelist()) == 3


def test_clicks_at_the_same_time_get_the_whole_archive(client, monkeypatch):
    write, job = zipfile.ZipFile.write, enlarged(client, sent(client))

    def slowly(*args):
        write(*args)
        time.sleep(0.2)

    monkeypatch.setattr(zipfile.ZipFile, 'write', slowly)
    addresses = [f'/api/jobs/{job["token"]}/download'] * 3
    with ThreadPoolExecutor() as pool:
        responses = list(pool.map(client.get, addresses))
    for response in responses:
        assert zipfile.is_zipfile(io.BytesIO(response.content))


def test_half_an_archive_is_not_kept(client, monkeypatch):
    job = enlarged(client, sent(client))
    address = f'/api/jobs/{job["token"]}/download'

    def fail(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, 'write', fail)
        with pytest.raises(OSError, match='No space left'):
            client.get(address)
    content = client.get(address).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == 3


def test_a_frame_uses_detail_of_its_neighbors(client, video):
    file = prepared(client, sent(client, video.read_bytes(), 'drive.mp4'))
    assert file['kind'] == 'video'
    assert [index for index, _ in file['frames']] == list(range(12))
    shown = client.get(f'/api/files/{file["token"]}/picture?number=5')
    assert shown.headers['content-type'] == 'image/jpeg'
    assert (
        client.get(f'/api/files/{file["token"]}/picture?number=12').status_code
        == 404
    )
    job = enlarged(client, file, number=5, weights=NANO, reference='neighbors')
    reference = job['outcome']['reference']
    assert reference['why'] == 'best of the neighboring frames'
    index = int(reference['name'].removeprefix('frame '))
    assert index != 5
    frames = {number: image for number, _, image in read_video(video)}
    wanted = SuperResolver(weights=NANO).explain(frames[5], frames[index])
    np.testing.assert_array_equal(picture(client, job, 'after'), wanted.image)
    assert job['outcome']['name'] == f'drive_frame5_{NANO}.png'
    # Without one it is another result.
    alone = enlarged(client, file, number=5, weights=NANO)
    assert alone['outcome']['reference']['name'] is None
    assert (picture(client, alone, 'after') != wanted.image).any()


def test_no_reference_across_a_cut(client, tmp_path):
    one, other = texture(1), np.ascontiguousarray(texture(2)[..., ::-1])
    other[..., 0] //= 8
    frames = [*drive(one, 1, 1.03), *drive(other // 3, 11, 1.03)]
    video = write_video(tmp_path / 'cut.mp4', frames)
    file = prepared(client, sent(client, video.read_bytes(), 'cut.mp4'))
    job = enlarged(client, file, number=0, weights=NANO, reference='neighbors')
    reference = job['outcome']['reference']
    assert reference['name'] is None
    assert 'separated from the neighboring frames' in reference['why']


def test_a_damaged_video_is_read_as_far_as_possible(client, video):
    data = bytearray(video.read_bytes())
    start = len(data) // 2
    data[start : start + 400] = bytes(400)
    file = prepared(client, sent(client, bytes(data), 'drive.mp4'))
    assert file['frames']
    assert file['error'] == ''


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'file': 'nothing'}, 'no longer exists'),
        ({'file': None}, 'no longer exists'),
        ({'file': '../../etc/passwd'}, 'no longer exists'),
        ({'weights': 'nothing'}, 'weights do not exist'),
        ({'weights': '/etc/passwd'}, 'weights do not exist'),
        ({'weights': {}}, 'weights do not exist'),
        ({'reference': 'neighbors'}, 'does not use a reference'),
        ({'weights': NANO, 'reference': 'neighbors'}, 'has no neighboring'),
        ({'weights': NANO, 'reference': 'nothing'}, 'no longer exists'),
        ({'region': [0, 0, 8, 48]}, 'too small'),
        ({'region': [40, 0, 32, 32]}, 'beyond the picture'),
        ({'region': [-1, 0, 32, 32]}, 'whole pixels'),
        ({'region': [0, 0, 32.5, 32]}, 'whole pixels'),
        ({'region': [0, 0, True, 32]}, 'whole pixels'),
        ({'region': [0, 0, 32]}, 'whole pixels'),
        ({'region': 'all'}, 'whole pixels'),
        ({'region': [0, 0, 10**30, 32]}, 'beyond the picture'),
    ],
)
def test_a_wrong_order_gets_a_plain_message(client, changes, text):
    response = order(client, sent(client), **changes)
    assert response.status_code in (400, 404)
    assert text in response.json()['error']
    assert client.get('/api/jobs').json() == []


@pytest.mark.parametrize(
    'body', [b'', b'[]', b'{', b'7', b'\xff', b'[' * 60_000, b' ' * 70_000]
)
def test_an_invalid_order_is_refused(client, body):
    response = client.post('/api/jobs', content=body)
    assert response.status_code in (400, 413)
    assert 'The request is' in response.json()['error']


def test_a_picture_that_is_too_large_wants_a_region(client):
    file = sent(client, encoded(pixels(512, 400)))
    response = order(client, file)
    assert response.status_code == 400
    assert 'draw a region' in response.json()['error']
    job = enlarged(client, file, region=[100, 100, 64, 48])
    assert (job['outcome']['width'], job['outcome']['height']) == (256, 192)


def test_results_are_limited_in_number(client):
    file = sent(client)
    for _ in range(LIMITS.jobs):
        job = enlarged(client, file)
    response = order(client, file)
    assert response.status_code == 409
    assert 'remove one' in response.json()['error']
    assert client.delete(f'/api/jobs/{job["token"]}').status_code == 204
    assert order(client, file).status_code == 201


def slow(client):
    """Order what takes a while: the largest network, most pixels."""
    file = sent(client, encoded(pixels(512, 384), 'PNG'))
    response = order(
        client, file, weights='dsrnet_teacher_quick', region=[0, 0, 500, 380]
    )
    assert response.status_code == 201
    return response.json()['token']


def running(client, token):
    return wait(
        lambda: (
            (job := job_of(client, token))['state'] == 'running'
            and job['text'] == 'enlarging'
        )
    )


def test_canceling_frees_the_worker_at_once(client, root):
    token = slow(client)
    file = sent(client, name='next.png')
    following = order(client, file).json()
    assert following['before'] == 1
    running(client, token)
    started = time.monotonic()
    assert client.delete(f'/api/jobs/{token}').status_code == 204
    job = finished(client, token)
    assert time.monotonic() - started < 5
    assert job['state'] == 'canceled'
    assert client.get(f'/api/jobs/{token}/after').status_code == 404
    assert client.get(f'/api/jobs/{token}/download').status_code == 404
    assert finished(client, following['token'])['state'] == 'done'
    # Removed from the list by a second click.
    assert client.delete(f'/api/jobs/{token}').status_code == 204
    assert job_of(client, token) is None


def test_a_waiting_order_is_canceled(client):
    token = slow(client)
    waiting = order(client, sent(client)).json()['token']
    assert client.delete(f'/api/jobs/{waiting}').status_code == 204
    assert job_of(client, waiting)['state'] == 'canceled'
    client.delete(f'/api/jobs/{token}')
    assert finished(client, token)['state'] == 'canceled'


def test_the_page_outlives_its_worker(client):
    token = slow(client)
    running(client, token)
    os.kill(client.page.worker._process.pid, signal.SIGKILL)
    job = finished(client, token)
    assert job['state'] == 'failed'
    assert 'choose a smaller region' in job['error']
    assert enlarged(client, sent(client))['state'] == 'done'


def test_a_file_that_was_removed_meanwhile(client, root):
    token = slow(client)
    file = sent(client)
    waiting = order(client, file).json()['token']
    client.delete(f'/api/files/{file["token"]}')
    client.delete(f'/api/jobs/{token}')
    job = finished(client, waiting)
    assert job['state'] == 'failed'
    assert job['error'] == 'The file was removed: upload it again.'


def test_visitors_do_not_see_each_other(visitors):
    one, other = visitors(), visitors()
    file = sent(one)
    job = enlarged(one, file)
    assert other.get('/api/files').json() == []
    assert other.get('/api/jobs').json() == []
    for path in (
        f'/api/files/{file["token"]}',
        f'/api/files/{file["token"]}/picture',
        f'/api/jobs/{job["token"]}/before',
        f'/api/jobs/{job["token"]}/after',
        f'/api/jobs/{job["token"]}/confidence',
        f'/api/jobs/{job["token"]}/download',
    ):
        assert one.get(path).status_code == 200
        assert other.get(path).status_code == 404
    assert order(other, file).status_code == 404
    own = sent(other)
    stolen = order(other, own, weights=NANO, reference=file['token'])
    assert stolen.status_code == 404
    for path in (f'/api/files/{file["token"]}', f'/api/jobs/{job["token"]}'):
        assert other.delete(path).status_code == 404
    # One leaves; the other keeps what is theirs.
    assert other.delete('/api/session').status_code == 204
    assert one.get(f'/api/jobs/{job["token"]}/after').status_code == 200
    assert one.delete('/api/session').status_code == 204


def test_the_end_of_a_session_leaves_nothing(visitors, root):
    client = visitors()
    sent(client)
    enlarged(client, sent(client))
    token = slow(client)
    running(client, token)
    assert files_below(root)
    assert client.delete('/api/session').status_code == 204
    assert files_below(root) == []
    assert client.get('/api/files').status_code == 401


def test_sessions_that_were_left_end(tmp_path):
    with page(tmp_path, Limits(idle=0.5)) as visitor:
        client = visitor()
        sent(client)
        assert files_below(tmp_path)
        wait(lambda: not files_below(tmp_path), timeout=20)
        assert client.get('/api/files').status_code == 401


def test_so_many_visitors_and_no_more(tmp_path):
    with page(tmp_path, Limits(sessions=1)) as visitor:
        one, other = visitor(), visitor()
        sent(one)
        response = other.post(
            '/api/files?name=pipe.png', content=encoded(pixels())
        )
        assert response.status_code == 503
        assert 'Too many people' in response.json()['error']
        one.delete('/api/session')
        sent(other)
