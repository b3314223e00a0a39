"""The command, given a recording."""

import errno
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recording_cases import frames, record, show

from mmdsr import SuperResolver
from mmdsr.cli.main import main
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.recording import assemble, export, trial, writer
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.staging import film_in
from mmdsr.recording.trial import try_frames

FAST = ['--interpolation', 'bicubic', '--text', 'none', '--device', 'cpu']


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    return record(folder / 'in.mp4', frames(20), sound=True)


def run(capsys, *words):
    """Run the command: exit code and what it says in one line."""
    try:
        code = main(['enhance', *map(str, words)])
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr()
    return code, said.err + said.out


@pytest.mark.usefixtures('real_children')
def test_recording_is_enhanced_to_a_film(source, tmp_path, capsys):
    target = tmp_path / 'out.mp4'
    code, said = run(capsys, source, target, *FAST, '--scale', 2)
    assert code == 0
    assert said == f'20 frames written to {target}\n'
    assert show(target).pictures[0].shape == (96, 128, 3)
    code, said = run(capsys, source, target, *FAST, '--scale', 2)
    assert code == 0
    assert said.endswith('20 of them existed already\n')
    code, said = run(capsys, source, target, *FAST)
    assert code == 2
    assert 'scale was 2, is 4' in said
    assert said.count('\n') == 1
    assert '--overwrite' in said
    code, _ = run(capsys, source, target, *FAST, '--every', 5, '--overwrite')
    assert code == 0
    assert len(show(target).times) == 4


def test_a_part_of_time_by_clock(source, tmp_path, capsys):
    target = tmp_path / 'out'
    when = ['--start', '00:00:00.2', '--end', '0:00.4']
    assert run(capsys, source, target, *FAST, *when, '--scale', 1)[0] == 0
    assert [path.name for path in sorted(target.iterdir())] == [
        f'frame_{n:06d}.png{end}'
        for n in range(5, 10)
        for end in ('', '.json')
    ]


def test_parts(source, tmp_path, capsys):
    target = tmp_path / 'out.mkv'
    words = [source, target, *FAST, '--scale', 1]
    code, said = run(capsys, *words, '--part', '2/2')
    assert code == 0
    assert '1 segment is left to other processes' in said
    assert run(capsys, *words, '--part', '1/2')[0] == 0
    assert len(show(target).times) == 20


def test_dry_run_and_preview(source, tmp_path, capsys):
    target = tmp_path / 'out.mp4'
    words = [source, target, *FAST, '--scale', 2]
    code, said = run(capsys, *words, '--dry-run')
    assert code == 0
    assert 'h264 in mov' in said
    assert '64x48, 25 frames/s, sound: aac, 0.8 s' in said
    assert 'About 20 frames of 128x96' in said
    assert 's a frame, about 0:00:' in said
    assert not list(tmp_path.iterdir())
    code, said = run(capsys, *words, '--preview')
    assert code == 0
    names = [f'out.mp4.preview{n}.png' for n in (1, 2, 3)]
    assert {path.name for path in tmp_path.iterdir()} == {
        *names,
        *(f'{name}.json' for name in names),
    }
    for name in names:
        words = ['verify', tmp_path / name, '--source', source]
        assert main([str(word) for word in words]) == 0
    capsys.readouterr()
    run(capsys, source, tmp_path / 'whole.mkv', *FAST, '--scale', 2)
    shown = show(tmp_path / 'whole.mkv').pictures
    for name, index in zip(names, (2, 10, 18), strict=True):
        picture = np.asarray(Image.open(tmp_path / name))
        np.testing.assert_array_equal(picture, shown[index])


@pytest.fixture(scope='module')
def variable(tmp_path_factory):
    """0.6 s at 25 frames/s, then a frame each second."""
    stamps = [*range(0, 60, 4), 100, 200, 300, 400, 500]
    folder = tmp_path_factory.mktemp('variable')
    return record(folder / 'in.mkv', frames(20), 100, stamps)


