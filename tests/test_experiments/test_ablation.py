"""Studies: reading, budget, and tables from numbers worked by hand."""

import ast
import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image

from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.experiment import make_runs, name_roots
from mmdsr.experiments.ablation.plot import plot, spread
from mmdsr.experiments.ablation.report import Costing, collect, write_tables
from mmdsr.experiments.ablation.study import (
    AblationRow,
    Budget,
    Study,
    find_study,
    prepare,
    read_study,
    study_of_configs,
    training_roots,
)
from mmdsr.experiments.ablation.table import (
    Cost,
    lines_of,
    markdown,
    measure_cost,
    table_csv,
)
from mmdsr.experiments.runs import TrainingRun, iteration, place_of
from mmdsr.experiments.table import summarize, text_of

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
QUICK = AblationRow('Quick', CONFIGS / 'dsrnet/teacher_quick.py')


@pytest.mark.parametrize(
    'path', sorted((CONFIGS / 'ablations').glob('*.yml')), ids=lambda p: p.stem
)
def test_the_studies_of_the_paper_fit_any_budget(path):
    study = read_study(path)
    budget = Budget(iters=300, crop=48, teacher='t.pth')
    mixed = path.stem == 'parts_x'
    if not mixed:
        budget = replace(budget, data_root='data/x')
    for row in study.rows:
        cfg = prepare(row, budget, seed=4)
        assert cfg.train_cfg.max_iters == 300
        assert cfg.param_scheduler[-1]['end'] == 300
        assert not any(s['by_epoch'] for s in cfg.param_scheduler)
        assert cfg.randomness.seed == 4
        assert cfg.val_dataloader is None
        if mixed:
            assert cfg.param_scheduler[0].total_steps == 300
            one_root = replace(budget, data_root='data/x')
            with pytest.raises(UsageError, match='mixes several'):
                prepare(row, one_root, seed=4)
        else:
            assert cfg.train_dataloader.dataset.data_root == 'data/x'
        crops = [
            step['lr_size']
            for step in cfg.train_dataloader.dataset.pipeline
            if step['type'] == 'mmdsr.PairedRefCrop'
        ]
        assert crops == [(48, 48)]
        if cfg.model.get('teacher'):
            distils = cfg.model.kd_loss or cfg.model.adm
            teacher = cfg.model.teacher_checkpoint
            assert (teacher == 't.pth') == bool(distils)


def test_rows_of_a_quick_study_differ_in_one_thing():
    rows = read_study(CONFIGS / 'ablations/table10.yml').rows
    rec, given, loss, same = (prepare(row, Budget(), 0) for row in rows)
    assert rec.model.generator.type == 'mmdsr.MASASRNet'
    assert given.model.generator.depth_net is None
    assert given.model.test_cfg.depth == 'given'
    assert loss.model.depth_loss
    # The last row has no depth, but the matching of those that do.
    for name in ('block_size', 'dilations'):
        matching = [
            list(value) if isinstance(value := cfg[name], tuple) else value
            for cfg in (m.model.generator for m in (same, given, loss, rec))
        ]
        assert matching[0] == matching[1] == matching[2] != matching[3]
    for cfg in (rec, given, same):
        assert not cfg.model.depth_loss
        assert cfg.train_cfg == loss.train_cfg
        assert cfg.optim_wrapper == loss.optim_wrapper
        assert cfg.train_dataloader == loss.train_dataloader


def test_the_schedule_is_stretched_and_the_warm_up_kept():
    cfg = prepare(QUICK, Budget(iters=5000), 0)
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up['begin'], warm_up['end']) == (0, 100)
    assert (cosine['begin'], cosine['end'], cosine['T_max']) == (
        100, 5000, 4900,
    )  # fmt: skip
    plus = AblationRow('Plus', CONFIGS / 'dsrnet/teacher_plus.py')
    (cosine,) = prepare(plus, Budget(iters=700), 0).param_scheduler
    assert (cosine['T_max'], cosine['end'], cosine['by_epoch']) == (
        700, 700, False,
    )  # fmt: skip
    own = prepare(plus, Budget(), 0)
    assert own.train_cfg.max_epochs == 250
    odd = dict(param_scheduler=[dict(type='StepLR', step_size=9, end=20)])
    with pytest.raises(UsageError, match=r'StepLR.*cannot be fitted'):
        prepare(plus, Budget(iters=700, options=odd), 0)
    steps = dict(type='MultiStepLR', milestones=[100, 200])
    odd = dict(param_scheduler=[dict(steps, by_epoch=True)])
    with pytest.raises(UsageError, match=r'MultiStepLR.*only schedules of'):
        prepare(plus, Budget(iters=700, options=odd), 0)
    odd = dict(param_scheduler=[dict(steps, by_epoch=False)])
    total = prepare(QUICK, Budget(), 0).train_cfg.max_iters
    for iters in (total - 1, total + 1):
        with pytest.raises(UsageError, match=r'MultiStepLR.*only schedules'):
            prepare(QUICK, Budget(iters=iters, options=odd), 0)
    kept = prepare(QUICK, Budget(iters=total, options=odd), 0)
    assert kept.param_scheduler == odd['param_scheduler']


