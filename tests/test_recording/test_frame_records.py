"""Frames as files: each has its record, whatever has interrupted the work."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from forks import Fork, kill_at_rename
from PIL import Image
from recording_cases import bicubic, frames, record

from mmdsr import SuperResolver
from mmdsr.dev.views import drive, texture
from mmdsr.evidence import verify as checking
from mmdsr.evidence.digests import pixels_digest
from mmdsr.evidence.embedding import png_texts, read_png, read_tags
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.record import embedded
from mmdsr.evidence.sidecar import overlay_path, read_sidecar, sidecar_path
from mmdsr.evidence.verify import verify_folder
from mmdsr.io.checksums import digest
from mmdsr.io.images import save_png
from mmdsr.recording.export import Hooks, enhance_recording
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.ownership import report_path
from mmdsr.recording.staging import staging_root

COUNT = 9
SMALL = RecordingOptions(text='none', scale=1, segment=4)
PLAIN = RecordingOptions(text='none', scale=1, segment=4, reference='none')
ALL = EvidenceOptions(confidence=True)
BARE = EvidenceOptions(sidecar=False)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    pictures = drive(texture(), COUNT, 1.02, size=(96, 80))
    return record(folder / 'in.mp4', pictures)


@pytest.fixture(scope='module')
def nano():
    return SuperResolver(weights='dsrnet_x_nano')


@pytest.fixture(scope='module')
def whole(source, nano):
    """All of it made in one go; tests do not change it."""
    target = source.with_name('whole')
    enhance_recording(nano, source, target, SMALL, 'cpu', evidence=ALL)
    return target


@pytest.fixture
def plain(source, tmp_path):
    """Frames without a network, for tests that change them."""
    target = tmp_path / 'out'
    enhance_recording(bicubic(), source, target, PLAIN, 'cpu')
    return target


def names(numbers, ends=('', '.json')):
    return sorted(f'frame_{n:06d}.png{end}' for n in numbers for end in ends)


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def known(folder):
    """What is in a folder of frames, apart from when it was made."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == '.json':
            made = read_sidecar(path)
            output = replace(made.output, file_sha256=None)
            found[path.name] = replace(made, created='', output=output)
            # The file says the same of itself.
            _, tags = read_png(path.with_suffix(''))
            assert read_tags(tags, path.name) == embedded(made)
        else:
            found[path.name] = pixels_digest(read_png(path)[0])
    return found


def test_each_frame_has_a_record(source, whole, monkeypatch):
    assert len(listed(whole)) == 3 * COUNT
    hashed = []
    monkeypatch.setattr(
        checking, 'digest', lambda path: hashed.append(path) or digest(path)
    )
    verdicts = list(verify_folder(whole, source))
    assert [one.name for one in verdicts] == names(range(COUNT), [''])
    assert all(not one.problems for one in verdicts)
    assert all(one.source_checked for one in verdicts)
    # A recording is large: not once for each frame.
    assert hashed.count(source) == 1
    report = json.loads(report_path(whole).read_text())
    for verdict, line in zip(verdicts, report['frames'], strict=True):
        made = verdict.record
        (frame,) = made.frames
        assert (frame.index, frame.time) == (line['index'], line['time'])
        assert [f'frame {one["frame"]}' for one in line['references']] == [
            frame.reference.name
        ]
        assert frame.reference.why == line['why']
        assert 0 < frame.confidence < 1
        assert 0 <= frame.seen <= 1
        assert made.source.name == 'in.mp4'
        assert made.source.sha256 == digest(source)
        assert made.output.kind == 'image'
        assert made.weights.name.startswith('dsrnet_x_nano')
        assert made.settings['recording.reference'] == 'auto'
    assert len({one.record.frames[0].confidence for one in verdicts}) > 3
    text = sidecar_path(whole / 'frame_000000.png').read_text()
    assert str(source.parent) not in text
    # Where there is another one, it is told.
    other = record(source.with_name('other.mp4'), frames(3))
    verdicts = list(verify_folder(whole, other))
    assert all('different file' in one.problems[0] for one in verdicts)