@pytest.mark.parametrize(
    ('words', 'count', 'shown'),
    [
        (['--start', 1.5, '--end', 3.5], 2, [0, 1]),
        (['--start', 0.2, '--end', 0.6], 10, [1, 5, 9]),
        (['--start', 2.9], 3, [0, 1, 2]),
        (['--end', 2.5, '--every', 4], 5, [0, 2, 4]),
    ],
)
def test_a_section_of_a_variable_rate_is_tried(
    variable, tmp_path, capsys, words, count, shown
):
    words = [*FAST, '--scale', 1, *words]
    target = tmp_path / 'out.mkv'
    code, said = run(capsys, variable, target, *words, '--dry-run')
    assert code == 0
    assert f'About {count} frames of 64x48' in said
    assert run(capsys, variable, target, *words, '--preview')[0] == 0
    assert run(capsys, variable, target, *words)[0] == 0
    film = show(target).pictures
    assert len(film) == count
    found = sorted(tmp_path.glob('out.mkv.preview?.png'))
    assert len(found) == len(shown)
    for path, index in zip(found, shown, strict=True):
        np.testing.assert_array_equal(Image.open(path), film[index])


def test_a_section_without_frames_is_refused(variable, tmp_path, capsys):
    words = [*FAST, '--start', 1.2, '--end', 1.9]
    for more in ([], ['--dry-run']):
        code, said = run(capsys, variable, tmp_path / 'o.mkv', *words, *more)
        assert code == 2
        assert 'no frame between' in said
    assert not list(tmp_path.iterdir())


def test_a_dry_run_draws_the_confidence_and_writes_nothing(source, tmp_path):
    trial = try_frames(
        SuperResolver(weights='dsrnet_x_nano'),
        source,
        tmp_path / 'out.mp4',
        RecordingOptions(text='none'),
        'cpu',
        EvidenceOptions(confidence=True),
        write=False,
    )
    assert all(shot.overlay is not None for shot in trial.shots)
    assert not trial.paths
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--refs', 'a'], '--refs is for images, but'),
        (['--confidence'], 'an interpolation uses none: leave'),
        (['--reference', 'neighbor'], 'neighbor is for images'),
        (['--reference', 'none.png'], 'there is no file none.png'),
        (['--reference', 'previous'], 'leave out --reference previous or'),
        (['--tile', '64'], '--tile is for networks: leave out --tile or'),
        (['--batch-size', '2'], '--batch-size is for networks'),
        (['--precision', 'fp32'], '--precision is for networks'),
        (['--scale', '3'], 'scale must be one of 1, 2, 4'),
        (['--crf', '99'], 'crf must be at least 0 and at most 51'),
        (['--every', '0'], 'every must be at least 1'),
        (['--start', 'soon'], "'soon' is not a time"),
        (['--start', '5', '--end', '4'], 'end must be after start'),
        (['--start', '60'], 'no frame between 60.0 s and its end'),
        (['--region', 'near'], "'near' is neither 'whole' nor 'far'"),
        (['--region', '0,0,500,500'], 'extends beyond the picture'),
        (['--show', 'inset'], 'shows a part of the picture'),
        (['--text', '1,2'], "'1,2' is not a box"),
        (['--part', '3/2'], 'is not valid'),
    ],
)
def test_wrong_options_take_one_line(source, tmp_path, capsys, words, message):
    target = tmp_path / 'out.mp4'
    base = ['--interpolation', 'bicubic', '--device', 'cpu']
    code, said = run(capsys, source, target, *base, *words)
    assert code == 2
    assert message in said
    assert said.startswith('Error: ')
    assert said.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_out_and_in_that_do_not_fit(source, tmp_path, capsys):
    for place in ('.', '..', '/'):
        code, said = run(capsys, source, place, *FAST)
        assert code == 2
        assert 'name a file, or a folder' in said
    code, said = run(capsys, source, tmp_path / 'out.wmv', *FAST)
    assert code == 2
    assert 'end it in .mp4' in said
    code, said = run(capsys, tmp_path / 'no.mp4', tmp_path / 'out.mp4', *FAST)
    assert code == 2
    assert said == f'Error: No such file or directory: {tmp_path}/no.mp4\n'
    code, said = run(capsys, source, tmp_path / 'out.mp4', *FAST[:-1], 'cow')
    assert code == 2
    assert said.startswith('Error: The device cow cannot be used')
    os.mkfifo(tmp_path / 'pipe.mp4')
    code, said = run(capsys, tmp_path / 'pipe.mp4', tmp_path / 'o.mp4', *FAST)
    assert code == 2
    assert 'pipe.mp4 is not a regular file' in said
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(source.read_bytes()[:200])
    code, said = run(capsys, broken, tmp_path / 'out.mp4', *FAST)
    assert code == 2
    assert 'not a video' in said
    image = tmp_path / 'a.png'
    Image.fromarray(frames(1)[0]).save(image)
    code, said = run(capsys, image, tmp_path / 'o', '--region', 'far')
    assert code == 2
    assert '--region is for recordings' in said