def test_a_quarter_of_a_gan_is_trained_without_it():
    gan = AblationRow('GAN', CONFIGS / 'dsrnet/teacher.py')
    cfg = prepare(gan, Budget(iters=2000), 0)
    assert cfg.model.train_cfg.pixel_init == 500
    assert prepare(gan, Budget(), 0).model.train_cfg.pixel_init == 30_000


def test_crops_are_cut_after_everything_is_loaded():
    match = AblationRow('match', CONFIGS / 'dsrnet/teacher_plus_match.py')
    cfg = prepare(match, Budget(crop=16), 0)
    types = [step['type'] for step in cfg.train_dataloader.dataset.pipeline]
    crop = types.index('mmdsr.PairedRefCrop')
    assert types[crop - 1] == 'mmdsr.LoadFlow'
    assert not any('Load' in name for name in types[crop:])


def test_a_warm_up_longer_than_the_run_gets_its_share():
    # 100 of 2000 iterations are a twentieth.
    warm_up, cosine = prepare(QUICK, Budget(iters=100), 0).param_scheduler
    assert (warm_up['begin'], warm_up['end']) == (0, 5)
    assert (cosine['begin'], cosine['end'], cosine['T_max']) == (5, 100, 95)
    warm_up, cosine = prepare(QUICK, Budget(iters=101), 0).param_scheduler
    assert (warm_up['end'], cosine['T_max']) == (100, 1)
    # Less than two steps of it would never reach the full rate.
    (cosine,) = prepare(QUICK, Budget(iters=39), 0).param_scheduler
    assert (cosine['begin'], cosine['end'], cosine['T_max']) == (0, 39, 39)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('rows: [', 'not a YAML'),
        ('title: x', "not a study: 'rows'"),
        ('rows: []', 'no rows'),
        ('rows: [{label: a}]', "'config'"),
        ('rows: [{label: a, config: none.py}]', r'none\.py does not exist'),
        ('rows: [{label: a, config: x, opts: {}}]', 'unknown key opts'),
        ('rows: [{label: a, config: c.py}]\niters: 9', 'unknown key iters'),
        (
            'rows: [{label: A, config: c.py}, {label: "a ", config: c.py}]',
            'share a folder',
        ),
    ],
)
def test_wrong_studies_are_explained(tmp_path, text, message):
    (tmp_path / 'c.py').write_text('')
    path = tmp_path / 'study.yml'
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_study(path)
    with pytest.raises(UsageError, match='does not exist'):
        read_study(tmp_path / 'gone.yml')


def test_options_of_row_and_study(tmp_path):
    study = tmp_path / 'study.yml'
    study.write_text(
        f'rows:\n- label: narrow\n  config: {QUICK.config}\n'
        '  options: {model.generator.channels: 8, train_cfg.max_iters: 9}\n'
    )
    (row,) = read_study(study).rows
    budget = Budget(options={'train_cfg.max_iters': 7})
    cfg = prepare(row, budget, 0)
    assert cfg.model.generator.channels == 8
    assert cfg.train_cfg.max_iters == 7
    with pytest.raises(UsageError, match='--cfg-options does not fit'):
        prepare(row, Budget(options={'train_cfg.max_iters.x': 7}), 0)


def test_runs_are_kept_and_not_mixed(tmp_path):
    study = study_of_configs([QUICK.config])
    roots = dict(mini='data/mini')
    args = (study, Budget(iters=300), [0, 1], tmp_path)
    runs = make_runs(*args, roots)
    assert [run.results for run in runs] == [None, None]
    done = dict(mini=dict(psnr_y=30.0))
    task = json.loads((runs[1].folder / 'task.json').read_text())
    (runs[1].folder / 'result.json').write_text(
        json.dumps(dict(task=task, results=done))
    )
    assert [r.results for r in make_runs(*args, roots)] == [None, done]
    # Other test data: the run is kept, its test is not.
    other = make_runs(*args, dict(real='data/real'))
    assert [run.results for run in other] == [None, None]
    with pytest.raises(UsageError, match='another config or budget'):
        make_runs(study, Budget(iters=301), [1], tmp_path, roots)
    # Another version of yapf breaks the lines elsewhere.
    config = runs[1].folder / 'config.py'
    config.write_text(ast.unparse(ast.parse(config.read_text())))
    assert [r.results for r in make_runs(*args, roots)] == [None, done]
    config.write_text(config.read_text().replace('300', '(', 1))
    with pytest.raises(UsageError, match='another config or budget'):
        make_runs(*args, roots)


