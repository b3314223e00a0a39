"""The fuzzer: few inputs of each kind, and that it counts what it is for."""

import json
import os
import signal

import numpy as np
import pytest

from mmdsr.dev import fuzz, kinds, mutate

SEEDS = 12


@pytest.mark.parametrize(
    'kind', sorted(set(kinds.KINDS) - {'videos', 'recordings'})
)
def test_no_faults(kind, tmp_path):
    fuzz.attempt_first(kind)
    found = {}
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        outcome, text = fuzz.attempt(kind, seed, folder)
        assert outcome not in fuzz.FAULTS, (seed, text)
        found[outcome] = found.get(outcome, 0) + 1
    # The inputs are damaged, most of them beyond use.
    assert found['refused'] > 3


def test_an_input_follows_from_its_seed(tmp_path):
    made = [
        fuzz.make('csv', seed, tmp_path)[1].read_bytes() for seed in (3, 3, 4)
    ]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    'kind',
    sorted(
        set(kinds.KINDS) - {'videos', 'recordings', 'checkpoints', 'weights'}
    ),
)
def test_mutators_change_something(kind):
    rng = np.random.default_rng(0)
    for case in fuzz.cases(kind):
        for mutator in case.mutators:
            made = {mutator(case.data, rng) for _ in range(20)}
            assert len(made - {case.data}) > 5, (case.name, mutator)


def test_png_chunks_keep_their_checksums():
    """A reader that checks them reaches what lies behind."""
    rng = np.random.default_rng(0)
    case = kinds.images()[0]
    for _ in range(20):
        data, place = mutate.mutate_png(case.data, rng), 8
        while place < len(data):
            size = int.from_bytes(data[place : place + 4], 'big')
            content = data[place + 4 : place + 8 + size]
            place += 12 + size
            crc = data[place - 4 : place]
            assert mutate.zlib.crc32(content).to_bytes(4, 'big') == crc


def _read(path, out):
    """Do what a byte of the file says."""
    (byte,) = path.read_bytes()
    if byte == 1:
        raise ValueError(f'{path} is no good.')
    if byte == 2:
        raise KeyError('inside')
    if byte == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if byte == 4:
        out.mkdir()
        raise ValueError(f'{path} is no good.')
    if byte == 5:
        raise ValueError('something is no good')
    if byte == 6:
        raise ValueError(f'{path}\nis no good')
    if byte == 7:
        (out.parent / '.out.partial').mkdir()


def _set(data, rng):
    """Count up: every seed draws another number."""
    return bytes([int(rng.integers(8))])


def _kind():
    return [kinds.Case('input.bin', b'\0', (_set,), _read)]


EXPECTED = ('read', 'refused', 'raw', 'killed', 'half', 'raw', 'raw', 'half')


def test_outcomes(monkeypatch, tmp_path):
    monkeypatch.setitem(kinds.KINDS, 'test', _kind)
    seen = set()
    for seed in range(60):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (byte,) = fuzz.make('test', seed, folder)[1].read_bytes()
        if byte == 3:
            continue
        assert fuzz.attempt('test', seed, folder)[0] == EXPECTED[byte]
        seen.add(byte)
    assert len(seen) == 7


@pytest.mark.slow
def test_a_dead_child_is_counted_and_a_stopped_run_resumes(
    monkeypatch, tmp_path
):
    """In a child process, which finds the kind by this module's import."""
    monkeypatch.setattr(fuzz, '_work', _work_with_kind)
    monkeypatch.setitem(kinds.KINDS, 'test', _kind)
    out, keep = tmp_path / 'out.json', tmp_path / 'keep'
    fuzz.fuzz(['test'], 8, out, keep)
    assert json.loads(out.read_text())['test']['tried'] == 8
    counts = fuzz.fuzz(['test'], 20, out, keep)['test']
    whole = fuzz.fuzz(['test'], 20)['test']
    assert counts == whole
    assert counts['killed'] > 0
    assert sum(counts[name] for name in fuzz.OUTCOMES) == 20
    assert len(counts['faults']) == len(list(keep.iterdir()))
    (text,) = {
        fault['text']
        for fault in counts['faults']
        if fault['outcome'] == 'killed'
    }
    assert text == f'exit code -{signal.SIGSEGV}'


def _work_with_kind(pipe, memory, work=fuzz._work):
    kinds.KINDS['test'] = _kind
    work(pipe, memory)
