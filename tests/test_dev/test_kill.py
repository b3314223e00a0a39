"""The test by killing: what it passes and what it detects."""

import sys

import numpy as np
import pytest

from mmdsr.dev.kill import contents, differences, kill_test
from mmdsr.evidence.record import Record, Source
from mmdsr.evidence.writing import whole_result

GOOD = """
import os, pathlib, sys, time
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
for i in range(8):
    path = out / f'{i}.txt'
    part = out / f'.part'
    if not path.exists():
        part.write_text('some')
        time.sleep(0.03)
        part.write_text(str(i))
        part.rename(path)
"""
# Takes what is half written for whole, and leaves a file of its own.
BAD = GOOD.replace("f'.part'", "f'{i}.txt'").replace(
    'path = out', "(out / f'.{os.getpid()}').touch(); path = out"
)
BROKEN = 'raise SystemExit("no such thing")'


def _kill(code, folder, kills=6):
    folder.mkdir()
    return kill_test(
        lambda out: [sys.executable, '-c', code, str(out)],
        folder,
        kills,
        np.random.default_rng(0),
    )


def test_a_tool_that_resumes(tmp_path):
    result = _kill(GOOD, tmp_path / 'a')
    assert result.kills == 6
    assert result.rounds >= 1
    assert not result.faults


def test_a_tool_that_does_not(tmp_path):
    faults = ' '.join(_kill(BAD, tmp_path / 'a').faults)
    assert 'is left' in faults or 'differs' in faults


def test_a_tool_that_never_works(tmp_path):
    with pytest.raises(RuntimeError, match='no such thing'):
        _kill(BROKEN, tmp_path / 'a')


def test_differences():
    one = {'a': b'1', 'b': b'2', 'c': b'3'}
    other = {'a': b'1', 'b': b'0', 'd': b'3'}
    assert differences(one, other) == [
        ('b', 'differs'),
        ('c', 'is missing'),
        ('d', 'is left'),
    ]
    assert not differences(one, dict(one))


def test_a_picture_is_compared_without_its_time(tmp_path):
    def write(folder, created, color=0, mark='enhanced'):
        def describe(output):
            source = Source('a.mp4', 'a' * 64)
            return Record(created, source, None, {}, {}, mark, output, ())

        pixels = np.full((8, 8, 3), color, np.uint8)
        with whole_result(folder / 'a.png', pixels, None, True, describe):
            pass
        return contents(folder)

    one = write(tmp_path / '1', '2026-01-31T12:00:00Z')
    assert one.keys() == {'a.png', 'a.png.json'}
    later = '2026-01-31T12:00:01Z'
    assert not differences(one, write(tmp_path / '2', later))
    for change in (dict(color=1), dict(mark=None)):
        other = write(tmp_path / f'{change}', later, **change)
        assert differences(one, other) == [
            ('a.png', 'differs'),
            ('a.png.json', 'differs'),
        ]


def test_a_journal_is_compared_without_times(tmp_path):
    def write(folder, *lines):
        folder.mkdir()
        (folder / 'a.jsonl').write_text('\n'.join(lines))
        return contents(folder)

    line = '{"name": "%s", "result": {"size": 3, "mtime_ns": %d}}'
    one = write(tmp_path / '1', line % ('a', 1), line % ('b', 2))
    # In another order, and half a line of a process that was killed.
    same = write(
        tmp_path / '2', line % ('b', 8), '{"name": "a", "re', line % ('a', 9)
    )
    other = write(tmp_path / '3', line % ('a', 1))
    assert not differences(one, same)
    assert differences(one, other) == [('a.jsonl', 'differs')]
