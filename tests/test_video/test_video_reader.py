import http.server
import threading

import av
import numpy as np
import pytest
from PIL import Image
from video_makers import cut_short, psnr, write_video

from mmdsr.dev.views import texture, view
from mmdsr.errors import VideoError
from mmdsr.video.reader import probe, read_video
from mmdsr.video.stamps import Sampler
from mmdsr.video.times import frame_times

KINDS = {
    'mpg1': ('a.mpg', 'mpeg1video', 25),
    'mpg2': ('a.mpg', 'mpeg2video', 25),
    'mp4': ('a.mp4', 'libx264', 10),
    'avi': ('a.avi', 'mpeg4', 10),
    'wmv': ('a.wmv', 'wmv2', 10),
    'mov': ('a.mov', 'libx264', 10),
}


def pan(count=30, step=3, size=(192, 160)):
    surface = texture(1)
    return [view(surface, x=step * i, size=size) for i in range(count)]


def make(tmp_path, kind, frames, **kwargs):
    name, codec, rate = KINDS[kind]
    return write_video(tmp_path / name, frames, codec, rate, **kwargs), rate


@pytest.mark.parametrize('kind', KINDS)
def test_every_frame_arrives(tmp_path, kind):
    frames = pan()
    path, rate = make(tmp_path, kind, frames)
    problems, stats = [], {}
    read = list(read_video(path, problems=problems, stats=stats))
    assert [index for index, _, _ in read] == list(range(30))
    times = [time for _, time, _ in read]
    np.testing.assert_allclose(times, np.arange(30) / rate, atol=2e-3)
    assert list(frame_times(path)) == times
    assert min(psnr(a, b[2]) for a, b in zip(frames, read, strict=True)) > 28
    assert not problems
    assert (stats['decoded'], stats['interlaced']) == (30, 0)
    assert not stats['restarts']
    assert not stats['lost_start']
    info = probe(path)
    assert (info.width, info.height, info.sar) == (192, 160, 1)
    assert info.rate == rate
    assert info.duration == pytest.approx(30 / rate, abs=0.05)


def test_only_wanted_frames(tmp_path):
    path, _ = make(tmp_path, 'mp4', pan())
    read = read_video(path, sampler=Sampler(None, 0.5))
    assert [index for index, _, _ in read] == list(range(0, 30, 5))
    read = read_video(path, sampler=Sampler(7))
    assert [index for index, _, _ in read] == list(range(0, 30, 7))
    keys = list(read_video(path, key_frames=True))
    assert len(keys) == 5


def combed():
    """Fields taken at different times, as an interlaced camera does."""
    surface = texture(2)
    frames = []
    for i in range(12):
        frame = view(surface, x=6 * i)
        frame[1::2] = view(surface, x=6 * i + 3)[1::2]
        frames.append(frame)
    return frames


def combing(image):
    rows = image.astype(float).mean(2)
    near = np.abs(rows[1:] - rows[:-1]).mean()
    return near / np.abs(rows[2:] - rows[:-2]).mean()


def test_interlaced_video_is_deinterlaced(tmp_path):
    path, _ = make(tmp_path, 'mpg2', combed(), interlaced=True)
    stats = {}
    auto = [image for _, _, image in read_video(path, stats=stats)]
    off = [image for _, _, image in read_video(path, deinterlace='off')]
    assert stats['interlaced'] == len(auto) == len(off) == 12
    assert combing(off[5]) > 1.1  # neighbors differ more than rows apart
    assert combing(auto[5]) < 0.8


def test_progressive_video_is_left_alone(tmp_path):
    path, _ = make(tmp_path, 'mpg2', combed())  # combed, but not flagged
    read = {
        mode: [image for _, _, image in read_video(path, deinterlace=mode)]
        for mode in ('auto', 'on', 'off')
    }
    np.testing.assert_array_equal(read['auto'], read['off'])
    assert combing(read['on'][5]) < 0.8 * combing(read['off'][5])


def disc_sides(image):
    ys, xs = np.nonzero(image[..., 0] > 128)
    return np.ptp(xs) + 1, np.ptp(ys) + 1


