import json
import re
import signal

import cv2
import numpy as np
import pytest
from PIL import Image
from video_makers import blurred, cut_short, join, psnr, write_video

from mmdsr.converters.video_to_refsr import video_to_refsr
from mmdsr.dev.views import drive, texture, view
from mmdsr.io.layout import downscale, read_manifest
from mmdsr.video import reader as video_reader
from mmdsr.video.options import VideoOptions

PLAIN = VideoOptions(overlays='none', window=2)


def read(path):
    with Image.open(path) as file:
        return np.asarray(file)


def content(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def report(out):
    return json.loads((out / 'report.json').read_text())


def fates(video):
    found = {entry['frame']: 'kept' for entry in video['samples']}
    found.update((e['frame'], e['reason']) for e in video['dropped'])
    return found


def test_samples_are_frames_with_nearer_references(tmp_path):
    frames = drive(texture(20), 6)
    video = write_video(tmp_path / 'pipe.mp4', frames)
    out = tmp_path / 'out'
    summary = video_to_refsr([video], out, PLAIN)
    stems = [f'pipe_{i:06d}' for i in range(6)]
    assert read_manifest(out)['splits'] == {'train': stems, 'test': []}
    assert summary.samples == {'train': 6}
    assert any('a video is never divided' in note for note in summary.notes)
    (record,) = report(out)['videos']
    for i, entry in enumerate(record['samples']):
        assert entry['stem'] == stems[i]
        hr = read(out / 'train' / 'hr' / f'{stems[i]}.png')
        assert psnr(frames[i], hr) > 30
        lr = read(out / 'train' / 'lr' / f'{stems[i]}.png')
        np.testing.assert_array_equal(lr, downscale(hr))
        reference = entry['reference']
        ref = read(out / 'train' / 'ref' / f'{stems[i]}.png')
        assert psnr(frames[reference], ref) > 30
        if i < 5:
            assert reference > i
            assert entry['scale'] == pytest.approx(
                1.12 ** (reference - i), rel=0.03
            )
        assert entry['inliers'] >= 15


def test_dropped_frames_have_reasons(tmp_path):
    surface = texture(21)
    frames = [view(surface, x=6 * i) for i in range(12)]
    frames[3] = blurred(frames[3])
    frames[5] = np.zeros_like(frames[5])
    frames[8] = frames[7]
    frames += [view(texture(99))]  # nothing like the others
    video = write_video(tmp_path / 'a.avi', frames)
    out = tmp_path / 'out'
    summary = video_to_refsr([video], out, PLAIN)
    (record,) = report(out)['videos']
    expected = dict.fromkeys(range(13), 'kept') | {
        3: 'blurred',
        5: 'too dark',
        8: 'near-duplicate',
        12: 'without a usable reference',
    }
    assert fates(record) == expected
    assert record['looked_at'] == summary.looked_at == 13
    assert record['counts'] == dict(summary.dropped)
    assert all(e['reference'] not in (3, 5, 8, 12) for e in record['samples'])
    page = (out / 'report.html').read_text()
    for reason in record['counts']:
        assert f'Dropped, {reason} (1 of 1' in page
    # Self-contained: pictures inside, and nothing fetched.
    assert page.count('data:image/jpeg;base64,') >= 2 * 9 + 4
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_frames_without_a_reference_can_be_kept(tmp_path):
    frames = [view(texture(seed)) for seed in (30, 31, 32)]
    video = write_video(tmp_path / 'a.avi', frames)
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match=r'No sample is left.*reference: 3'):
        video_to_refsr([video], out, PLAIN)
    assert [path.name for path in tmp_path.iterdir()] == ['a.avi']
    options = VideoOptions(overlays='none', no_reference='self')
    video_to_refsr([video], out, options)
    (record,) = report(out)['videos']
    assert [entry['reference'] for entry in record['samples']] == ['self'] * 3
    hr = read(out / 'train/hr/a_000000.png')
    lr = read(out / 'train/lr/a_000000.png')
    ref = read(out / 'train/ref/a_000000.png')
    # It holds no more than the low-resolution image does.
    assert ref.shape == hr.shape
    size = hr.shape[1::-1]
    up = np.asarray(Image.fromarray(lr).resize(size, Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(ref, up)
    page = ' '.join((out / 'report.html').read_text().split())
    assert 'no usable reference' in page


def with_text(frames):
    for i, frame in enumerate(frames):
        for words, y in (('MANHOLE 12', 18), (f'{0.37 * i:06.2f} m', 212)):
            for color, width in ((0, 4), (255, 1)):
                cv2.putText(
                    frame, words, (6, y), 0, 0.5, (color,) * 3, width, 16
                )
    return frames


def test_overlays_are_cut_away(tmp_path):
    frames = with_text(drive(texture(22), 14, size=(288, 224)))
    video = write_video(tmp_path / 'a.avi', frames)
    video_to_refsr([video], tmp_path / 'auto', VideoOptions(window=2))
    (record,) = report(tmp_path / 'auto')['videos']
    assert len(record['overlays']) == 2
    _x, y, w, h = record['framing']['box']
    assert w == 288
    assert y >= 19
    assert y + h <= 202
    assert h > 150
    hr = read(tmp_path / 'auto/train/hr/a_000002.png')
    assert hr.shape == (h, w, 3)
    assert psnr(frames[2][y : y + h], hr) > 30
    boxes = ((0, 0, 288, 40), (0, 180, 288, 44))
    options = VideoOptions(window=2, overlays=boxes, size=(96, 64))
    video_to_refsr([video], tmp_path / 'boxes', options)
    (record,) = report(tmp_path / 'boxes')['videos']
    assert record['framing'] == {'box': [39, 40, 210, 140], 'size': [96, 64]}
    options = VideoOptions(window=2, crop=(10, 20, 130, 101))
    video_to_refsr([video], tmp_path / 'crop', options)
    (record,) = report(tmp_path / 'crop')['videos']
    assert record['framing']['box'] == [10, 20, 128, 100]


def test_sampling(tmp_path):
    surface = texture(23)
    frames = [view(surface, x=3 * i) for i in range(40)]
    video = write_video(tmp_path / 'a.avi', frames, rate=20)

    def looked_at(**kwargs):
        out = tmp_path / 'out'
        options = VideoOptions(overlays='none', window=1, **kwargs)
        video_to_refsr([video], out, options, overwrite=True)
        return sorted(fates(report(out)['videos'][0]))

    assert looked_at() == list(range(0, 40, 4))
    assert looked_at(step_seconds=0.5) == list(range(0, 40, 10))
    assert looked_at(every=7) == list(range(0, 40, 7))


def several(tmp_path, count=3):
    return [
        write_video(
            tmp_path / 'in' / f'run {i}.avi', drive(texture(40 + i), 5)
        )
        for i in range(count)
    ]


@pytest.mark.slow
def test_videos_are_held_out_whole(tmp_path):
    several(tmp_path)
    out = tmp_path / 'out'

    def runs(**kwargs):
        video_to_refsr([tmp_path / 'in'], out, PLAIN, overwrite=True, **kwargs)
        return {
            split: {stem.rpartition('_')[0] for stem in stems}
            for split, stems in read_manifest(out)['splits'].items()
        }

    assert runs() == {'train': {'run-0', 'run-1'}, 'test': {'run-2'}}
    assert runs(holdout=['run-0', 'run-1'])['test'] == {'run-0', 'run-1'}
    assert runs(holdout=[1])['train'] == set()
    with pytest.raises(ValueError, match='There is no run elsewhere'):
        runs(holdout=['elsewhere'])


def test_equal_names(tmp_path):
    paths = [
        write_video(tmp_path / name, drive(texture(50 + i), 4))
        for i, name in enumerate(['a/röhre 1.avi', 'b/röhre 1.avi'])
    ]
    out = tmp_path / 'out'
    summary = video_to_refsr(paths, out, PLAIN)
    assert [v['name'] for v in summary.videos] == ['a-röhre-1', 'b-röhre-1']
    assert summary.samples == {'train': 4, 'test': 4}


@pytest.mark.parametrize('stop', [3, pytest.param(9, marks=pytest.mark.slow)])
def test_an_interrupted_call_resumes(tmp_path, stop):
    several(tmp_path)
    whole, out = tmp_path / 'whole' / 'set', tmp_path / 'parts' / 'set'
    video_to_refsr([tmp_path / 'in'], whole, PLAIN)
    calls = []

    def interrupt(name, seconds, duration):
        calls.append(name)
        if len(calls) > stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video_to_refsr([tmp_path / 'in'], out, PLAIN, progress=interrupt)
    assert not out.exists()
    with pytest.raises(FileExistsError, match='other settings'):
        video_to_refsr([tmp_path / 'in'], out, VideoOptions())
    summary = video_to_refsr([tmp_path / 'in'], out, PLAIN)
    assert summary.resumed == stop // 7
    assert content(out) == content(whole)
    assert [path.name for path in out.parent.iterdir()] == ['set']


def test_finished_conversion_is_not_repeated(tmp_path):
    several(tmp_path)
    out = tmp_path / 'set'
    first = video_to_refsr([tmp_path / 'in'], out, PLAIN)
    before = content(out)
    again = video_to_refsr([tmp_path / 'in'], out, PLAIN)
    assert again.resumed == len(first.videos)
    assert (again.samples, again.looked_at, again.problems) == (
        first.samples,
        first.looked_at,
        first.problems,
    )
    assert content(out) == before
    # A part of it is gone: it is not taken for finished.
    next((out / 'train' / 'hr').iterdir()).unlink()
    with pytest.raises(FileExistsError, match='already exists'):
        video_to_refsr([tmp_path / 'in'], out, PLAIN)
    video_to_refsr([tmp_path / 'in'], out, PLAIN, overwrite=True)
    assert content(out) == before
    with pytest.raises(FileExistsError, match='already exists'):
        video_to_refsr([tmp_path / 'in'], out, VideoOptions())


def test_failures_are_named_and_the_rest_is_done(tmp_path):
    paths = several(tmp_path)
    long = write_video(
        tmp_path / 'in' / 'long.mp4',
        drive(texture(60), 20, 1.04),
        codec='libx264',
        movflags='faststart',
    )
    cut_short(long, 0.6)
    paths[0].write_bytes(b'')
    text = tmp_path / 'in' / 'text.mp4'
    text.write_text('no video\n' * 50)
    options = VideoOptions(overlays='none', window=2, size=(128, 96))
    write_video(
        tmp_path / 'in' / 'tiny.avi', drive(texture(61), 4, size=(96, 80))
    )
    out = tmp_path / 'out'
    summary = video_to_refsr([tmp_path / 'in'], out, options, ['run-0', 0.5])
    problems = {file: (time, text) for file, time, text in summary.problems}
    assert set(problems) == {'run 0.avi', 'text.mp4', 'long.mp4', 'tiny.avi'}
    assert 'empty' in problems['run 0.avi'][1]
    assert 'not a video' in problems['text.mp4'][1]
    assert 'requested size' in problems['tiny.avi'][1]
    assert 1 < problems['long.mp4'][0] < 3.5
    kept = {v['name']: len(v['samples']) for v in summary.videos}
    assert kept['run-1'] == kept['run-2'] == 5
    assert 6 < kept['long'] < 18
    assert kept['tiny'] == kept['text'] == kept['run-0'] == 0
    page = (out / 'report.html').read_text()
    for _, text in problems.values():
        assert text.split('(')[0] in page


def test_every_file_of_a_folder_is_read_or_named(tmp_path):
    folder = tmp_path / 'in'
    for i, (name, codec) in enumerate(
        [
            ('a.mp4', 'libx264'),
            ('b.asf', 'wmv2'),
            ('c.flv', 'libx264'),
            ('d.m2ts', 'mpeg2video'),
            ('e.264', 'libx264'),
        ]
    ):
        write_video(folder / name, drive(texture(60 + i), 3), codec, 25)
    (folder / 'e.264').rename(folder / 'recording')
    (folder / 'empty.wmv').write_bytes(b'')
    (folder / 'notes.txt').write_text('pipe 7\n')
    out = tmp_path / 'out'
    options = VideoOptions(overlays='none', window=2, every=1)
    summary = video_to_refsr([folder], out, options)
    kept = {v['file']: len(v['samples']) for v in summary.videos}
    assert kept == dict.fromkeys(
        ['a.mp4', 'b.asf', 'c.flv', 'd.m2ts', 'recording'], 3
    ) | {'empty.wmv': 0}
    assert [file for file, _, _ in summary.problems] == ['empty.wmv']
    (note,) = summary.notes
    assert note.startswith('One file is left out')
    assert 'notes.txt' in note
    assert note in (out / 'report.html').read_text()
    assert report(out)['notes'] == [note]


def test_a_joined_recording(tmp_path):
    surfaces = texture(64), texture(65)
    parts = [
        write_video(
            tmp_path / f'{i}.mpg', drive(surface, 25, 1.03), 'mpeg2video', 25
        )
        for i, surface in enumerate(surfaces)
    ]
    video = join(tmp_path / 'a.mpg', *parts)
    options = VideoOptions(overlays='none', window=1)
    video_to_refsr([video], tmp_path / 'out', options)
    (record,) = report(tmp_path / 'out')['videos']
    assert sorted(fates(record)) == list(range(0, 50, 5))
    assert not record['problems']
    assert record['notes'] == [
        'Its time stamps restart at 0:01.00; times continue there.'
    ]
    for entry in record['samples']:
        assert (entry['frame'] < 25) == (entry['reference'] < 25)


def test_a_crash_of_the_decoder(tmp_path, monkeypatch):
    """What was read before is kept, and the other videos are done."""
    paths = several(tmp_path, 2)
    frames = drive(texture(66), 40, 1.02)
    write_video(paths[0], frames)
    real = video_reader._Child.__iter__

    def crash(self):
        for number, item in enumerate(real(self)):
            yield item
            if number == 5:
                self.process.send_signal(signal.SIGSEGV)
                self.process.wait()

    monkeypatch.setattr(video_reader._Child, '__iter__', crash)
    summary = video_to_refsr([tmp_path / 'in'], tmp_path / 'out', PLAIN)
    ((file, _, text),) = summary.problems
    assert file == 'run 0.avi'
    assert re.match(r'damaged at frame \d+: .* SIGSEGV', text)
    kept = {v['name']: len(v['samples']) for v in summary.videos}
    assert kept['run-1'] == 5
    assert 5 <= kept['run-0'] < 30


def test_no_readable_video(tmp_path):
    for name in ('a.mp4', 'b <i>.mpg'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(ValueError, match=r'No video can be read.*a\.mp4'):
        video_to_refsr([tmp_path], tmp_path / 'out')
    assert len(list(tmp_path.iterdir())) == 2


def test_a_changed_video_is_not_resumed(tmp_path):
    (video,) = several(tmp_path, 1)
    out = tmp_path / 'out'

    def interrupt(name, seconds, duration):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video_to_refsr([video], out, PLAIN, progress=interrupt)
    write_video(video, drive(texture(70), 6))
    with pytest.raises(FileExistsError, match='other settings'):
        video_to_refsr([video], out, PLAIN)
    video_to_refsr([video], out, PLAIN, overwrite=True)


def test_names_cannot_break_the_page(tmp_path):
    video = write_video(
        tmp_path / '<script>alert(1)<' / '<b>.avi', drive(texture(71), 4)
    )
    video_to_refsr([video], tmp_path / 'out', PLAIN)
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert '<script' not in page
    assert '<b>' not in page
    assert '&lt;b&gt;.avi' in page


@pytest.mark.parametrize(
    'wrong',
    [
        {'scale': 1},
        {'size': (450, 320)},
        {'size': (32, 32)},
        {'deinterlace': 'maybe'},
        {'sar': 'wide'},
        {'overlays': 'some'},
        {'overlays': ((0, 0, 0, 5),)},
        {'crop': (-1, 0, 100, 100)},
        {'every': 0},
        {'step_seconds': -1.0},
        {'step_seconds': float('nan')},
        {'window': 0},
        {'min_matches': 3},
        {'min_spread': 1.5},
        {'no_reference': 'keep'},
        {'dark': 300},
        {'blur': 2},
        {'duplicate': -1},
    ],
)
def test_options_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)) + '|box'):
        VideoOptions(**wrong)


def test_a_video_with_the_name_of_a_fraction(tmp_path):
    frames = drive(texture(20), 3)
    for name in ('1', '0', 'a'):
        write_video(tmp_path / 'in' / f'{name}.mp4', frames)
    (tmp_path / 'in/1.mp4').write_bytes(b'broken')
    out = tmp_path / 'out'
    for value in '01':
        with pytest.raises(ValueError, match=f'--holdout {value} is both'):
            video_to_refsr([tmp_path / 'in'], out, PLAIN, holdout=[value])
    (tmp_path / 'in/1.mp4').rename(tmp_path / 'in/b.mp4')
    # Of the names that are given, none can be read.
    video_to_refsr([tmp_path / 'in'], out, PLAIN, holdout=['b'])
    assert read_manifest(out)['splits']['test'] == []


def test_videos_in_the_data_set_are_not_deleted(tmp_path):
    out = tmp_path / 'out'
    video = write_video(tmp_path / 'a.mp4', drive(texture(20), 3))
    video_to_refsr([video], out, PLAIN)
    video = video.rename(out / 'a.mp4')
    with pytest.raises(ValueError, match=r'a\.mp4 is inside'):
        video_to_refsr([video], out, PLAIN, overwrite=True)
    assert video.is_file()
