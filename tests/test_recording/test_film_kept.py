"""What a film keeps of its recording: frames, times, sound, shape, colors."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from recording_cases import enhance, frames, record, show
from video_makers import psnr, write_video

from mmdsr.dev.recordings import turn as turn_by
from mmdsr.errors import VideoError
from mmdsr.evidence.verify import verify
from mmdsr.recording.facts import FULL, LIMITED, read_facts
from mmdsr.recording.ownership import report_path

VARIABLE = [0, 1, 2, 5, 6, 11, 12, 13, 20, 21, 22, 40]


def from_first(times):
    return [time - times[0] for time in times]


@pytest.mark.parametrize(
    'suffix', ['.mp4', '.mpg', '.mov', '.avi', '.mkv', '.wmv', '.ts']
)
def test_every_container_keeps_frames_times_and_sound(tmp_path, suffix):
    # What Windows Media has for sound fits into neither format.
    sound = suffix != '.wmv'
    source = record(tmp_path / f'in{suffix}', frames(), sound=sound)
    target = tmp_path / 'out.mkv'
    report = enhance(source, target)
    assert report.finished
    assert report.total == 12
    before, after = show(source), show(target)
    assert len(after.times) == len(before.times) == 12
    for one, other in zip(
        from_first(after.times), from_first(before.times), strict=True
    ):
        assert abs(one - other) <= Fraction(1, 1000)
    # FFV1 at the same size: the decoded pixels themselves.
    for one, other in zip(after.pictures, before.pictures, strict=True):
        assert psnr(one, other) > 45
    assert bool(before.sounds) == sound
    assert [data for _, data in after.sounds] == [
        data for _, data in before.sounds
    ]
    for (one, _), (other, _) in zip(after.sounds, before.sounds, strict=True):
        apart = (one - after.times[0]) - (other - before.times[0])
        assert abs(apart) <= Fraction(3, 2000)


def test_a_variable_rate_is_kept_to_the_tick(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(), stamps=VARIABLE, sound=True)
    assert read_facts(source).variable
    target = tmp_path / 'out.mp4'
    enhance(source, target, scale=2)
    before, after = show(source), show(target)
    expected = [Fraction(stamp, 25) for stamp in VARIABLE]
    assert before.times == expected
    assert after.times == expected
    assert len(before.sounds) > 50
    assert after.sounds == before.sounds
    assert after.pictures[0].shape == (96, 128, 3)
    report = json.loads(report_path(target).read_text())
    assert [one['index'] for one in report['frames']] == list(range(12))
    assert [one['time'] for one in report['frames']] == [
        float(time) for time in expected
    ]
    assert not read_facts(record(tmp_path / 'even.mp4', frames())).variable


def test_a_long_gap_does_not_make_the_last_picture_long(tmp_path):
    source = record(tmp_path / 'in.mkv', frames(), stamps=[*range(11), 90])
    target = tmp_path / 'out.mp4'
    report = enhance(source, target)
    assert report.problems == []
    times = show(target).times
    with av.open(str(target)) as container:
        film = container.streams.video[0]
        length = film.duration * film.time_base
    assert times[-1] - times[0] == Fraction(90, 25)
    # The mean gap would be 0.33 s.
    assert length - times[-1] + times[0] <= Fraction(1, 25)
    assert verify(target, source).problems == []


@pytest.mark.parametrize('every', [1, 9])
def test_a_frame_each_few_seconds(tmp_path, every):
    stamps = [0, 60, 122, 183, 184, 259, 322, 412, 476]
    source = record(tmp_path / 'in.mp4', frames(9), stamps=stamps)
    target = tmp_path / 'out.mkv'
    report = enhance(source, target, every=every)
    assert report.problems == []
    times = show(target).times
    assert [round(25 * time) for time in times] == stamps[::every]
    assert verify(target, source).problems == []


def test_pictures_that_start_after_the_sound(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(), sound=True, delay=0.4)
    target = tmp_path / 'out.mp4'
    enhance(source, target)
    before, after = show(source), show(target)
    assert before.times[0] == Fraction(2, 5)
    assert after.times == before.times
    assert after.sounds == before.sounds


def test_a_part_in_time_with_its_sound(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(50), sound=True)
    target = tmp_path / 'out.mp4'
    report = enhance(source, target, start=0.5, end=1.5)
    assert report.total == 25  # frames 13 to 37
    before, after = show(source), show(target)
    assert after.times == [
        Fraction(n, 25) - Fraction(1, 2) for n in range(13, 38)
    ]
    wanted = [data for time, data in before.sounds if 0.5 <= time < 1.5]
    assert abs(len(after.sounds) - len(wanted)) <= 1
    assert [data for _, data in after.sounds][1:-1] == wanted[1:-1]


def test_every_third_frame_keeps_its_time(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(20), sound=True)
    target = tmp_path / 'out.mp4'
    assert enhance(source, target, every=3).total == 7
    after = show(target)
    assert after.times == [Fraction(n, 25) for n in range(0, 20, 3)]
    assert after.sounds == show(source).sounds


def test_frames_become_files(tmp_path):
    pictures = frames()
    source = record(tmp_path / 'in.mkv', pictures, sound=True)
    target = tmp_path / 'out'
    assert enhance(source, target, every=2).finished
    names = sorted(path.name for path in target.iterdir())
    assert names == [
        f'frame_{n:06d}.png{end}'
        for n in range(0, 12, 2)
        for end in ('', '.json')
    ]
    shown = np.asarray(Image.open(target / names[6]))
    assert psnr(shown, pictures[6]) > 35


def test_pixels_that_are_not_square(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(), sar='16/15')
    for name in ('out.mp4', 'out.mkv'):
        enhance(source, tmp_path / name)
        facts = read_facts(tmp_path / name)
        assert (facts.width, facts.height) == (64, 48)
        assert facts.aspect == Fraction(16, 15)


@pytest.mark.parametrize(('turn', 'sar'), [(90, '3/4'), (180, '4/3')])
def test_rotated_recording_becomes_upright(tmp_path, turn, sar):
    pictures = frames()
    plain = record(tmp_path / 'plain.mp4', pictures, sar='4/3')
    source = turn_by(plain, tmp_path / 'in.mp4', turn)
    facts = read_facts(source)
    assert facts.turned in (turn, 360 - turn)
    target = tmp_path / 'out.mp4'
    report = enhance(source, target)
    assert any('turned upright' in note for note in report.notes)
    made = read_facts(target)
    assert made.turned == 0
    assert made.aspect == Fraction(sar)
    upright = np.rot90(pictures[3], facts.turned // 90)
    assert psnr(show(target).pictures[3], upright) > 30


@pytest.mark.parametrize('full', [False, True])
@pytest.mark.parametrize('matrix', [1, 5])
def test_colors_and_range(tmp_path, matrix, full):
    flat = np.zeros((48, 64, 3), np.uint8)
    flat[:, :32], flat[:, 32:] = (200, 40, 30), (20, 180, 240)
    flat[:24] //= 2
    source = record(
        tmp_path / 'in.mp4',
        [flat] * 6,
        colors=dict(
            colorspace=matrix,
            color_range=FULL if full else LIMITED,
            color_primaries=matrix,
            color_trc=matrix if matrix == 1 else 6,
        ),
    )
    before = read_facts(source).colors
    assert (before.matrix, before.range) == (matrix, FULL if full else LIMITED)
    target = tmp_path / 'out.mp4'
    enhance(source, target, crf=4)
    assert read_facts(target).colors == before
    one, other = show(target).pictures[2], flat
    # Not at the border of two colors, where chroma is coarse.
    for x in (8, 48):
        for y in (8, 36):
            assert np.abs(one[y, x].astype(int) - other[y, x]).max() <= 6
    lossless = tmp_path / 'out.mkv'
    enhance(source, lossless)
    assert read_facts(lossless).colors.primaries == matrix
    again = show(lossless).pictures[2]
    assert np.abs(again[8, 8].astype(int) - flat[8, 8]).max() <= 4


def test_interlaced_frames_are_deinterlaced(tmp_path):
    # The two fields of a frame are a step of a motion apart.
    moved = [np.roll(frames(1)[0], 6 * n, 1) for n in range(20)]
    woven = []
    for n in range(0, 20, 2):
        frame = moved[n].copy()
        frame[1::2] = moved[n + 1][1::2]
        woven.append(frame)
    source = record(tmp_path / 'in.mpg', woven, interlaced=True)
    assert read_facts(source).interlaced

    def combs(path):
        picture = show(path).pictures[5].astype(float).mean(2)
        lines = np.abs(picture[1:-1] * 2 - picture[:-2] - picture[2:]).mean()
        return lines / np.abs(picture[2:] - picture[:-2]).mean()

    enhance(source, tmp_path / 'auto.mkv')
    enhance(source, tmp_path / 'off.mkv', deinterlace='off')
    assert len(show(tmp_path / 'auto.mkv').times) == 10
    assert combs(tmp_path / 'auto.mkv') < 0.5 * combs(tmp_path / 'off.mkv')


def test_sound_that_does_not_fit(tmp_path):
    source = record(tmp_path / 'in.wmv', frames(), sound=True)
    target = tmp_path / 'out.mp4'
    with pytest.raises(VideoError, match=r'sound \(wmav2\).*--audio none'):
        enhance(source, target)
    assert not target.exists()
    enhance(source, target, audio='none')
    assert not show(target).sounds


def test_damage_is_reported_and_the_rest_is_kept(tmp_path):
    source = write_video(
        tmp_path / 'in.ts', frames(48), 'mpeg2video', rate=25, gop=6
    )
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    for place in range(middle, middle + 3000, 7):
        data[place] ^= 0x5A
    source.write_bytes(data)
    report = enhance(source, tmp_path / 'out.mp4')
    assert report.problems
    assert 20 < report.total < 48
    assert len(show(tmp_path / 'out.mp4').times) == report.total


@pytest.mark.parametrize('content', [b'', b'no video' * 100])
def test_other_files_are_refused(tmp_path, content):
    source = tmp_path / 'in.mp4'
    source.write_bytes(content)
    with pytest.raises(VideoError):
        enhance(source, tmp_path / 'out.mp4')
    assert [path.name for path in tmp_path.iterdir()] == ['in.mp4']
