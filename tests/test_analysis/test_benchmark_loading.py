import copy
import json
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tool_runs
import torch
from mmengine.config import Config

from mmdsr.analysis import benchmark_loading

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/dsrnet/teacher_quick.py'
SMALL = {
    'model.generator.channels': 8,
    'model.generator.decoder_blocks': (1, 1, 1, 1, 1, 1),
}


@pytest.fixture
def cfg(refsr_root):
    pytest.importorskip('mmagic')
    cfg = Config.fromfile(ROOT / CONFIG)
    cfg.merge_from_dict(SMALL)
    cfg.train_dataloader.dataset.data_root = str(refsr_root)
    benchmark_loading.prepare(cfg)
    return cfg


def slow(count, seconds):
    for number in range(count):
        time.sleep(seconds)
        yield number


def test_rate_includes_loading_and_use():
    device = torch.device('cpu')
    alone = benchmark_loading.rate(slow(9, 0.02), 5, 6, 3, device)
    # Sleeping may take longer, never shorter.
    assert 5 / 0.2 < alone <= 5 / 0.02
    used = []

    def use(number):
        used.append(number)
        time.sleep(0.02)

    both = benchmark_loading.rate(slow(9, 0.02), 5, 6, 3, device, use)
    assert 5 / 0.4 < both <= 5 / 0.04
    assert used == list(range(9))


def test_rate_leaves_the_warm_up_out():
    def source():
        time.sleep(0.5)
        yield from range(20)

    assert benchmark_loading.rate(source(), 1, 10, 1, torch.device('cpu')) > 20


class Burn:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, sample):
        end = time.process_time() + self.seconds
        while time.process_time() < end:
            pass
        return [*sample, self.seconds]


def test_time_transforms_sees_the_slow_one():
    seen = []

    class Data(list):
        def get_data_info(self, index):
            seen.append(index)
            return [self[index]]

    data = Data('ab')
    data.pipeline = SimpleNamespace(
        transforms=[Burn(0.001), Burn(0.01), Burn(0)]
    )
    spent = benchmark_loading.time_transforms(data, 5)
    assert list(spent) == ['Burn', 'Burn #2', 'Burn #3']
    assert 1 <= spent['Burn'] < 5
    assert 10 <= spent['Burn #2'] < 20
    assert spent['Burn #3'] < 1
    assert seen == [0, 0, 1, 0, 1, 0]


def test_loader_has_the_workers_and_does_not_end(cfg):
    before = copy.deepcopy(cfg.train_dataloader)
    cfg.train_dataloader.sampler.infinite = False
    loader = benchmark_loading.build_loader(cfg, 0)
    assert (loader.num_workers, loader.batch_size) == (0, 2)
    assert benchmark_loading.build_loader(cfg, 1).num_workers == 1
    draws = iter(loader.sampler)
    assert len([next(draws) for _ in range(50)]) == 50
    cfg.train_dataloader.sampler.infinite = True
    assert cfg.train_dataloader == before


def test_training_step_trains_and_leaves_the_batch(cfg):
    training = benchmark_loading.Training(cfg, 'cpu')
    batch = next(iter(benchmark_loading.build_loader(cfg, 0)))
    kept = copy.deepcopy(batch)
    old = [p.detach().clone() for p in training.model.parameters()]
    training.step(batch)
    changed = [
        not torch.equal(a, b)
        for a, b in zip(old, training.model.parameters(), strict=True)
    ]
    assert np.mean(changed) > 0.9
    for key in ('img', 'ref'):
        for one, other in zip(
            batch['inputs'][key], kept['inputs'][key], strict=True
        ):
            assert torch.equal(one, other)


def test_measure_without_training(cfg):
    steps = []
    report = benchmark_loading.measure_loading(
        cfg, (0, 1), samples=6, rounds=1, train=False, progress=steps.append
    )
    assert [line.workers for line in report.rates] == [0, 1]
    assert all(line.loading > 0 for line in report.rates)
    assert 'LoadImageFromFile gt' in report.transforms
    assert 'PairedRefCrop' in report.transforms
    assert len(steps) == 3
    text = json.dumps(benchmark_loading.to_json(report), allow_nan=False)
    assert json.loads(text)['step'] is None


@pytest.mark.parametrize(
    'kwargs', [dict(workers=(-1,)), dict(samples=0), dict(warmup=-1)]
)
def test_measure_refuses(cfg, kwargs):
    with pytest.raises(ValueError, match='at least 1'):
        benchmark_loading.measure_loading(cfg, **kwargs)


TOOL = 'analysis_tools/benchmark_loading.py'
call = partial(tool_runs.call, TOOL)


@pytest.mark.slow
def test_tool(refsr_root, tmp_path):
    pytest.importorskip('mmagic')
    out = tmp_path / 'out/rates.json'
    done = call(
        *(CONFIG, refsr_root, '--workers', 0, '--samples', 4, '--steps', 2),
        *('--rounds', 1, '--warmup', 1, '--threads', 1, '--out', out),
        *('--cfg-options', 'model.generator.channels=8'),
    )
    assert done.returncode == 0, done.stderr
    assert 'training loses' in done.stdout
    report = json.loads(out.read_text())
    (line,) = report['rates']
    assert line['workers'] == 0
    # One core does one thing after the other.
    slowest = min(line['loading'], report['step'])
    assert 0 < line['together'] < 3 * slowest
    assert report['threads'] == 1


def test_tool_refuses(tmp_path):
    for args, message in (
        (['none.py'], 'config none.py does not exist'),
        ([CONFIG, tmp_path / 'none'], 'none (train_dataloader) does not'),
    ):
        done = call(*args)
        assert done.returncode == 2
        assert message in done.stderr
        assert 'Traceback' not in done.stderr
