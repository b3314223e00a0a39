import json
from collections import Counter
from dataclasses import asdict

import pytest

from mmdsr.io.manifest import run_of
from mmdsr.sim.data.degrade import Degradation
from mmdsr.sim.data.labels import SEWER_ML_CLASSES
from mmdsr.sim.data.splits import NAMED, plan_custom, plan_named

SAMPLES = {
    ('sewersim-sr', 'full'): (6000, 1050),
    ('sewersim-sr', 'mini'): (200, 40),
    ('sewersim-pipe', 'full'): (4000, 800),
    ('sewersim-pipe', 'mini'): (240, 80),
    ('sewersim-ml', 'full'): (6000, 1200),
    ('sewersim-ml', 'mini'): (600, 200),
}


@pytest.mark.parametrize(('name', 'subset'), SAMPLES)
def test_sizes_and_names(name, subset):
    plan = plan_named(name, subset)
    samples = list(plan.samples())
    count = Counter(split for split, _ in samples)
    assert (count['train'], count['test']) == SAMPLES[name, subset]
    assert len(samples) == plan.total == len(set(samples))
    train, test = (
        {run_of(stem) for split, stem in samples if split == wanted}
        for wanted in ('train', 'test')
    )
    assert not train & test


def test_no_run_is_in_two_sets_or_in_the_other_split_of_a_subset():
    seen = {}
    for name in NAMED:
        for subset in ('full', 'mini'):
            for run in plan_named(name, subset).runs:
                place = seen.setdefault(run.run, (name, run.split))
                assert place == (name, run.split)


@pytest.mark.parametrize('name', NAMED)
def test_mini_is_part_of_full(name):
    full = {run.run: run for run in plan_named(name, 'full', 3).runs}
    for run in plan_named(name, 'mini', 3).runs:
        same = full[run.run]
        assert (run.split, run.defects) == (same.split, same.defects)
        assert run.overlay == same.overlay
        assert set(run.frames) <= set(same.frames)


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize('split', ['train', 'test'])
def test_balance(seed, split):
    """Every kind is in as many runs, give or take the last block."""
    for name, kinds in (
        ('sewersim-pipe', ('FS', 'IL', 'IN')),
        ('sewersim-ml', tuple(SEWER_ML_CLASSES)),
    ):
        runs = [
            run
            for run in plan_named(name, 'mini', seed).runs
            if run.split == split
        ]
        whole = runs[: len(runs) // 8 * 8]
        count = Counter(kind for run in whole for kind in run.defects)
        assert set(count) == set(kinds)
        assert len(set(count.values())) == 1
        assert 0.1 < sum(not run.defects for run in whole) / len(whole) < 0.3
        text = sum(run.overlay for run in whole) / len(whole)
        assert text == (0.25 if name == 'sewersim-ml' else 0)
        for run in runs:
            assert len(set(run.defects)) == len(run.defects)


def test_the_seed_shuffles_and_splits_differ():
    def shown(seed, split):
        return [
            run.defects
            for run in plan_named('sewersim-ml', 'mini', seed).runs
            if run.split == split
        ]

    assert shown(0, 'train') == shown(0, 'train')
    assert shown(0, 'train') != shown(1, 'train')
    assert shown(0, 'train')[:40] != shown(0, 'test')


def test_settings_tell_plans_apart():
    plans = [
        plan_named(name, subset, seed)
        for name in NAMED
        for subset in ('full', 'mini')
        for seed in (0, 1)
    ]
    plans += [plan_custom(2, 2), plan_custom(2, 3), plan_custom(3, 2)]
    assert len({str(plan.settings) for plan in plans}) == len(plans)


def test_default_test_split():
    def test_runs(runs):
        return sum(run.split == 'test' for run in plan_custom(runs, 1).runs)

    assert [test_runs(runs) for runs in (1, 2, 24)] == [0, 1, 3]


def test_degradation_is_kept_with_its_parameters():
    assert plan_custom(1, 1).settings['degradation'] == {'name': 'bicubic'}
    kept = plan_custom(1, 1, degradation='realistic').settings['degradation']
    assert kept == json.loads(json.dumps(kept))
    assert kept.pop('name') == 'realistic'
    assert set(kept) == set(asdict(Degradation()))


@pytest.mark.parametrize(
    ('change', 'word'),
    [
        ({'runs': 0}, 'at least 1'),
        ({'frames': 0}, 'at least 1'),
        ({'size': (66, 64)}, 'multiples of 4'),
        ({'size': (32, 64)}, 'at least 64'),
        ({'seed': -1}, 'negative'),
        ({'test_runs': 2}, 'leave a run'),
        ({'test_runs': -1}, 'leave a run'),
        ({'degradation': 'ugly'}, 'degradation must'),
    ],
)
def test_bad_custom_settings(change, word):
    with pytest.raises(ValueError, match=word):
        plan_custom(**{'runs': 2, 'frames': 1, **change})


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        (('sewersim',), 'choose one of sewersim-sr'),
        (('sewersim-sr', 'tiny'), 'subset'),
        (('sewersim-ml', 'mini', -1), 'negative'),
        (('sewersim-ml', 'mini', 0, 'realistic'), 'no low-resolution'),
        (('sewersim-sr', 'mini', 0, 'ugly'), 'degradation'),
    ],
)
def test_bad_named_settings(args, word):
    with pytest.raises(ValueError, match=word):
        plan_named(*args)


def test_steps_of_the_named_sets():
    plan = plan_named('sewersim-sr', 'mini')
    assert plan.steps == 'spread'
    assert plan.settings['steps'] == {
        'name': 'spread',
        'radii': [0.02, 3.0],
        'zoom': [0.25, 4.0],
    }
    # As in version 2 of the simulator.
    even = plan_named('sewersim-sr', 'mini', steps='even')
    assert even.steps == 'even'
    assert even.settings['steps'] == {'name': 'even'}
    assert even.runs == plan.runs
    for name in ('sewersim-pipe', 'sewersim-ml'):
        other = plan_named(name, 'mini')
        assert other.steps == 'even'
        assert 'steps' not in other.settings
        with pytest.raises(ValueError, match='omit the steps'):
            plan_named(name, 'mini', steps='spread')
    assert plan_custom(2, 3).steps == 'even'
    assert plan_custom(2, 3, steps='spread').steps == 'spread'
    with pytest.raises(ValueError, match='steps must be one of'):
        plan_named('sewersim-sr', steps='odd')
