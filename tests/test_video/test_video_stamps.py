import av
import numpy as np
import pytest
from video_makers import cut_short, join, psnr, write_video

from mmdsr.dev.views import texture, view
from mmdsr.video.reader import probe, read_video
from mmdsr.video.stamps import Sampler, Timeline
from mmdsr.video.times import frame_times

RATE = 25


def pan(count=20, seed=1):
    surface = texture(seed)
    return [view(surface, x=3 * i, size=(96, 64)) for i in range(count)]


def read(path, **kwargs):
    problems, stats = [], {}
    frames = list(read_video(path, problems=problems, stats=stats, **kwargs))
    return frames, problems, stats


def times(frames):
    return [time for _, time, _ in frames]


def place(stamps, **kwargs):
    line = Timeline(RATE, **kwargs)
    return [line.place(s, i) for i, s in enumerate(stamps)], line.restarts


def test_gaps_are_kept():
    # A camera that skips what does not move.
    stamps = [3.0, 3.04, 3.5, 17.0, 400.0]
    assert place(stamps) == (pytest.approx([0, 0.04, 0.5, 14, 397]), [])


def test_stamps_that_start_anew_follow_the_last():
    stamps = [9.0, 9.04, 0.0, 0.1, 0.2, 0.0, 0.04]
    expected = [0, 0.04, 0.08, 0.18, 0.28, 0.28, 0.28]
    assert place(stamps) == (pytest.approx(expected), [0.08])
    stamps = [9.0, 9.04, 0.0, 1.0, 0.2, 0.24]
    expected = [0, 0.04, 0.08, 1.08, 1.12, 1.16]
    assert place(stamps) == (pytest.approx(expected), [0.08, 1.12])


def test_one_stray_stamp_is_no_new_beginning():
    stamps = [9.0, 9.04, 3.0, 9.12, 9.16]
    assert place(stamps) == (pytest.approx([0, 0.04, 0.08, 0.12, 0.16]), [])


def test_stamps_that_have_counted_over():
    far = 2**33 / 90_000
    stamps = [3600.0, 3600.04, far, far + 0.04]
    expected = pytest.approx([0, 0.04, 0.08, 0.12])
    assert place(stamps, wraps=True) == (expected, [0.08])
    # Elsewhere it is a gap.
    assert place(stamps)[0][2] > 90_000


def test_without_stamps():
    assert place([None] * 3) == ([0, 0.04, 0.08], [])


@pytest.mark.parametrize(
    ('suffix', 'codec'),
    [('mpg', 'mpeg2video'), ('ts', 'mpeg2video'), ('ts', 'libx264')],
)
def test_a_recording_joined_from_two(tmp_path, suffix, codec):
    one, two = pan(50), pan(30, 2)
    path = join(
        tmp_path / f'a.{suffix}',
        write_video(tmp_path / f'1.{suffix}', one, codec, RATE),
        write_video(tmp_path / f'2.{suffix}', two, codec, RATE),
    )
    frames, problems, stats = read(path)
    assert [index for index, _, _ in frames] == list(range(80))
    np.testing.assert_allclose(times(frames), np.arange(80) / RATE, atol=2e-3)
    assert list(frame_times(path)) == pytest.approx(times(frames))
    assert min(map(psnr, one + two, [image for *_, image in frames])) > 25
    assert not problems
    assert stats['restarts'] == [2.0]
    # Each 0.4 s of all, not of the first part only.
    frames, _, _ = read(path, sampler=Sampler(None, 0.4))
    assert [index for index, _, _ in frames] == list(range(0, 80, 10))


def test_joined_to_a_far_earlier_part(tmp_path):
    """FFmpeg takes it for a counter that has run over, 26 hours later."""
    kwargs = dict(codec='mpeg2video', rate=RATE, muxdelay='0')
    path = join(
        tmp_path / 'a.ts',
        write_video(
            tmp_path / '1.ts', pan(), stamps=range(90_000, 90_020), **kwargs
        ),
        write_video(tmp_path / '2.ts', pan(), stamps=range(20), **kwargs),
    )
    frames, problems, stats = read(path)
    np.testing.assert_allclose(times(frames), np.arange(40) / RATE, atol=2e-3)
    assert list(frame_times(path)) == pytest.approx(times(frames))
    assert not problems
    assert stats['restarts'] == [0.8]


