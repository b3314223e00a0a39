"""Files of users at and beside OUT are neither replaced nor deleted."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from recording_cases import bicubic, frames, record, show

from mmdsr import SuperResolver
from mmdsr.cli.main import main
from mmdsr.errors import OtherSettingsError
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.evidence.verify import verify
from mmdsr.recording.export import Hooks, enhance_recording
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.ownership import check_target, report_path
from mmdsr.recording.staging import staging_root

COUNT = 9
OPTIONS = RecordingOptions(text='none', scale=1, segment=4, reference='none')
OTHERS = replace(OPTIONS, every=2)
OWN = b"the user's own"
FRAME = 'out/frame_000002.png'


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    return record(folder / 'in.mp4', frames(COUNT))


def make(source, target, options=OPTIONS, overwrite=False, **more):
    return enhance_recording(
        bicubic(), source, target, options, 'cpu', overwrite, **more
    )


def contents(folder):
    """All files below a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.mark.parametrize(
    ('out', 'name'),
    [
        ('out.mkv', 'out.mkv'),
        ('out.mkv', 'out.mkv.json'),
        ('out', FRAME),
        ('out', f'{FRAME}.json'),
    ],
)
@pytest.mark.parametrize('linked', [False, True])
def test_a_file_that_took_the_place_of_a_result(
    source, tmp_path, out, name, linked
):
    folder = tmp_path / 'place'
    target, taken = folder / out, folder / name
    make(source, target)
    taken.unlink()
    if linked:
        own = tmp_path / 'own'
        own.write_bytes(OWN)
        taken.symlink_to(own)
    else:
        taken.write_bytes(OWN)
    before = contents(tmp_path)
    for options in (OPTIONS, OTHERS):
        with pytest.raises(FileExistsError, match='move them away') as error:
            make(source, target, options, overwrite=True)
        assert taken.name in str(error.value)
    with pytest.raises(FileExistsError, match='were changed after they were'):
        make(source, target)
    assert contents(tmp_path) == before
    assert taken.is_symlink() == linked
    taken.rename(tmp_path / 'moved')
    report = make(source, target, OTHERS, overwrite=True)
    assert (report.written, report.total) == (5, 5)
    for result in [target] if target.is_file() else target.glob('*.png'):
        assert not verify(result).problems


def test_a_result_is_recognized_by_its_content(source, tmp_path):
    target = tmp_path / 'out.mkv'
    make(source, target)
    # As after copying it to another drive.
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    assert make(source, target).written == 0
    assert make(source, target, OTHERS, overwrite=True).total == 5


@pytest.mark.parametrize('out', ['out.mkv', 'out'])
def test_file_added_while_the_film_is_made(source, tmp_path, out):
    target = tmp_path / out
    taken = target if out == 'out.mkv' else tmp_path / FRAME
    make(source, target)

    def write(moment, painted):
        taken.write_bytes(OWN)
        return {}

    with pytest.raises(FileExistsError, match='move them away'):
        make(source, target, OTHERS, True, hooks=Hooks(frame=write))
    assert taken.read_bytes() == OWN
    # No frame is enhanced again.
    taken.rename(tmp_path / 'moved')
    report = make(source, target, OTHERS, overwrite=True)
    assert (report.finished, report.written, report.total) == (True, 0, 5)
    assert not staging_root(target).exists()
    assert (tmp_path / 'moved').read_bytes() == OWN


@pytest.mark.parametrize('name', ['notes.txt', 'settings.json', '000000.mkv'])
@pytest.mark.parametrize('text', ['{"rows": 3}', '[1]', 'no JSON'])
def test_a_folder_named_like_unfinished_work(source, tmp_path, name, text):
    target = tmp_path / 'out.mkv'
    staging = staging_root(target)
    staging.mkdir()
    (staging / name).write_text(text)
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r'\.out\.mkv\.partial'):
            make(source, target, overwrite=overwrite)
    assert (staging / name).read_text() == text
    assert not target.exists()


def test_unfinished_work_is_discarded_on_demand_only(source, tmp_path):
    target = tmp_path / 'out.mkv'
    make(source, target, parts=2)
    with pytest.raises(OtherSettingsError, match='every was 1, is 2'):
        make(source, target, OTHERS)
    assert make(source, target, OTHERS, overwrite=True).total == 5


def test_an_interrupted_replacement_is_resumed(source, tmp_path):
    """--overwrite a second time continues; the old film does not count."""
    target = tmp_path / 'out.mkv'
    make(source, target)

    def stop(moment, painted):
        if moment.index == 6:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        make(
            source,
            target,
            overwrite=True,
            hooks=Hooks(frame=stop),
            overlap=False,
        )
    report = make(source, target, overwrite=True)
    assert (report.written, report.total) == (COUNT - 4, COUNT)