def test_results_are_those_of_the_present_images(tmp_path):
    trained, tested = tmp_path / 'trained', tmp_path / 'tested'
    for root, split in ((trained, 'train'), (tested, 'test')):
        _write_image(root / split / 'hr/run_0.png', 8)
    study = study_of_configs([QUICK.config])
    budget = Budget(iters=300, data_root=str(trained))

    def make():
        roots = dict(own=str(tested))
        return make_runs(study, budget, [0], tmp_path / 'out', roots)

    (run,) = make()
    result = dict(task=run.task, results=dict(own={}))
    (run.folder / 'result.json').write_text(json.dumps(result))
    assert make()[0].results is not None
    # Made again under the same path: tested again, or not mixed.
    _write_image(tested / 'test/hr/run_0.png', 12)
    assert make()[0].results is None
    _write_image(trained / 'train/hr/run_0.png', 12)
    with pytest.raises(UsageError, match='another data, which has changed'):
        make()


def _write_image(path, side):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (side, side)).save(path)


def test_rows_of_several_studies_are_put_together(tmp_path):
    folder = CONFIGS / 'ablations'
    named = find_study(['table10'], folder)
    assert named.title == read_study(folder / 'table10.yml').title
    both = find_study(['table10', str(QUICK.config)], folder)
    assert both.title == named.title
    assert both.rows[:-1] == named.rows
    assert both.rows[-1].config == QUICK.config
    known = "'table99'; known: adm_readings, match, parts_x, table10"
    with pytest.raises(UsageError, match=known):
        find_study(['table99'], folder)


def test_data_sets_have_distinct_names(tmp_path):
    paths = [tmp_path / part for part in ('a/mini', 'b/mini', 'b/real')]
    roots = name_roots([*paths, paths[0]])
    assert list(roots.values()) == [str(path) for path in paths]
    assert list(roots) == [str(paths[0]), str(paths[1]), 'real']
    # A path as a name does not lead out of the folder of the run.
    places = [place_of(tmp_path, name) for name in roots]
    assert {place.parent for place in places} == {tmp_path / 'tests'}
    assert len(set(places)) == 3


def test_costing_rejects_small_shape_and_negative_repeats():
    with pytest.raises(ValueError, match='shape must be at least 16'):
        Costing((16, 15))
    with pytest.raises(ValueError, match='repeats must be at least 0'):
        Costing(repeats=-1)


def test_iteration_is_read_from_the_log(tmp_path):
    run = TrainingRun('ablation', 'Quick', 0, 'Quick, seed 0', tmp_path)
    assert iteration(run) == (0, 0)
    (tmp_path / 'log.txt').write_text(
        'x - Iter(train) [  50/2000]  lr: 1\n'
        'x - Iter(train) [ 100/2000]  lr: 1\nSaving checkpoint at 100\n'
    )
    assert iteration(run) == (100, 2000)
    (tmp_path / 'log.txt').write_text('Epoch(train)   [3][ 40/6000] lr: 1\n')
    assert iteration(run) == (40, 6000)
    run.epochs = 10
    assert iteration(run) == (12040, 60000)


RESULTS = {
    ('a', 0): dict(psnr_y=30.0, ssim_y=0.90, gain=1.0),
    ('a', 1): dict(psnr_y=31.0, ssim_y=0.92, gain=2.0),
    ('a', 2): dict(psnr_y=32.0, ssim_y=0.91, gain=3.0),
    ('b', 0): dict(psnr_y=30.2, ssim_y=0.90, gain=1.2, match={'Match@1': 40}),
    ('b', 2): dict(psnr_y=32.4, ssim_y=0.92, gain=3.4, match={'Match@1': 46}),
    ('c', 1): dict(psnr_y=33.0, ssim_y=0.95, gain=4.0),
    ('d', 0): dict(psnr_y=None, note='no depth maps'),
}
COSTS = {name: Cost(1_234_567, 6_483_000_000, 0.0123) for name in 'abcd'}


