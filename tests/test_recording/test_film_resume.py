"""A film is whole or absent, however often its making is interrupted."""

import os
import signal
import threading
import time
from fractions import Fraction

import filelock
import numpy as np
import pytest
from forks import Fork
from PIL import Image
from recording_cases import bicubic, enhance, frames, record, show

from mmdsr.recording import export
from mmdsr.recording.export import Hooks, enhance_recording
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.ownership import report_path
from mmdsr.recording.staging import staging_root

COUNT = 40


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    return record(folder / 'in.mp4', frames(COUNT), sound=True)


@pytest.fixture(scope='module')
def whole(source):
    """The film made in one go."""
    target = source.with_name('whole.mkv')
    enhance(source, target, scale=1)
    return show(target)


def same(path, whole):
    made = show(path)
    assert made.times == whole.times
    # What AAC needs to get going lies before the first picture.
    assert [time - made.times[0] for time in made.times] == [
        Fraction(n, 25) for n in range(COUNT)
    ]
    assert made.sounds == whole.sounds
    for one, other in zip(made.pictures, whole.pictures, strict=True):
        np.testing.assert_array_equal(one, other)


def make(source, target):
    """Make the film; for a process of its own."""
    enhance(source, target, scale=1)


def killed(source, target, ready):
    """Kill a run once ``ready()`` says so; tell whether it was killed."""
    process = Fork(make, source, target)
    limit = time.monotonic() + 120
    while process.poll() is None and not ready():
        assert time.monotonic() < limit
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_killed_at_any_moment(source, whole, tmp_path):
    target = tmp_path / 'out.mkv'
    root = staging_root(target)

    def segments(count):
        return lambda: len(list(root.glob('0*.json'))) >= count

    moments = [
        lambda: (root / 'settings.json').exists(),
        lambda: (root / 'plan.json').exists(),
        lambda: any(root.glob('.*.tmp')),
        segments(1),
        segments(3),
        segments(6),
        lambda: (root / 'range.json').exists(),
        lambda: (root / 'joined.mkv').exists(),
        lambda: (root / 'joined.json').exists(),
        lambda: target.exists(),
    ]
    stopped = sum(killed(source, target, ready) for ready in moments)
    assert stopped >= 6
    assert Fork(make, source, target).wait(120) == 0
    same(target, whole)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ['out.mkv', 'out.mkv.json', 'out.mkv.report.json']


def test_a_lock_left_beside_a_finished_film_goes(source, tmp_path):
    target = tmp_path / 'out.mkv'
    make(source, target)
    # Killed between the last two steps of cleaning up.
    root = staging_root(target)
    root.mkdir()
    (root / '.lock').touch()
    make(source, target)
    assert not root.exists()
    # Not a folder that is somebody else's.
    root.mkdir()
    (root / '.lock').touch()
    (root / 'notes.txt').touch()
    make(source, target)
    assert len([*root.iterdir()]) == 2


def test_an_interrupted_film_is_resumed(source, whole, tmp_path):
    target = tmp_path / 'out.mkv'
    seen = []

    def stop(moment, picture):
        seen.append(moment.index)
        if len(seen) == 17:
            raise KeyboardInterrupt
        return {}

    options = RecordingOptions(
        text='none', scale=1, reference='none', segment=5
    )
    with pytest.raises(KeyboardInterrupt):
        enhance_recording(
            bicubic(), source, target, options, 'cpu', hooks=Hooks(frame=stop)
        )
    assert not target.exists()
    done = list(staging_root(target).glob('0*.mkv'))
    assert len(done) >= 2
    assert not list(staging_root(target).glob('.*.tmp'))
    times = {path.name: path.stat().st_mtime_ns for path in done}
    with pytest.raises(FileExistsError, match='made with other settings'):
        enhance(source, target, scale=2)
    seen.clear()
    hooks = Hooks(frame=lambda moment, _: seen.append(moment.index) or {})
    report = enhance_recording(
        bicubic(), source, target, options, 'cpu', hooks=hooks
    )
    assert report.total == COUNT
    assert seen == list(range(5 * len(times), COUNT))
    same(target, whole)


