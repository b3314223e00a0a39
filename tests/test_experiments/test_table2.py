"""Table 2: rules and numbers worked by hand."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.study import (
    AblationRow,
    Budget,
    Study,
    read_study,
)
from mmdsr.experiments.table2 import plan
from mmdsr.experiments.table2.figures import (
    hardest_window,
    median_and_largest,
    pareto,
)
from mmdsr.experiments.table2.paper import TABLE2
from mmdsr.experiments.table2.table import count, lines_of

QUICK = Path(__file__).parents[2] / 'configs/table2/quick.yml'


def test_the_front_has_no_dominated_point():
    points = [(3.0, 5.0), (1.0, 2.0), (2.0, 2.0), (1.0, 1.0), (4.0, 4.0)]
    assert pareto(points) == [1, 0]
    assert pareto([]) == []


def test_images_are_chosen_by_rule():
    assert median_and_largest([0.3, -1.0, 2.0]) == (0, 2)
    assert median_and_largest([0.3, -1.0, 2.0, 0.1]) == (3, 2)
    hr = np.zeros((40, 60, 3), np.uint8)
    worse = hr.copy()
    worse[20:32, 30:48] = 99
    assert hardest_window(worse, hr) == (slice(20, 32), slice(30, 48))


def test_lines_compare_runs_of_the_same_seed():
    def result(psnr):
        return dict(
            psnr_y=psnr, ssim_y=0.9, psnr_rgb=psnr - 2, ssim_rgb=0.8, gain=1.0
        )

    results = {
        ('a', 0): result(30.0),
        ('a', 1): result(34.0),
        ('b', 1): result(35.0),
    }
    a, b, c = lines_of('abc', results, 'a')
    assert (a.values['psnr_y'].mean, a.delta) == (32.0, None)
    assert b.delta is not None
    assert (b.delta.mean, b.seeds) == (1.0, [1])
    assert not c.values
    assert a.values['psnr_y'].spread is not None
    # Without learning nothing is drawn: the same result for every seed.
    (a,) = lines_of('a', {('a', k): result(33.0) for k in (0, 1)}, 'b', ['a'])
    assert (a.values['psnr_y'].mean, a.values['psnr_y'].spread) == (33.0, None)


def test_the_quick_study_has_all_rows(refsr_root):
    study = read_study(QUICK)
    assert {row.label for row in study.rows} > TABLE2.keys()
    assert len(TABLE2) == 13
    budget = Budget(iters=300, data_root=str(refsr_root))
    entries = {e.row.label: e for e in plan.make_plan(study, budget)}
    assert [name for name, e in entries.items() if e.turned] == ['RCAN+']
    assert entries['RCAN+'].trained.label == 'RCAN'
    teacher = entries['DSRNet-D'].teacher
    assert teacher is not None
    assert teacher.label == 'DSRNet+'
    out = Path('out')
    cfg = plan.config_of(entries['DSRNet-D'], budget, 1, out)
    assert cfg.model.teacher_checkpoint.endswith('dsrnet-and/seed1/work')
    gan = plan.config_of(entries['DSRNet'], budget, 0, out, {'DSRNet': 200})
    assert gan.train_cfg.max_iters == 200
    assert gan.model.train_cfg.pixel_init == pytest.approx(50)


def test_every_row_of_the_quick_study_has_a_cost():
    costs = {
        row.label: count(Config.fromfile(row.config).model.generator)
        for row in read_study(QUICK).rows
    }
    assert all(cost.params and cost.macs for cost in costs.values())
    # Without its DIS aligner: the trunk at the same size, and the fusion.
    trunk = dict(
        type='mmdsr.DSRNetX', channels=48, num_blocks=6, use_reference=False
    )
    light, alone = costs['DSRNet-X-light'].macs, count(trunk).macs
    assert alone < light < 2 * alone


def test_the_teacher_is_the_nearest_row_that_is_no_gan(refsr_root):
    rows = {row.label: row for row in read_study(QUICK).rows}
    other = AblationRow('other', rows['DSRNet+'].config)
    names = ('DSRNet+', 'DSRNet', 'DSRNet-D')
    budget = Budget(iters=300, data_root=str(refsr_root))
    study = Study('', [*(rows[name] for name in names), other])
    teacher = plan.make_plan(study, budget)[2].teacher
    assert teacher is rows['DSRNet+']
    study.rows.insert(2, other)
    assert plan.make_plan(study, budget)[3].teacher is other
    study.rows = [rows['DSRNet-D'], rows['DSRNet+'], other]
    assert plan.make_plan(study, budget)[0].teacher is rows['DSRNet+']
    with pytest.raises(UsageError, match='is not a row of the study'):
        plan.make_plan(Study('', [rows['DSRNet'], rows['DSRNet-D']]), budget)


def test_no_row_learns_from_its_own_student(refsr_root):
    rows = {row.label: row for row in read_study(QUICK).rows}
    student = rows['DSRNet-D']
    cfg = Config.fromfile(student.config)
    teacher = AblationRow(
        'back',
        student.config,
        {
            'model.generator': dict(cfg.model.teacher),
            'model.teacher': dict(cfg.model.generator),
        },
    )
    budget = Budget(iters=300, data_root=str(refsr_root))
    study = Study('', [teacher, student])
    circle = "'back' by 'DSRNet-D' by 'back'. Put a row"
    with pytest.raises(UsageError, match=circle):
        plan.make_plan(study, budget)
    study.rows.insert(1, rows['DSRNet+'])
    plan.make_plan(study, budget)