@pytest.mark.parametrize('codec', ['mpeg2video', 'libx264'])
@pytest.mark.parametrize('later', [60, 2500])
def test_joined_to_a_later_part(tmp_path, codec, later):
    """The end of a part is whole, though the transport misses packets."""
    one, two = pan(50), pan(30, 2)
    path = join(
        tmp_path / 'a.ts',
        write_video(tmp_path / '1.ts', one, codec, RATE),
        write_video(
            tmp_path / '2.ts',
            two,
            codec,
            RATE,
            stamps=range(later, later + 30),
        ),
    )
    frames, problems, stats = read(path)
    assert list(frame_times(path)) == pytest.approx(times(frames))
    assert not problems
    assert [i for i, _, _ in frames] == list(range(80))
    assert min(map(psnr, one + two, [image for *_, image in frames])) > 25
    stamps = [*range(50), *range(later, later + 30)]
    # The muxer may let a file begin some frames later.
    np.testing.assert_allclose(
        times(frames), np.array(stamps) / RATE, atol=2.6 / RATE
    )
    # The same as where a piece was lost: it is told.
    assert len(stats['gaps']) == 1
    assert not stats['restarts']
    assert 1.5 < stats['gaps'][0] < 2


def test_a_lost_piece_before_a_key_frame(tmp_path):
    """What is left of the last picture is seen by the decoder."""
    truth = pan(60)
    path = write_video(tmp_path / 'a.ts', truth, 'libx264', RATE, gop=10)
    with av.open(str(path)) as container:
        places = [p.pos for p in container.demux(video=0) if p.is_keyframe]
    data = path.read_bytes()
    key = places[3] // 188 * 188
    start = (places[1] + places[2]) // 2 // 188 * 188
    path.write_bytes(data[:start] + data[key:])
    frames, problems, stats = read(path)
    assert problems or stats['gaps']
    assert len(frames) > 40
    for _, _, image in frames:
        assert max(psnr(image, other) for other in truth) > 25


def behead(path, share):
    """Cut the first part of a transport stream off."""
    data = path.read_bytes()
    path.write_bytes(data[int(share * len(data)) // 188 * 188 :])
    return path


@pytest.mark.parametrize('codec', ['mpeg2video', 'libx264'])
def test_a_start_between_two_key_frames(tmp_path, codec):
    whole = write_video(tmp_path / 'a.ts', pan(90), codec, RATE, gop=60)
    frames = read(whole)[0]
    path = behead(whole, 0.4)
    with av.open(str(path)) as container:
        packets = list(container.demux(video=0))
    assert not packets[0].is_keyframe
    left, problems, stats = read(path)
    assert not problems
    assert len(left) == 30
    assert stats['lost_start'] > 0.5
    for one, other in zip(left[::-1], frames[::-1], strict=False):
        np.testing.assert_array_equal(one[2], other[2])


def test_joined_between_two_key_frames(tmp_path):
    one = write_video(tmp_path / '1.ts', pan(50), 'mpeg2video', RATE)
    two = write_video(
        tmp_path / '2.ts', pan(60, 2), 'mpeg2video', RATE, gop=30
    )
    behead(two, 0.3)
    frames, problems, _ = read(join(tmp_path / 'a.ts', one, two))
    assert [text for _, text in problems] == [
        'joined to a part that lacks its start'
    ]
    assert [index for index, _, _ in frames[:50]] == list(range(50))
    # Nothing is decoded from the pictures of the first part.
    truth = pan(60, 2)
    for index, _, image in frames[50:]:
        assert max(psnr(image, other) for other in truth) > 25, index
    assert len(frames) == 80


@pytest.mark.parametrize('suffix', ['mkv', 'mp4', 'flv', 'ts', 'mpg'])
def test_a_late_first_stamp(tmp_path, suffix):
    codec = 'mpeg2video' if suffix == 'mpg' else 'libx264'
    late = range(2500, 2560)
    path = write_video(
        tmp_path / f'a.{suffix}', pan(60), codec, RATE, stamps=late
    )
    frames, problems, stats = read(path)
    np.testing.assert_allclose(times(frames), np.arange(60) / RATE, atol=2e-3)
    assert not problems
    assert not stats['lost_start']
    assert probe(path).duration == pytest.approx(2.4, abs=0.1)


def test_a_late_first_stamp_and_truncated(tmp_path):
    path = tmp_path / 'a.mkv'
    late = range(2500, 2620)
    write_video(path, pan(120), 'libx264', RATE, stamps=late)
    _, problems, _ = read(cut_short(path, 0.6))
    assert problems
    assert 2 < problems[0][0] < 4


def test_a_variable_rate(tmp_path):
    stamps = [*range(10), *range(200, 210)]
    path = write_video(
        tmp_path / 'a.mkv', pan(), 'libx264', RATE, stamps=stamps
    )
    frames, problems, stats = read(path)
    np.testing.assert_allclose(
        times(frames), np.array(stamps) / RATE, atol=2e-3
    )
    assert not problems
    assert not stats['restarts']