def test_parts_make_one_film(source, whole, tmp_path):
    target = tmp_path / 'out.mkv'
    first = enhance(source, target, part=1, parts=3)
    assert not first.finished
    assert first.written == 15
    assert first.missing == 5
    assert not target.exists()
    second = enhance(source, target, part=0, parts=3)
    assert not second.finished
    last = enhance(source, target, part=2, parts=3)
    assert last.finished
    assert first.written + second.written + last.written == COUNT
    same(target, whole)


@pytest.mark.parametrize('order', [(0, 1), (1, 0)])
@pytest.mark.parametrize('after', [0, 20])
def test_parts_agree_on_where_the_size_changes(tmp_path, order, after):
    """Only the first part sees the pictures of another size."""
    source = tmp_path / 'in.mpg'
    # The last picture before a joint is not decoded.
    sizes = dict(a=((64, 48), 24), b=((80, 64), 5), c=((64, 48), after))
    source.write_bytes(
        b''.join(
            record(tmp_path / f'{name}.mpg', frames(count, size)).read_bytes()
            for name, (size, count) in sizes.items()
            if count
        )
    )
    target = tmp_path / 'out.mkv'
    reports = [
        enhance(source, target, part=n, parts=2, segment=10) for n in order
    ]
    assert [report.finished for report in reports] == [False, True]
    assert len(show(target).pictures) == 23
    assert 'changes its size to 80x64' in reports[-1].problems[-1][1]


