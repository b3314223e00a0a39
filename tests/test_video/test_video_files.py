from pathlib import Path

import pytest

from mmdsr.io.layout import run_of
from mmdsr.video.files import find_videos, name_videos


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x')
    return path


def test_folders_are_searched(tmp_path):
    for name in ('v10.MPG', 'v9.mp4', 'deep/er/v1.wmv', 'notes.txt', '.a.mp4'):
        touch(tmp_path / 'in' / name)
    single = touch(tmp_path / 'no ending')
    found = find_videos([single, tmp_path / 'in'])
    assert [path.name for path in found] == [
        'no ending',
        'v1.wmv',
        'v9.mp4',
        'v10.MPG',
    ]


HEADS = {
    'mkv': b'\x1a\x45\xdf\xa3',
    'mov': b'\0\0\0\x14ftypqt  ',
    'avi': b'RIFF\0\0\0\0AVI ',
    'mpg': b'\0\0\1\xba',
    'ts': (b'G' + bytes(187)) * 8,
    'm2ts': (bytes(4) + b'G' + bytes(187)) * 8,
    'asf': bytes.fromhex('3026b2758e66cf11a6d900aa0062ce6c'),
}
OTHERS = {
    'a.txt': b'notes\n',
    'a.jpg': b'\xff\xd8\xff\xe0',
    'photo': b'\0\0\0\x18ftypheic',
    'sound.wav': b'RIFF\0\0\0\0WAVE',
    'empty': b'',
}


@pytest.mark.parametrize('kind', HEADS)
def test_a_video_is_known_by_its_first_bytes(tmp_path, kind):
    for name in ('CH01.mod', 'no ending'):
        (tmp_path / name).write_bytes(HEADS[kind])
    assert len(find_videos([tmp_path])) == 2


def test_omitted_files_are_reported(tmp_path):
    for name, content in OTHERS.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / 'lost.mp4').symlink_to('nowhere')
    touch(tmp_path / '.hidden')
    video = touch(tmp_path / 'b.flv')
    others = []
    assert find_videos([tmp_path], others) == [video]
    assert {path.name for path in others} == {*OTHERS, 'lost.mp4'}


@pytest.mark.parametrize(
    'suffix', ['asf', 'flv', 'm2ts', '264', 'h265', '3gp', 'mxf', 'M2T']
)
def test_kinds(tmp_path, suffix):
    video = touch(tmp_path / f'a.{suffix}')
    assert find_videos([tmp_path]) == [video]


def test_each_video_once(tmp_path):
    video = touch(tmp_path / 'a.mp4')
    (tmp_path / 'b.mp4').symlink_to(video)
    assert find_videos([video, tmp_path, video]) == [video]


def test_links_in_circles(tmp_path):
    touch(tmp_path / 'in' / 'a.mp4')
    (tmp_path / 'in' / 'loop').symlink_to(tmp_path / 'in')
    (tmp_path / 'in' / 'self.mp4').symlink_to(tmp_path / 'in' / 'self.mp4')
    assert len(find_videos([tmp_path / 'in'])) == 1
    with pytest.raises(FileNotFoundError, match='circular link'):
        find_videos([tmp_path / 'in' / 'self.mp4'])


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='no file or folder'):
        find_videos([tmp_path / 'nowhere.mpg'])
    with pytest.raises(FileNotFoundError, match='contains no videos'):
        find_videos([tmp_path])


def test_names(tmp_path):
    paths = [
        Path('a/run 1.mpg'),
        Path('b/run 1.mpg'),
        Path('b/run 1.mp4'),
        Path('Größe (alt).avi'),
        Path('管道 7.mov'),
        Path('... .wmv'),
        Path('Case.mpg'),
        Path('c/case.mp4'),
        Path('x' * 200 + '.mpg'),
    ]
    names = name_videos([tmp_path / path for path in paths])
    assert names[:5] == [
        'a-run-1',
        'b-run-1',
        'b-run-1-2',
        'Größe-alt-',
        '管道-7',
    ]
    assert len({name.casefold() for name in names}) == len(paths)
    for name in names:
        assert run_of(f'{name}_000001') == name
        assert len(name) < 80
