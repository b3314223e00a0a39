"""Policies of references in a recording, scored."""

import numpy as np
import pytest
from tool_runs import call

from mmdsr import SuperResolver
from mmdsr.experiments.recording_references import read_runs, score_policy
from mmdsr.io.layout import RefSRWriter
from mmdsr.recording import neighbors

TOOL = 'analysis_tools/recording_references.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Two runs of a picture that moves by four pixels from frame to frame."""
    out = tmp_path_factory.mktemp('runs') / 'data'
    rng = np.random.default_rng(0)
    with RefSRWriter(out) as writer:
        for run in range(2):
            wide = rng.integers(0, 255, (96, 176, 3), np.uint8)
            for i in range(3):
                views = [wide[:, 4 * k : 4 * k + 128] for k in (i, i + 1)]
                # 9, 10, 11, which are in another order as texts.
                writer.add('test', f'run{run}_{9 + i}', *map(np.array, views))
    return out


def test_runs_are_read_in_order(root):
    runs = read_runs(root)
    assert [len(run) for run in runs] == [3, 3]
    for run in runs:
        np.testing.assert_array_equal(run[1][:, :-4], run[0][:, 4:])


def test_references_of_the_policies(root, monkeypatch):
    seen = []
    choose = neighbors._choose

    def spy(*args):
        moment = choose(*args)
        seen.append([one.index for one in moment.references])
        return moment

    monkeypatch.setattr(neighbors, '_choose', spy)
    resolver = SuperResolver(interpolation='bicubic')
    found = score_policy(resolver, read_runs(root), 'next', 25, 1)
    assert seen == [[1], [2], []] * 2
    assert (found.frames, found.referred) == (6, 4)
    # Pillow's filter, in both.
    assert found.gain == pytest.approx(0, abs=0.02)
    seen.clear()
    none = score_policy(resolver, read_runs(root), 'none', 25, 1, every=2)
    assert seen == [[], []] * 2
    assert (none.frames, none.referred) == (4, 0)
    with pytest.raises(ValueError, match='policy must be'):
        score_policy(resolver, read_runs(root), 'best', 25, 1)
    with pytest.raises(ValueError, match='no frames'):
        score_policy(resolver, [], 'none', 25, 1)


def test_tool(root):
    done = call(TOOL, root, '--every', 3, '--most', 1, 2)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        'none', 'previous', 'next', 'auto', 'auto',
    ]  # fmt: skip
    assert all('2 frames' in line for line in lines)
    for args in (
        (root / 'none',),
        (root, '--rate', 0),
        (root, '--weights', 'nothing'),
    ):
        done = call(TOOL, *args)
        assert done.returncode == 2
        assert done.stderr.count('error: ') == 1