def test_the_reference_of_a_file_is_named(source, nano, tmp_path):
    still = tmp_path / 'still.png'
    Image.fromarray(frames(1, (96, 80))[0]).save(still)
    options = RecordingOptions(
        text='none', scale=1, every=8, reference=str(still)
    )
    target = tmp_path / 'out'
    enhance_recording(nano, source, target, options, 'cpu')
    made = read_sidecar(target / 'frame_000008.png.json')
    assert made.frames[0].reference.name == 'still.png'
    assert made.frames[0].reference.sha256 == digest(still)
    assert made.settings['recording.reference'] == 'file'
    assert str(tmp_path) not in (target / 'frame_000008.png.json').read_text()


def repaint(out, texts=True):
    path = out / 'frame_000003.png'
    made = read_sidecar(sidecar_path(path))
    pixels = np.array(Image.open(path))
    pixels[5, 7, 1] ^= 1
    save_png(path, pixels, png_texts(made) if texts else None)


def swap(out):
    one, other = (out / name for name in names([3, 4], ['.json']))
    text = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(text)


@pytest.mark.parametrize(
    ('tamper', 'said'),
    [
        (repaint, 'the pixels were changed'),
        (lambda out: repaint(out, False), 'no readable record'),
        (swap, 'the result was renamed'),
        (
            lambda out: (out / 'frame_000003.png.json').unlink(),
            'json is missing',
        ),
        (
            lambda out: (out / 'frame_000003.png').unlink(),
            'the result is missing',
        ),
        (
            lambda out: (out / 'frame_000003.png').replace(
                out / 'frame_000004.png'
            ),
            'the result is missing',
        ),
    ],
)
def test_tampering_with_a_frame_is_detected(plain, tamper, said):
    tamper(plain)
    verdicts = {one.name: one.problems for one in verify_folder(plain)}
    assert any(said in problem for problem in verdicts['frame_000003.png'])
    others = names(set(range(COUNT)) - {3, 4}, [''])
    assert all(verdicts[name] == [] for name in others)


def test_changed_confidence_picture_is_detected(source, nano, tmp_path):
    target = tmp_path / 'out'
    options = replace(SMALL, every=8)
    enhance_recording(nano, source, target, options, 'cpu', evidence=ALL)
    overlay_path(target / 'frame_000000.png').unlink()
    path = overlay_path(target / 'frame_000008.png')
    path.write_bytes(path.read_bytes() + b'0')
    one, other = (one.problems for one in verify_folder(target))
    assert one == [
        'the confidence picture frame_000000.confidence.png is missing'
    ]
    assert other == [
        'the confidence picture frame_000008.confidence.png was changed'
    ]


def test_without_side_cars(source, tmp_path):
    target = tmp_path / 'out'
    enhance_recording(bicubic(), source, target, PLAIN, 'cpu', evidence=BARE)
    assert listed(target) == names(range(COUNT), [''])
    verdicts = list(verify_folder(target, source))
    assert all(not one.problems for one in verdicts)
    assert verdicts[4].record.frames[0].index == 4
    # They are not silently left out for one who asks for them.
    with pytest.raises(FileExistsError, match='sidecar was False, is True'):
        enhance_recording(bicubic(), source, target, PLAIN, 'cpu')


def make(source, target):
    nano = SuperResolver(weights='dsrnet_x_nano')
    enhance_recording(nano, source, target, SMALL, 'cpu', evidence=ALL)


@pytest.mark.slow
@pytest.mark.parametrize('after', [0, 1, 2])
def test_killed_between_the_files_of_a_frame(source, whole, tmp_path, after):
    target = tmp_path / 'out'
    kill_at_rename(after, 'frame_000005', make, source, target)
    assert not target.exists()
    begun = staging_root(target) / 'pictures'
    # Where the frame is, its record is: it comes last.
    assert not (begun / 'frame_000005.png').exists()
    first = (begun / 'frame_000001.png').stat().st_mtime_ns
    assert Fork(make, source, target).wait(120) == 0
    assert (target / 'frame_000001.png').stat().st_mtime_ns == first
    assert known(target) == known(whole)
    assert listed(tmp_path) == ['out', 'out.report.json']
    assert all(not one.problems for one in verify_folder(target, source))


