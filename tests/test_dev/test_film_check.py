"""The check of films: it passes what is the same, and sees what is not."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from tool_runs import call

from mmdsr.dev.film_check import check, compare
from mmdsr.dev.film_kinds import KINDS
from mmdsr.dev.kill import contents, differences
from mmdsr.dev.recordings import turn, write_recording
from mmdsr.dev.views import drive, texture

PLAIN = next(kind for kind in KINDS if kind.name == 'mkv-uneven')
MP4 = next(kind for kind in KINDS if kind.name == 'mkv-uneven-to-mp4')
STAMPS = [0, 1, 2, 4, 5, 8, 9, 10, 14, 15, 16, 17]


def problems(folder, kind, change):
    """Compare a recording with one in which something is changed."""
    made = dict(
        pictures=drive(texture(), 12, 1.1, (64, 48)),
        stamps=list(STAMPS),
        sound=True,
    )
    source = write_recording(folder / 'in.mkv', **made)
    change(made)
    target = write_recording(folder / f'out{kind.made}', **made)
    return compare(kind, source, target, 1)[0].problems


def lose(made):
    del made['pictures'][5], made['stamps'][5]


def swap(made):
    p = made['pictures']
    p[4], p[5] = p[5], p[4]


def late(made):
    made['stamps'][7:] = [stamp + 1 for stamp in made['stamps'][7:]]


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda made: None, ''),
        (lose, '11 of 12 frames are there'),
        (swap, 'frame 4 shows frame 5'),
        (late, 'times are off by 0.04'),
        (lambda made: made.update(sound=False), 'the sound differs'),
        (lambda made: made.update(sar='2/1'), 'sar is 2 instead of 1'),
        (lambda made: made['pictures'].reverse(), 'dB only'),
    ],
)
@pytest.mark.parametrize('kind', [PLAIN, MP4])
def test_differences_are_found(tmp_path, kind, change, said):
    found = problems(tmp_path, kind, change)
    assert any(said in one for one in found) if said else found == []


def test_a_recording_is_enhanced_and_compared(tmp_path):
    kind = next(kind for kind in KINDS if kind.name == 'mp4-turned')
    words = ['--interpolation', 'bicubic', '--text', 'none', '--device', 'cpu']
    found = check(kind, drive(texture(), 8, 1.1, (64, 48)), tmp_path, words, 2)
    assert found.problems == []
    assert found.frames == (8, 8)
    assert found.size == (96, 128)
    assert found.sar == (Fraction(4, 3), Fraction(3, 4))
    assert found.sounds > 10
    assert found.psnr > 28


@pytest.mark.slow
def test_the_tool_kills_resumes_and_compares():
    done = call(
        'dev/check_recordings.py', '--count', 30, '--size', 96, 80,
        '--kinds', 'mpg-interlaced',
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert '30 -> 30' in done.stdout
    assert '1 segments' in done.stdout
    assert 'the same' in done.stdout


def test_films_are_compared_without_the_time_of_their_making(tmp_path):
    def film(name, **options):
        folder = tmp_path / name
        folder.mkdir()
        write_recording(
            folder / 'a.mkv', drive(texture(), 6, size=(64, 48)), **options
        )
        report = '{"format": "mmdsr-recording", "created": "%s", "size": %d}'
        (folder / 'a.mkv.report.json').write_text(report % (name, 3))
        record = '{"format": "mmdsr-evidence", "created": "%s", "checksum": %s'
        (folder / 'a.mkv.json').write_text(
            f'{record % (name, name)}, "output": {{"file_sha256": {name}}}}}'
        )
        return folder

    one, same, other = film('1'), film('2'), film('3', delay=0.2)
    assert not differences(contents(one), contents(same))
    (same / 'a.mkv.report.json').write_text(
        '{"format": "mmdsr-recording", "size": 4}'
    )
    assert differences(contents(one), contents(same)) == [
        ('a.mkv.report.json', 'differs')
    ]
    assert ('a.mkv', 'differs') in differences(contents(one), contents(other))
    # A film that is turned has the same packets.
    (same / 'a.mkv').unlink()
    turn(one / 'a.mkv', same / 'a.mkv', 90)
    assert ('a.mkv', 'differs') in differences(contents(one), contents(same))


def test_views_of_a_drive_differ():
    frames = drive(texture(), 60, 1.03, (64, 48), turn=12)
    gaps = [
        np.abs(a.astype(int) - b).mean() for a, b in itertools.pairwise(frames)
    ]
    assert min(gaps) > 1