@pytest.mark.parametrize(
    ('sar', 'size', 'square'),
    [
        ('8/5', (96, 160), (96, 100)),  # as 480x576
        ('4/5', (160, 96), (128, 96)),
        ('1', (160, 96), (160, 96)),
    ],
)
def test_sample_aspect_ratio(tmp_path, sar, size, square):
    ratio = eval(sar)
    ys, xs = np.mgrid[: size[1], : size[0]]
    radius = np.hypot(
        (xs - size[0] / 2) * ratio, ys - size[1] / 2
    )  # round on the screen
    disc = np.where(radius < 36, 255, 0).astype(np.uint8)
    frames = [np.repeat(disc[..., None], 3, 2)] * 6
    path, _ = make(tmp_path, 'avi', frames, sar=sar)
    read = [image for _, _, image in read_video(path)]
    assert read[0].shape[1::-1] == square
    width, height = disc_sides(read[0])
    assert abs(width - height) <= 3
    info = probe(path)
    assert (info.width, info.height) == square
    assert info.sar == pytest.approx(ratio, rel=1e-3)
    kept = [image for _, _, image in read_video(path, sar='keep')]
    assert kept[0].shape[1::-1] == size
    assert probe(path, 'keep').width == size[0]


def test_phone_video_is_turned_upright(tmp_path):
    frames = pan(6)
    path, _ = make(tmp_path, 'mov', frames)
    one, zero = b'\x00\x01\x00\x00', b'\x00\x00\x00\x00'
    minus = b'\xff\xff\x00\x00'
    plain = one + 3 * zero + one
    data = path.read_bytes()
    track = data.rindex(plain)  # the matrix of the track, after the movie's
    turned = zero + one + zero + minus + zero  # a quarter to the right
    path.write_bytes(data[:track] + turned + data[track + len(turned) :])
    read = [image for _, _, image in read_video(path)]
    assert read[0].shape == (192, 160, 3)
    assert psnr(np.rot90(frames[0], -1), read[0]) > 28
    info = probe(path)
    assert (info.width, info.height) == (160, 192)


@pytest.mark.parametrize('kind', ['mpg1', 'mpg2', 'avi', 'wmv', 'mp4'])
def test_a_truncated_video_gives_its_first_part(tmp_path, kind):
    frames = pan(60)
    options = {'movflags': 'faststart'} if kind == 'mp4' else {}
    path, rate = make(tmp_path, kind, frames, **options)
    whole = {index: image for index, _, image in read_video(path)}
    cut_short(path, 0.6)
    problems = []
    part = {i: image for i, _, image in read_video(path, problems=problems)}
    assert 24 <= len(part) < 48
    for index, image in part.items():
        np.testing.assert_array_equal(image, whole[index])
    ((time, text),) = problems
    assert abs(time - max(part) / rate) <= 3 / rate
    assert 'damaged' in text or 'truncated' in text


def test_a_cut_between_two_frames_is_noticed(tmp_path):
    path, _ = make(tmp_path, 'mp4', pan(60), movflags='faststart')
    with av.open(str(path)) as container:
        ends = [p.pos + p.size for p in container.demux(video=0) if p.size]
    data = path.read_bytes()
    assert ends[-1] == len(data)
    path.write_bytes(data[: ends[29]])  # no frame is damaged
    problems = []
    read = list(read_video(path, problems=problems))
    assert len(read) == 30
    assert any(
        'truncated: it ends at 3.0 s of 6.0 s' in p[1] for p in problems
    )


def test_a_last_picture_that_stays_is_no_cut(tmp_path):
    path, _ = make(tmp_path, 'mp4', pan(12))
    target = tmp_path / 'stays.mp4'
    with av.open(str(path)) as old, av.open(str(target), 'w') as new:
        film = new.add_stream_from_template(old.streams.video[0])
        packets = [p for p in old.demux(video=0) if p.size]
        last = max(packets, key=lambda packet: packet.pts)
        last.duration = round(4 / last.time_base)
        for packet in packets:
            packet.stream = film
            new.mux(packet)
    problems = []
    assert len(list(read_video(target, problems=problems))) == 12
    assert problems == []