@pytest.mark.parametrize('after', range(4))
def test_interrupted_while_a_film_is_replaced(
    source, tmp_path, monkeypatch, after
):
    """Side-car, film and report, at any of these moves."""
    target = tmp_path / 'out.mkv'
    make(source, target)
    old = contents(tmp_path)
    move, moved = Path.replace, []

    def stop(self, name):
        places = [target, report_path(target), sidecar_path(target)]
        if Path(name) in places:
            if len(moved) == after:
                raise KeyboardInterrupt
            moved.append(name)
        return move(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'replace', stop)
        if after < 3:
            with pytest.raises(KeyboardInterrupt):
                make(source, target, OTHERS, overwrite=True)
        else:
            make(source, target, OTHERS, overwrite=True)
    assert len(moved) == after
    if after == 0:
        assert {name: contents(tmp_path)[name] for name in old} == old
    report = make(source, target, OTHERS, overwrite=after < 3)
    assert (report.finished, report.written, report.total) == (True, 0, 5)
    assert len(show(target).times) == 5
    assert not verify(target).problems
    assert {path.name for path in tmp_path.iterdir()} == set(old)


def test_files_beside_the_old_film_go_with_it(source, tmp_path):
    target = tmp_path / 'out.mkv'
    make(source, target)
    bare = EvidenceOptions(sidecar=False)
    make(source, target, OTHERS, overwrite=True, evidence=bare)
    assert not sidecar_path(target).exists()
    # Somebody else's side-car is not in the way of a film without one.
    sidecar_path(target).write_bytes(OWN)
    make(source, target, overwrite=True, evidence=bare)
    assert sidecar_path(target).read_bytes() == OWN


@pytest.mark.parametrize('full', [False, True])
def test_a_link_to_a_folder_stays(source, tmp_path, full):
    folder, link = tmp_path / 'real', tmp_path / 'link'
    folder.mkdir()
    link.symlink_to(folder)
    if full:
        make(source, link)
    report = make(source, link, OTHERS, overwrite=full)
    assert link.is_symlink()
    assert report.target == folder
    assert len(list(folder.glob('*.png'))) == 5
    assert make(source, link, OTHERS).written == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        'link',
        'real',
        'real.report.json',
    }


def test_a_drive_is_not_replaced(source):
    with pytest.raises(FileExistsError, match='is a drive'):
        check_target(Path('/proc'), source, {}, True)


class TestPreview:
    def preview(self, source, folder, *words):
        given = ['--weights', 'dsrnet_x_nano', '--text', 'none', *words]
        line = ['enhance', source, folder / 'out.mkv', '--preview', *given]
        return main([str(word) for word in line])

    @pytest.mark.parametrize('end', ['', '.json', '.confidence'])
    @pytest.mark.parametrize('words', [(), ('--overwrite',)])
    def test_files_of_others_stay(self, source, tmp_path, capsys, end, words):
        name = f'out.mkv.preview2.png{end}'
        if end == '.confidence':
            name = 'out.mkv.preview2.confidence.png'
        (tmp_path / name).write_bytes(OWN)
        assert self.preview(source, tmp_path, *words) == 2
        assert name in capsys.readouterr().err
        assert contents(tmp_path) == {name: OWN}

    def test_an_edited_preview_stays(self, source, tmp_path, capsys):
        assert self.preview(source, tmp_path) == 0
        sidecar = tmp_path / 'out.mkv.preview3.png.json'
        note = json.loads(sidecar.read_text())
        sidecar.write_text(json.dumps({**note, 'remark': 'crack at 3 h'}))
        before = contents(tmp_path)
        assert self.preview(source, tmp_path) == 2
        assert contents(tmp_path) == before

    def test_earlier_previews_are_replaced(self, source, tmp_path, capsys):
        assert self.preview(source, tmp_path, '--confidence') == 0
        first = tmp_path / 'out.mkv.preview1.png'
        assert overlay_path(first).exists()
        old = first.read_bytes()
        # One frame, without its confidence.
        end = ('--end', '0.03', '--scale', '2')
        assert self.preview(source, tmp_path, *end) == 0
        assert first.read_bytes() != old
        assert {path.name for path in tmp_path.iterdir()} == {
            first.name,
            f'{first.name}.json',
        }

    def test_a_copy_is_recognized(self, source, tmp_path, capsys):
        assert self.preview(source, tmp_path) == 0
        copy = shutil.copytree(tmp_path, tmp_path / 'copy')
        assert self.preview(source, copy) == 0


def test_inputs_that_earlier_results_are(source, tmp_path):
    """They would be replaced, or deleted as stale files."""
    nano = SuperResolver(weights='dsrnet_x_nano')
    film, folder = tmp_path / 'a.mkv', tmp_path / 'a'
    options = replace(OPTIONS, reference='next')
    evidence = EvidenceOptions(confidence=True)
    enhance_recording(nano, source, film, options, 'cpu', evidence=evidence)
    make(source, folder)
    before = contents(tmp_path)
    picture = folder / 'frame_000002.png'
    for own, target, given in (
        (overlay_path(film), film, OPTIONS),
        (source, folder, replace(OPTIONS, reference=str(picture))),
    ):
        for overwrite in (False, True):
            with pytest.raises(FileExistsError, match='belongs to'):
                make(own, target, given, overwrite=overwrite)
    assert contents(tmp_path) == before
