"""A folder that is filled file by file."""

import json
from pathlib import Path

import pytest

from mmdsr.errors import OtherSettingsError, UsageError
from mmdsr.io import folder_job
from mmdsr.io.folder_job import (
    FolderJob,
    JobReport,
    ManifestJob,
    differences,
    open_all,
)
from mmdsr.io.manifest import read_manifest

ITEMS = [(Path(f'sub/{i}.txt'), i) for i in range(4)]


def content(number):
    return f'{number}'.encode()


def files(root):
    return sorted(p.relative_to(root).as_posix() for p in root.rglob('*.txt'))


def test_an_interrupted_job_is_resumed(tmp_path):
    def stop(number):
        if number == 2:
            raise KeyboardInterrupt
        return content(number)

    job = FolderJob(tmp_path / 'out', dict(scale=2, size=(3, 4)))
    job.open()
    with pytest.raises(KeyboardInterrupt):
        job.run(ITEMS, stop)
    assert files(job.root) == ['sub/0.txt', 'sub/1.txt']
    again = FolderJob(tmp_path / 'out', dict(size=(3, 4), scale=2))
    again.open()
    assert again.missing(name for name, _ in ITEMS) == [
        Path('sub/2.txt'), Path('sub/3.txt'),
    ]  # fmt: skip
    assert list(again.fill(ITEMS, content)) == [False, False, True, True]
    for name, number in ITEMS:
        assert (job.root / name).read_text() == f'{number}'
    assert not list(job.root.rglob('.*'))


def test_the_report_has_the_outcome_of_each(tmp_path):
    def make(number):
        if number == 1:
            report.failed['1'] = 'odd'
            return None
        return content(number)

    job, report = FolderJob(tmp_path, {}), JobReport(total=4)
    job.open()
    job.run(ITEMS, make, report)
    assert (report.written, report.kept) == (3, 0)
    job.run(ITEMS, make, report)
    assert (report.written, report.kept) == (3, 3)
    assert report.failed == {'1': 'odd'}
    assert not (tmp_path / 'sub/1.txt').exists()


def test_other_settings_are_refused_or_dropped(tmp_path):
    job = FolderJob(tmp_path / 'out', dict(scale=2))
    job.open()
    job.run(ITEMS, content)
    other = FolderJob(job.root, dict(scale=3), remedy='fix it')
    assert not other.is_own()
    with pytest.raises(
        OtherSettingsError, match=r'\(scale was 2, is 3\): fix it\.'
    ) as caught:
        other.open()
    # Both a library's caller and a command know what it is.
    assert isinstance(caught.value, FileExistsError)
    assert isinstance(caught.value, UsageError)
    assert len(files(job.root)) == 4
    job.open(overwrite=True)
    assert len(files(job.root)) == 4
    other.open(overwrite=True)
    assert files(job.root) == []
    assert other.is_own()
    assert not job.is_own()


def test_all_are_opened_or_none(tmp_path):
    FolderJob(tmp_path / 'b', dict(scale=2)).open()
    jobs = [FolderJob(tmp_path / n, dict(scale=3)) for n in ('a', 'b')]
    with pytest.raises(OtherSettingsError, match='scale was 2'):
        open_all(iter(jobs))
    assert not (tmp_path / 'a').exists()
    open_all(jobs[:1])
    assert jobs[0].is_own()


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(FileExistsError, match='is a file'):
        FolderJob(tmp_path / 'file', {}).open()
    (tmp_path / 'link').symlink_to(tmp_path / 'none')
    with pytest.raises(FileExistsError, match='broken link'):
        FolderJob(tmp_path / 'link', {}).open()
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / 'thesis.txt').write_text('')
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r'no settings\.json'):
            FolderJob(folder, {}, strict=True).open(overwrite)
    for note in ('[]', '{"scale'):
        (folder / 'settings.json').write_text(note)
        assert not FolderJob(folder, {}).is_own()
        with pytest.raises(FileExistsError, match='contains other files'):
            FolderJob(folder, {}).open(overwrite=True)
    assert files(folder) == ['thesis.txt']


def test_the_manifest_as_note(tmp_path):
    job = ManifestJob(tmp_path / 'out', dict(size=(1, 2)), 'mmdsr-test')
    job.open()
    manifest = read_manifest(job.root, ('mmdsr-test',))
    assert manifest['generator'] == dict(size=[1, 2])
    job.open()
    with pytest.raises(OtherSettingsError, match='size was'):
        ManifestJob(job.root, dict(size=(1, 3)), 'mmdsr-test').open()
    other = ManifestJob(job.root, dict(size=(1, 2)), 'mmdsr-other')
    assert not other.is_own()
    with pytest.raises(FileExistsError, match="has format 'mmdsr-test'"):
        other.open()


def test_other_processes_wait_for_the_first(tmp_path, monkeypatch):
    job = FolderJob(tmp_path / 'out', dict(scale=2))
    monkeypatch.setattr(folder_job, '_PATIENCE', 0)
    with pytest.raises(TimeoutError, match='Process 0 has not made'):
        job.open(first=False)
    assert not job.root.exists()
    # While this one sleeps, the first one makes the folder.
    monkeypatch.setattr(folder_job, '_PATIENCE', 60)
    monkeypatch.setattr(folder_job.time, 'sleep', lambda _: job.open())
    job.open(first=False)
    assert json.loads(job.note.read_text()) == dict(scale=2)
    with pytest.raises(OtherSettingsError, match='scale was 2, is 3'):
        FolderJob(job.root, dict(scale=3)).open(first=False)


def test_differences_are_named_and_short():
    old = dict(a=dict(b=1, c=2), d='x' * 500, e=1)
    new = dict(a=dict(b=1, c=3), d='y' * 500, f=None)
    text = differences(old, new)
    assert text.startswith('a.c was 2, is 3; d was ')
    assert 'e was 1, is None' in text
    assert len(text) < 400
    many = differences({}, {f'k{i}': i for i in range(20)})
    assert many.count('was None') == 8
    assert many.endswith('; and 12 more')


def test_another_file_is_named_by_its_path():
    old = dict(file=dict(path='a', sha256='1', size=2, mtime_ns=3), x=1)
    new = dict(file=dict(path='b', sha256='2', size=3, mtime_ns=4), x=2)
    assert differences(old, new) == "file.path was 'a', is 'b'; x was 1, is 2"
    changed = dict(file={**old['file'], 'sha256': '9'}, x=1)
    assert differences(old, changed) == 'the content of file has changed'