@pytest.mark.parametrize('kind', ['mpg1', 'mpg2', 'mp4', 'mov', 'avi'])
def test_damage_in_the_middle(tmp_path, kind):
    frames = pan(60)
    path, rate = make(tmp_path, kind, frames)
    whole = {index: image for index, _, image in read_video(path)}
    data = bytearray(path.read_bytes())
    for k in range(60):
        data[len(data) // 2 + k] ^= 0xA5
    path.write_bytes(data)
    problems = []
    read = {i: image for i, _, image in read_video(path, problems=problems)}
    assert problems
    assert abs(problems[0][0] - 30 / rate) < 10 / rate
    assert 45 <= len(read) < 60
    assert max(read) == 59  # it continues behind
    # No damaged picture passes for a sound one.
    assert min(psnr(whole[i], image) for i, image in read.items()) > 40


def _texts():
    return {
        'empty': b'',
        'text': b'Inspection report\n' * 40,
        'subtitles': b'1\n00:00:01,000 --> 00:00:04,000\nhello\n\n' * 4,
        'playlist': b'#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nother.ts\n',
        'bytes': bytes(range(256)) * 8,
    }


@pytest.mark.parametrize('kind', _texts())
def test_other_files_are_refused(tmp_path, kind):
    make(tmp_path, 'avi', pan(6))[0].rename(tmp_path / 'other.ts')
    path = tmp_path / 'a.mp4'
    path.write_bytes(_texts()[kind])
    with pytest.raises(VideoError) as error:
        probe(path)
    assert '\n' not in str(error.value)
    with pytest.raises(VideoError):
        list(read_video(path))


def test_remote_files_are_not_fetched(tmp_path):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = tmp_path / 'a.m3u8'
    place = f'http://127.0.0.1:{server.server_port}/x.ts'
    path.write_text(f'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{place}\n')
    try:
        with pytest.raises(VideoError):
            probe(path)
    finally:
        server.shutdown()
        server.server_close()
    assert not asked


def test_an_index_that_is_missing(tmp_path):
    path, _ = make(tmp_path, 'mov', pan(30))
    cut_short(path, 0.6)  # the index is at the end
    with pytest.raises(VideoError, match='index is missing'):
        probe(path)


def test_sound_only(tmp_path):
    path = tmp_path / 'a.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=8000)
        silence = np.zeros((1, 1024), np.float32)
        for i in range(8):
            frame = av.AudioFrame.from_ndarray(silence, 'fltp', 'mono')
            frame.sample_rate, frame.pts = 8000, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match='no video track'):
        probe(path)


def test_a_still_is_no_video(tmp_path):
    path = tmp_path / 'a.mp4'
    Image.fromarray(pan(1)[0]).save(path, format='PNG')
    with pytest.raises(VideoError):
        probe(path)


def write_tracks(path, *tracks):
    """Each track a list of frames: the first ones as covers are."""
    with av.open(str(path), 'w') as container:
        streams = []
        for frames in tracks:
            codec = 'mjpeg' if len(frames) == 1 else 'mpeg4'
            stream = container.add_stream(codec, rate=10)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
            stream.bit_rate = 4_000_000
            streams.append(stream)
        for frames, stream in zip(tracks, streams, strict=True):
            for frame in frames:
                image = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(frame), 'rgb24'
                )
                container.mux(stream.encode(image))
            container.mux(stream.encode())
    return path


def test_a_cover_before_the_film(tmp_path):
    cover, film = pan(1, size=(640, 480)), pan(12)
    path = write_tracks(tmp_path / 'a.mkv', cover, film)
    info = probe(path)
    assert (info.width, info.height, info.tracks) == (192, 160, 1)
    read = [image for _, _, image in read_video(path)]
    assert len(read) == 12
    assert min(map(psnr, film, read)) > 25


def test_two_films_in_one_file(tmp_path):
    path = write_tracks(
        tmp_path / 'a.mkv', pan(12, size=(96, 64)), pan(9), pan(9)
    )
    info = probe(path)
    assert (info.width, info.height, info.tracks) == (192, 160, 3)
    assert len(list(read_video(path))) == 9


def test_a_file_with_only_a_cover_is_read(tmp_path):
    path = write_tracks(tmp_path / 'a.mkv', pan(1), pan(1, size=(64, 64)))
    assert len(list(read_video(path))) == 1


def test_a_codec_that_is_not_known(tmp_path):
    path, _ = make(tmp_path, 'avi', pan(6))
    path.write_bytes(path.read_bytes().replace(b'FMP4', b'ZZZZ'))
    for call in (probe, lambda path: list(read_video(path))):
        with pytest.raises(VideoError, match='codec is unknown'):
            call(path)


@pytest.mark.slow
def test_a_film_of_large_pictures_is_read(tmp_path):
    path = tmp_path / 'film.mkv'
    # Four times a camera of 5 megapixels.
    width, height = 10240, 8192
    with av.open(path, 'w') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, 'gray'
        picture = np.full((height, width), 7, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, 'gray')
        container.mux([*stream.encode(frame), *stream.encode()])
    (shape,) = [frame.shape for *_, frame in read_video(path)]
    assert shape == (height, width, 3)