def test_the_report_has_a_line_for_each_frame(source, tmp_path, capsys):
    target = tmp_path / 'out.mkv'
    words = ['--weights', 'dsrnet_x_nano', '--text', 'none', '--scale', 1]
    assert run(capsys, source, target, *words, '--every', 4)[0] == 0
    report = json.loads((tmp_path / 'out.mkv.report.json').read_text())
    assert [one['index'] for one in report['frames']] == [0, 4, 8, 12, 16]
    assert all(one['why'] for one in report['frames'])
    assert any(one['references'] for one in report['frames'])
    assert report['facts']['sounds'][0]['codec'] == 'aac'
    assert report['cuts'] == []
    assert report['seconds'] > 0


@pytest.mark.parametrize('out', ['13:05.mp4', '13:05.mkv', '13:05'])
def test_relative_names_with_a_colon(source, tmp_path, monkeypatch, out):
    """FFmpeg would take what is before the colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(source, '12:40.mp4')
    words = ['enhance', '12:40.mp4', out, *FAST, '--scale', '1']
    assert main([*words, '--preview']) == 0
    assert main(words) == 0
    assert main(['verify', out, '--source', '12:40.mp4']) == 0


@pytest.mark.parametrize(
    ('number', 'advice'),
    [
        (errno.ENOSPC, 'repeat the command to resume'),
        (errno.EDQUOT, 'repeat the command to resume'),
        (errno.EFBIG, 'FAT32'),
    ],
)
def test_a_full_disk_is_resumed(
    source, tmp_path, capsys, monkeypatch, number, advice
):
    def full(path):
        raise OSError(number, os.strerror(number), str(path))

    target = tmp_path / 'out.mkv'
    words = [source, target, *FAST, '--scale', 1]
    with monkeypatch.context() as patch:
        patch.setattr(writer, 'whole_file', full)
        code, said = run(capsys, *words)
    assert code == 2
    assert os.strerror(number) in said
    assert advice in said
    assert not target.exists()
    assert run(capsys, *words)[0] == 0
    assert len(show(target).times) == 20


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_a_disk_that_is_full_when_joining(
    source, tmp_path, capsys, monkeypatch
):
    whole_file = assemble.whole_file

    @contextmanager
    def full(path):
        with whole_file(path) as temporary:
            temporary.symlink_to('/dev/full')
            yield temporary

    words = [source, tmp_path / 'out.mkv', *FAST, '--scale', 1]
    with monkeypatch.context() as patch:
        patch.setattr(assemble, 'whole_file', full)
        code, said = run(capsys, *words)
    assert code == 2
    joined = tmp_path / '.out.mkv.partial' / 'joined.mkv'
    assert said == (
        f'Error: No space left on device: {joined}. Free some space and '
        'repeat the command to resume\n'
    )
    code, said = run(capsys, *words)
    assert code == 0
    assert '20 of them existed already' in said


def test_a_segment_that_is_damaged_when_joining(
    source, tmp_path, capsys, monkeypatch
):
    make_whole = export.make_whole

    def damage(film, staging, *args):
        film_in(staging.root, 0).write_bytes(b'no film')
        return make_whole(film, staging, *args)

    words = [source, tmp_path / 'out.mkv', *FAST, '--scale', 1]
    with monkeypatch.context() as patch:
        patch.setattr(export, 'make_whole', damage)
        code, said = run(capsys, *words)
    assert code == 2
    assert said == (
        f'Error: {source}: the finished segment 000000.mkv is damaged: repeat '
        'the command, which makes it anew.\n'
    )
    assert run(capsys, *words)[0] == 0
    assert len(show(tmp_path / 'out.mkv').times) == 20


def test_a_recording_that_is_gone_when_joining(
    source, tmp_path, capsys, monkeypatch
):
    copy = shutil.copy(source, tmp_path / 'copy.mp4')
    make_whole = export.make_whole

    def lose(*args):
        copy.unlink()
        return make_whole(*args)

    monkeypatch.setattr(export, 'make_whole', lose)
    code, said = run(capsys, copy, tmp_path / 'out.mkv', *FAST, '--scale', 1)
    assert code == 2
    assert said == (
        f'Error: {copy}: its sound cannot be read: No such file or directory.'
        '\n'
    )


@pytest.fixture
def no_survey(monkeypatch):
    """Whatever is refused is refused before the recording is surveyed."""

    def refuse(*args):
        raise AssertionError('the recording was surveyed')

    for module in (export, trial):
        monkeypatch.setattr(module, 'make_plan', refuse)


@pytest.mark.usefixtures('no_survey')
@pytest.mark.parametrize(
    ('size', 'words', 'said'),
    [
        ((4112, 16), [], '16448x64: end OUT in .mkv or set --scale 2'),
        (
            (16, 4100),
            ['--preview'],
            '64x16400: end OUT in .mkv or set --scale 2',
        ),
        (
            (2064, 16),
            ['--side-by-side', '--dry-run'],
            '16512x64: end OUT in .mkv or set --scale 2 or omit '
            '--side-by-side',
        ),
        (
            (8208, 16),
            ['--side-by-side', '--scale', 1],
            '16416x16: end OUT in .mkv or omit --side-by-side',
        ),
    ],
)
def test_pictures_too_large_for_an_mp4(tmp_path, capsys, size, words, said):
    wide = record(tmp_path / 'in.mkv', [np.zeros((*size[::-1], 3), np.uint8)])
    target = tmp_path / 'out.mp4'
    code, text = run(capsys, wide, target, *FAST, *words)
    assert code == 2
    assert text == (
        'Error: An MP4 has at most 16384 columns and rows, but the pictures '
        f'would be {said}.\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ['in.mkv']


def test_pictures_too_large_for_an_mp4_fit_into_an_mkv(tmp_path, capsys):
    wide = record(tmp_path / 'in.mkv', [np.zeros((16, 4112, 3), np.uint8)])
    assert run(capsys, wide, tmp_path / 'out.mkv', *FAST)[0] == 0
    (picture,) = show(tmp_path / 'out.mkv').pictures
    assert picture.shape == (64, 16448, 3)


@pytest.mark.usefixtures('no_survey')
@pytest.mark.parametrize('more', [[], ['--preview'], ['--dry-run']])
def test_a_broken_reference_is_named(source, tmp_path, capsys, more):
    broken = tmp_path / 'broken.png'
    broken.write_text('no image')
    words = [source, tmp_path / 'out.mp4', '--reference', broken, *more]
    code, said = run(capsys, *words, '--device', 'cpu')
    assert code == 2
    assert said.startswith(f'Error: The reference {broken} cannot be used: ')
    assert said.count('\n') == 1
    assert [path.name for path in tmp_path.iterdir()] == ['broken.png']


@pytest.mark.parametrize(
    ('out', 'words', 'said'),
    [
        ('a.mp4', ['--preview', '--dry-run'], 'omit one of them'),
        ('a.mkv', ['--crf', 20], 'will be without loss: omit --crf'),
        ('a', ['--crf', 20], 'will be without loss: omit --crf'),
        ('a', ['--audio', 'none'], 'a folder of frames: omit --audio'),
    ],
)
def test_options_without_effect(source, tmp_path, capsys, out, words, said):
    code, text = run(capsys, source, tmp_path / out, *FAST, *words)
    assert code == 2
    assert said in text
    assert text.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_not_there(source, tmp_path, capsys):
    words = [source, tmp_path / 'a.mp4', '--device', 'nowhere']
    code, text = run(capsys, *words)
    assert code == 2
    assert 'The device nowhere cannot be used' in text


def test_one_frame_is_not_frames(source, tmp_path, capsys):
    words = ['--dry-run', '--every', 50, *FAST[:2], '--text', 'auto']
    _, text = run(capsys, source, tmp_path / 'a.mp4', *words)
    assert 'About 1 frame of' in text