@pytest.mark.slow
def test_parts_at_the_same_time(source, whole, tmp_path):
    target = tmp_path / 'out.mkv'
    processes = [Fork(make, source, target) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    same(target, whole)


@pytest.fixture
def all_but_joined(source, tmp_path, monkeypatch):
    """The OUT of two parts whose segments are all finished."""
    target = tmp_path / 'out.mkv'

    def stop(*args):
        raise KeyboardInterrupt

    enhance(source, target, part=0, parts=2)
    with monkeypatch.context() as patch:
        patch.setattr(export, 'make_whole', stop)
        with pytest.raises(KeyboardInterrupt):
            enhance(source, target, part=1, parts=2)
    return target


def just_made(folder):
    return sorted(path.name for path in folder.iterdir()) == [
        'out.mkv',
        'out.mkv.json',
        'out.mkv.report.json',
    ]


@pytest.mark.parametrize(
    'turn', [1, 2, 3, 4, 5], ids=['look', 'open', 'again', 'plan', 'join']
)
def test_a_part_is_overtaken_by_the_one_that_joins(
    source, whole, all_but_joined, monkeypatch, turn
):
    """The other part takes each of the locks just before this one."""
    target, real, asked = all_but_joined, filelock.FileLock, []

    def late(path):
        asked.append(path)
        if len(asked) == turn:
            other = enhance(source, target, part=0, parts=2)
            assert other.finished
        return real(path)

    monkeypatch.setattr(filelock, 'FileLock', late)
    report = enhance(source, target, part=1, parts=2)
    assert len(asked) > turn
    assert report.finished
    assert (report.written, report.total) == (0, COUNT)
    assert just_made(target.parent)
    same(target, whole)


def test_a_part_waits_while_another_joins(
    source, whole, all_but_joined, monkeypatch
):
    """The folder is removed, with the lock that is waited for."""
    target, make_whole = all_but_joined, export.make_whole
    reports, waits = [], threading.Event()

    def late():
        reports.append(enhance(source, target, part=1, parts=2))

    other = threading.Thread(target=late)

    def join(*args):
        real = filelock.FileLock

        def asked(path):
            waits.set()
            return real(path)

        monkeypatch.setattr(filelock, 'FileLock', asked)
        other.start()
        assert waits.wait(60)
        return make_whole(*args)

    monkeypatch.setattr(export, 'make_whole', join)
    reports.append(enhance(source, target, part=0, parts=2))
    other.join(60)
    assert [report.finished for report in reports] == [True, True]
    assert just_made(target.parent)
    same(target, whole)


@pytest.mark.parametrize('parts', [1, 2])
def test_what_is_finished_is_not_begun_again(
    source, whole, tmp_path, monkeypatch, parts
):
    """Another run of the same command has been faster."""
    target, seen = tmp_path / 'out.mkv', []

    def overtake(moment, picture):
        seen.append(moment.index)
        if len(seen) == 1:
            for part in range(parts):
                enhance(source, target, part=part, parts=parts)
        return {}

    report = enhance_recording(
        bicubic(),
        source,
        target,
        RecordingOptions(text='none', scale=1, reference='none', segment=5),
        'cpu',
        overlap=False,
        parts=parts,
        hooks=Hooks(frame=overtake),
    )
    assert report.finished
    assert len(seen) < 5
    assert just_made(target.parent)
    same(target, whole)


def test_a_finished_film_is_kept_or_replaced_on_demand(source, tmp_path):
    target = tmp_path / 'out.mkv'
    enhance(source, target, every=8)
    before = target.stat().st_mtime_ns
    again = enhance(source, target, every=8)
    assert again.finished
    assert again.written == 0
    assert again.total == 5
    assert target.stat().st_mtime_ns == before
    with pytest.raises(
        FileExistsError, match=r'every was 8, is 10.*overwrite'
    ):
        enhance(source, target, every=10)
    options = RecordingOptions(text='none', scale=1, every=10)
    report = enhance_recording(
        bicubic(), source, target, options, 'cpu', overwrite=True
    )
    assert report.total == 4
    assert len(show(target).times) == 4


def test_files_among_the_frames_are_not_deleted(source, tmp_path):
    target = tmp_path / 'out'
    enhance(source, target, every=8)
    notes = target / 'notes.txt'
    notes.write_text('precious')
    options = RecordingOptions(text='none', scale=1, every=10)
    with pytest.raises(FileExistsError, match=r'\(notes\.txt\)'):
        enhance_recording(
            bicubic(), source, target, options, 'cpu', overwrite=True
        )
    assert len(list(target.iterdir())) == 11
    notes.unlink()
    enhance_recording(
        bicubic(), source, target, options, 'cpu', overwrite=True
    )
    assert len(list(target.iterdir())) == 8


def test_files_of_others_are_not_touched(source, tmp_path):
    target = tmp_path / 'mine.mp4'
    target.write_bytes(b'precious')
    with pytest.raises(FileExistsError, match='not made by this command'):
        enhance(source, target)
    with pytest.raises(FileExistsError, match='not made by this command'):
        enhance_recording(
            bicubic(),
            source,
            target,
            RecordingOptions(scale=1),
            overwrite=True,
        )
    assert target.read_bytes() == b'precious'
    # Not even a film of its own: here it is the recording.
    film = tmp_path / 'film.mkv'
    enhance(source, film, every=8)
    before = film.read_bytes()
    options = RecordingOptions(text='none', scale=1)
    with pytest.raises(FileExistsError, match='is the recording'):
        enhance_recording(bicubic(), film, film, options, overwrite=True)
    assert film.read_bytes() == before
    folder = tmp_path / 'full'
    folder.mkdir()
    (folder / 'a.txt').write_text('a')
    with pytest.raises(FileExistsError, match='not made by this command'):
        enhance(source, folder)
    assert [path.name for path in folder.iterdir()] == ['a.txt']


@pytest.mark.parametrize('begun', [True, False])
def test_the_time_of_the_files_does_not_matter(tmp_path, begun):
    source = record(tmp_path / 'in.mp4', frames(8))
    reference = tmp_path / 'reference.png'
    Image.fromarray(frames(1)[0]).save(reference)
    target = tmp_path / 'out.mkv'
    words = dict(reference=str(reference), segment=4, parts=1 + begun)
    assert enhance(source, target, **words).finished != begun
    for path in (source, reference):
        os.utime(path, (1, 1))
    last = enhance(source, target, part=int(begun), **words)
    assert last.finished
    assert (last.written, last.total) == (4 if begun else 0, 8)
    # Their content does.
    Image.fromarray(frames(2)[1]).save(reference)
    with pytest.raises(FileExistsError, match='content of reference has'):
        enhance(source, target, **words)


def test_a_changed_source_is_not_mixed_in(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(10))
    target = tmp_path / 'out.mkv'
    enhance(source, target, part=0, parts=2)
    record(source, frames(11))
    with pytest.raises(FileExistsError, match='content of source has'):
        enhance(source, target, part=1, parts=2)
    assert not report_path(target).exists()