def test_parts_make_the_same_frames(source, nano, whole, tmp_path):
    target = tmp_path / 'out'

    def work(part):
        return enhance_recording(
            nano,
            source,
            target,
            SMALL,
            'cpu',
            part=part,
            parts=2,
            evidence=ALL,
        )

    assert not work(1).finished
    assert work(0).finished
    assert known(target) == known(whole)
    assert len({read_sidecar(p).created for p in target.glob('*.json')}) == 1


def test_overwriting_drops_all_that_belongs_to_a_frame(source, plain):
    options = replace(PLAIN, every=4)
    enhance_recording(
        bicubic(), source, plain, options, 'cpu', True, evidence=BARE
    )
    assert listed(plain) == names([0, 4, 8], [''])
    enhance_recording(bicubic(), source, plain, options, 'cpu', True)
    assert listed(plain) == names([0, 4, 8])


def test_side_car_of_another_tool_is_kept(source, tmp_path):
    target = tmp_path / 'out'
    enhance_recording(bicubic(), source, target, PLAIN, 'cpu', evidence=BARE)
    mine = target / 'frame_000000.png.json'
    mine.write_text('mine')
    with pytest.raises(FileExistsError, match=r'frame_000000\.png\.json'):
        enhance_recording(bicubic(), source, target, PLAIN, 'cpu', True)
    assert mine.read_text() == 'mine'


def test_files_added_during_a_replacement_are_kept(source, plain):
    notes = plain / 'notes.txt'

    def write(moment, painted):
        notes.write_text('mine')
        return {}

    options = replace(PLAIN, every=2)
    with pytest.raises(FileExistsError, match=r'notes\.txt'):
        enhance_recording(
            bicubic(),
            source,
            plain,
            options,
            'cpu',
            True,
            hooks=Hooks(frame=write),
        )
    assert listed(plain) == [*names(range(COUNT)), 'notes.txt']
    notes.rename(plain.with_name('notes.txt'))
    # All was made already.
    report = enhance_recording(bicubic(), source, plain, options, 'cpu', True)
    assert (report.finished, report.written) == (True, 0)
    assert listed(plain) == names(range(0, COUNT, 2))
    assert listed(plain.parent) == ['notes.txt', 'out', 'out.report.json']


def test_a_finished_folder_that_lacks_a_file(source, plain):
    (plain / 'frame_000002.png.json').unlink()
    with pytest.raises(FileExistsError, match=r'000002\.png\.json\): make it'):
        enhance_recording(bicubic(), source, plain, PLAIN, 'cpu')
    enhance_recording(bicubic(), source, plain, PLAIN, 'cpu', True)
    assert listed(plain) == names(range(COUNT))


@pytest.mark.parametrize('after', [0, 1, 2])
def test_interrupted_while_frames_are_replaced(
    source, plain, monkeypatch, after
):
    """The old folder goes, the new folder comes, the report comes."""
    rename, moved = Path.replace, []

    def stop(self, name):
        places = [plain, report_path(plain)]
        if self in places or Path(name) in places:
            if len(moved) == after:
                raise KeyboardInterrupt
            moved.append(name)
        return rename(self, name)

    options = replace(PLAIN, every=4)
    with monkeypatch.context() as patch:
        patch.setattr(Path, 'replace', stop)
        with pytest.raises(KeyboardInterrupt):
            enhance_recording(bicubic(), source, plain, options, 'cpu', True)
    # The old frames, none, the new ones.
    there = listed(plain) if plain.exists() else []
    assert there == names([range(COUNT), [], [0, 4, 8]][after])
    report = enhance_recording(bicubic(), source, plain, options, 'cpu')
    assert (report.finished, report.written, report.total) == (True, 0, 3)
    assert listed(plain) == names([0, 4, 8])
    assert listed(plain.parent) == ['out', 'out.report.json']
