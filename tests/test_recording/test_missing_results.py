"""What is deleted with all its files is missed by "mmdsr verify"."""

import json
import shutil

import numpy as np
import pytest
from recording_cases import bicubic, frames, record

from mmdsr.cli.main import main
from mmdsr.evidence.verify import verify_folder
from mmdsr.io.images import write_png
from mmdsr.io.stamps import Stamp
from mmdsr.recording.export import enhance_recording
from mmdsr.recording.missing import missing_results
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.ownership import report_path

OPTIONS = RecordingOptions(text='none', scale=1, segment=4, reference='none')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp('made')
    source = record(folder / 'in.mp4', frames(5))
    for name in ('out', 'out.mkv'):
        target = folder / 'results' / name
        enhance_recording(bicubic(), source, target, OPTIONS, 'cpu')
    return folder / 'results'


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made, tmp_path / 'results')


def missing(root):
    verdicts = list(missing_results(root))
    assert all(one.state == 'incomplete' for one in verdicts)
    return [one.name for one in verdicts]


def test_nothing_is_missing(results):
    assert missing(results) == missing(results / 'out') == []


def test_a_frame(results, capsys, monkeypatch):
    for name in ('frame_000002.png', 'frame_000002.png.json'):
        (results / 'out' / name).unlink()
    assert missing(results) == ['out/frame_000002.png']
    assert missing(results / 'out') == ['frame_000002.png']
    monkeypatch.chdir(results / 'out')
    assert main(['verify', '.']) == 1
    said = capsys.readouterr().out
    assert said.count('INCOMPLETE') == 1
    assert '4 of 5 results are as recorded (1 incomplete).' in said


def test_a_film(results):
    for name in ('out.mkv', 'out.mkv.json'):
        (results / name).unlink()
    assert missing(results) == ['out.mkv']
    assert missing(results / 'out') == []


@pytest.mark.parametrize('name', ['out.mkv', 'out/frame_000002.png'])
def test_by_its_own_name(results, capsys, monkeypatch, name):
    monkeypatch.setenv('COLUMNS', '200')
    monkeypatch.chdir(results)
    for path in (results / name, results / f'{name}.json'):
        path.unlink()
    assert main(['verify', name]) == 1
    assert 'report.json lists it' in capsys.readouterr().out
    assert main(['verify', f'not_{name}']) == 2
    assert 'There is no result' in capsys.readouterr().err


def test_nothing_but_reports_is_left(results, capsys, monkeypatch):
    # Narrow tables break the names.
    monkeypatch.setenv('COLUMNS', '200')
    for path in results.rglob('*'):
        if path.is_file() and not path.name.endswith('.report.json'):
            path.unlink()
    assert main(['verify', str(results)]) == 1
    said = capsys.readouterr().out
    assert 'out.mkv.report.json lists it' in said
    assert '0 of 6 results are as recorded (6 incomplete).' in said
    for path in results.glob('*.report.json'):
        path.unlink()
    assert main(['verify', str(results)]) == 2
    assert 'contains no results' in capsys.readouterr().err


def test_a_film_among_files_without_a_record(results, capsys):
    for path in results.iterdir():
        if path.name.startswith('out.mkv') and not path.name.endswith(
            '.report.json'
        ):
            path.unlink()
    shutil.rmtree(results / 'out')
    (results / 'out.report.json').unlink()
    write_png(results / 'foreign.png', np.zeros((8, 8, 3), np.uint8))
    assert main(['verify', str(results)]) == 1
    said = capsys.readouterr().out
    assert 'NO RECORD' in said
    assert 'INCOMPLETE' in said


def test_what_is_seen_without_the_report_is_said_once(results):
    (results / 'out/frame_000001.png').unlink()
    (results / 'out/frame_000003.png.json').unlink()
    assert missing(results) == []
    problems = [one.name for one in verify_folder(results) if one.problems]
    assert problems == ['out/frame_000001.png', 'out/frame_000003.png']


@pytest.mark.parametrize(
    'damage',
    [
        dict(files=['a.png']),
        dict(files={'a.png': {}}),
        dict(files={'../a.png': dict.fromkeys(Stamp._fields, 1)}),
        dict(files={'a.png': 1}),
        dict(settings=None),
    ],
)
def test_damaged_reports_list_nothing_and_own_nothing(results, damage):
    target = results / 'out'
    path = report_path(target)
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    assert missing(results) == []
    source = results.parent / 'in.mp4'
    source.write_bytes((results / 'out.mkv').read_bytes())
    before = {p: p.read_bytes() for p in results.rglob('*') if p.is_file()}
    with pytest.raises(FileExistsError, match='was not made by this command'):
        enhance_recording(
            bicubic(), source, target, OPTIONS, 'cpu', overwrite=True
        )
    assert before == {
        p: p.read_bytes() for p in results.rglob('*') if p.is_file()
    }
