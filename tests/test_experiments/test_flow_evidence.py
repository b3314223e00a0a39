"""What depth and the true flow are worth, where both are known."""

import pytest
from tool_runs import call

from mmdsr import load_weights
from mmdsr.experiments.flow_evidence import measure, open_samples
from mmdsr.sim.data.dataset import write_dataset
from mmdsr.sim.data.splits import plan_custom

TOOL = 'analysis_tools/flow_evidence.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp('sim') / 'data'
    write_dataset(out, plan_custom(2, 2, (128, 96), steps='video'))
    return out


def test_true_flow_beats_the_own_one(root):
    network = load_weights('dsrnet_x_nano')
    found = measure(network, open_samples(root))
    assert found.samples == 2
    assert found.own > 0
    assert 0.5 < found.kept <= 1
    assert found.true > found.own


def test_an_aligner_that_is_lost(root, monkeypatch):
    network = load_weights('dsrnet_x_nano')

    def lost(lr, ref, *_):
        flow = lr.new_full((1, 2, *lr.shape[-2:]), 9.0)
        return flow, lr.new_ones(1, 1, *lr.shape[-2:])

    true = measure(network, open_samples(root)).true
    monkeypatch.setattr(network, 'align', lost)
    found = measure(network, open_samples(root))
    assert found.true == pytest.approx(true)
    assert found.own < true
    assert 0 <= found.dropped <= 1


def test_tool(root, refsr_root):
    done = call(TOOL, root, 'dsrnet_x_nano')
    assert done.returncode == 0
    assert '"samples": 2' in done.stdout
    for args, text in (
        ((refsr_root, 'dsrnet_x_nano'), 'no true flow'),
        ((root, 'dsrnet_student'), 'not a DSRNet-X'),
        ((root / 'none', 'dsrnet_x_nano'), 'none'),
        ((root, 'nothing'), 'nothing'),
    ):
        done = call(TOOL, *args)
        assert done.returncode == 2
        assert text in done.stderr
        assert done.stderr.count('error: ') == 1