def test_lines_from_numbers_worked_by_hand():
    a, b, c, d = lines_of('abcd', RESULTS)
    # 30, 31, 32: deviations -1, 0, 1, variance 2 / 2.
    assert (a.psnr.mean, a.psnr.spread, a.psnr.count) == (31.0, 1.0, 3)
    assert a.ssim.mean == pytest.approx(0.91)
    assert a.gain.mean == 2.0
    assert a.delta is None
    # 30.2 and 32.4: mean 31.3, deviations 1.1, variance 2 * 1.21 / 1.
    assert b.psnr.mean == pytest.approx(31.3)
    assert b.psnr.spread == pytest.approx(1.1 * math.sqrt(2))
    # Pairs of seeds 0 and 2: 0.2 and 0.4; unpaired it would be 0.3 too, but
    # with a spread of 1.9.
    assert b.delta.mean == pytest.approx(0.3)
    assert b.delta.spread == pytest.approx(0.1 * math.sqrt(2))
    assert b.seeds == [0, 2]
    assert (b.match.mean, a.match) == (43, None)
    # Seed 1 alone: against 31, not against the mean.
    assert c.delta.mean == pytest.approx(2.0)
    assert c.delta.spread is None
    assert c.psnr.spread is None
    assert d.psnr is None
    assert d.note == 'no depth maps'
    assert summarize([5.0]).count == 1
    assert text_of(summarize([-0.0004]), 3, '+') == '+0.000'


def test_the_three_files_say_the_same(tmp_path):
    tables = dict(mini=lines_of('abcd', RESULTS))
    base = dict(mini=dict(psnr_y=29.0, ssim_y=0.85, samples=7))
    runs = [
        TrainingRun(
            'ablation',
            label,
            seed,
            f'{label}, seed {seed}',
            tmp_path,
            dict(mini={}),
            results=dict(mini=dict(result, bicubic=base['mini'])),
        )
        for (label, seed), result in RESULTS.items()
    ]
    study = Study('T', [AblationRow(label, Path('x')) for label in 'abcd'])
    assert collect(study, runs) == (tables, base)
    write_tables(
        tmp_path, 'T', dict(iterations=5), tables, base, COSTS, runs, (80, 112)
    )
    text = ' '.join((tmp_path / 'table.md').read_text().split())
    cells = '2 of 3 | 31.300 ± 1.556 | 0.9100 ± 0.0141 | +2.300 ± 1.556 | '
    cells += '+0.300 ± 0.141 | 43.0 ± 4.2 | '
    assert f'| b | {cells}1.235 | 6.483 | 12.3 |' in text
    assert '| c | 1 of 3 | 33.000 |' in text
    assert '| d | 0 of 3 | - |' in text
    assert 'd: no depth maps' in text
    assert 'LR 112x80' in text
    # Where the truth is unknown, there is no column for it.
    unknown = dict(real=lines_of('a', {('a', 0): RESULTS['a', 0]}))
    assert '%' not in markdown(unknown, {}, COSTS, 1)
    assert '7 images; bicubic 29.000 dB' in text
    rows = list(csv.DictReader(io.StringIO(table_csv(tables, COSTS))))
    assert float(rows[1]['delta_mean']) == pytest.approx(0.3)
    assert rows[0]['delta_mean'] == rows[2]['psnr_spread'] == ''
    content = json.loads((tmp_path / 'table.json').read_text())
    assert content['tables']['mini'][0]['psnr']['mean'] == 31.0
    assert len(content['runs']) == 7
    assert (tmp_path / 'table.csv').read_text() == table_csv(tables, COSTS)


def test_cost_is_that_of_get_flops():
    cfg = prepare(AblationRow('S', CONFIGS / 'dsrnet/student.py'), Budget(), 0)
    cost = measure_cost(cfg.model.generator, (80, 112))
    assert cost.params == 5_306_484
    assert cost.macs / 1e9 == pytest.approx(127.198, abs=1e-3)
    assert cost.seconds is None
    small = dict(
        type='mmdsr.MASASRNet', channels=4, encoder_blocks=(0, 0, 0),
        decoder_blocks=(0, 0, 0, 0, 0, 0),
    )  # fmt: skip
    assert measure_cost(small, (16, 16), repeats=1).seconds > 0


def test_plot(tmp_path):
    assert spread([2.0, 4.0, 4.0, 1.0]) == [2.0, 3.96, 4.04, 1.0]
    tables = {name: lines_of('abcd', RESULTS) for name in ('mini', 'real')}
    plot(tmp_path / 'two.png', tables, dict(mini=dict(psnr_y=29.0)), COSTS)
    plot(tmp_path / 'none.png', dict(x=lines_of('ab', {})), {}, COSTS)
    with Image.open(tmp_path / 'two.png') as two:
        with Image.open(tmp_path / 'none.png') as none:
            assert two.width == 2 * none.width
        assert len(two.convert('RGB').getcolors(1 << 20)) > 10


def test_all_roots_of_a_mixed_data_set():
    parts = [dict(data_root='a'), dict(dataset=dict(data_root='b'))]
    dataset = dict(datasets=[*parts, dict(data_root='a')])
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    assert training_roots(cfg) == ['a', 'b']
