"""The tables of the downstream experiments, against numbers of the paper."""

import csv
import io
import math

import pytest

from mmdsr.experiments.downstream.table import (
    build_table,
    check_identity,
    class_scores,
    markdown,
    table_csv,
)
from mmdsr.experiments.table import text_of

#: Table 5 (YOLOv5s): class to LR, SR(D), SR(A), HR.
TABLE_5 = {
    'JO': (78.98, 79.87, 75.24, 80.03),
    'IL': (55.12, 65.80, 67.35, 62.83),
    'IN': (48.25, 61.38, 60.31, 62.95),
}
#: Table 3 (FCN), whose printed mean is another one.
TABLE_3 = {
    'JO': (57.90, 60.49, 57.74, 63.36),
    'IL': (27.02, 41.42, 40.08, 46.01),
    'IN': (43.69, 45.69, 34.71, 50.94),
}
COLUMNS = ('LR', 'SR(D)', 'SR(A)', 'HR')
MODELS = ['SR(D)', 'SR(A)']


def scores_of(rows):
    return {
        column: {name: values[number] for name, values in rows.items()}
        for number, column in enumerate(COLUMNS)
    }


def values(line):
    return [round(value.mean, 2) for value in line.values.values()]


def deltas(line):
    return [round(value.mean, 2) for value in line.deltas.values()]


def test_table_5_of_the_paper_is_corrected():
    table = build_table({0: scores_of(TABLE_5)}, MODELS, 'AP50')
    assert table.columns == list(COLUMNS)
    assert table.deltas == ['ΔLR', 'ΔSR(D)', 'ΔSR(A)', 'ΔHR(D)', 'ΔHR(A)']
    jo, il, infiltration, mean = table.lines
    assert deltas(jo) == [-1.05, 0.89, -3.74, 0.16, 4.79]
    assert deltas(il) == [-7.71, 10.68, 12.23, -2.97, -4.52]
    # The paper prints 12.96 for 62.95 - 61.38.
    assert infiltration.deltas['ΔHR(D)'].mean == pytest.approx(1.57)
    # It prints 3.38, the mean with that cell: SR is better than HR here.
    assert values(mean) == [60.78, 69.02, 67.63, 68.60]
    assert deltas(mean) == [-7.82, 8.23, 6.85, -0.41, 0.97]


def test_the_mean_of_table_3_is_that_of_its_rows():
    table = build_table({0: scores_of(TABLE_3)}, MODELS, 'IoU')
    # The paper prints 45.06, 48.92, 45.90, 51.54.
    assert values(table.lines[-1]) == [42.87, 49.20, 44.18, 53.44]
    assert deltas(table.lines[-1]) == [-10.57, 6.33, 1.31, 4.24, 9.26]


def test_differences_add_up_to_zero():
    table = build_table({0: scores_of(TABLE_3)}, MODELS, 'IoU')
    for line in table.lines:
        found = {title: value.mean for title, value in line.deltas.items()}
        for model in 'DA':
            parts = ('ΔLR', f'ΔSR({model})', f'ΔHR({model})')
            assert sum(found[part] for part in parts) == pytest.approx(0)
    # The cell of Table 5 that the paper prints, and one that is no number.
    line = build_table({0: scores_of(TABLE_5)}, MODELS, 'AP50').lines[2]
    for wrong in (12.96, math.nan):
        line.deltas['ΔHR(D)'].mean = wrong
        with pytest.raises(AssertionError, match=r'IN: ΔLR \+ ΔSR\(D\)'):
            check_identity(line, MODELS)


def test_mean_and_spread_over_seeds_by_hand():
    def one(lr, sr, hr):
        return {
            'LR': dict(JO=lr, IL=10.0),
            'bicubic': dict(JO=lr + 1, IL=10.0),
            'SR(x)': dict(JO=sr, IL=20.0),
            'HR': dict(JO=hr, IL=30.0),
        }

    scores = {0: one(40.0, 44.0, 50.0), 3: one(42.0, 48.0, 50.0)}
    table = build_table(scores, ['SR(x)'], 'IoU')
    jo, il, mean = table.lines
    assert table.seeds == [0, 3]
    assert table.columns[1] == 'bicubic'
    assert jo.values['LR'].mean == 41
    # Deviations -1 and 1: sqrt(2 / 1).
    assert jo.values['LR'].spread == pytest.approx(math.sqrt(2))
    # 4 and 6, seed by seed.
    assert jo.deltas['ΔSR(x)'].mean == 5
    assert jo.deltas['ΔSR(x)'].spread == pytest.approx(math.sqrt(2))
    assert il.deltas['ΔHR(x)'].spread == 0
    # Mean of JO and IL: gains (4 + 10) / 2 and (6 + 10) / 2.
    assert mean.deltas['ΔSR(x)'].mean == 7.5
    assert mean.deltas['ΔSR(x)'].spread == pytest.approx(math.sqrt(0.5))
    text = ' '.join(markdown(table).split())
    assert '| JO | 41.00 ± 1.41 | 42.00 ± 1.41 | 46.00 ± 2.83 |' in text
    assert '| **+7.50 ± 0.71** |' in text
    rows = list(csv.DictReader(io.StringIO(table_csv(table))))
    assert float(rows[0]['ΔSR(x)']) == 5
    assert float(rows[2]['ΔSR(x) spread']) == pytest.approx(math.sqrt(0.5))
    assert rows[0]['seeds'] == '2'


def test_a_class_without_a_value_is_not_in_the_mean():
    scores = scores_of(TABLE_3)
    scores['SR(A)']['IL'] = None
    scores['LR']['IN'] = math.nan
    table = build_table({0: scores}, MODELS, 'IoU')
    jo, il, infiltration, mean = table.lines
    assert table.left_out == ['IL', 'IN']
    assert values(mean) == values(jo)
    assert not il.deltas
    assert 'SR(A)' not in il.values
    assert 'LR' not in infiltration.values
    text = ' '.join(markdown(table).split())
    assert '| IL | 27.02 | 41.42 | - | 46.01 | - |' in text
    assert 'because a column has no value: IL, IN.' in text


def test_class_scores_are_found_in_the_results_of_a_test():
    metrics = {
        'aAcc': 97.0,
        'IoU/JO': 50.0,
        'IoU/IL': None,
        'IoU/mean': 50.0,
        'IoU/mean_all': 70.0,
    }
    assert class_scores(metrics) == ('IoU', dict(JO=50.0, IL=None))
    metrics = {'AP/JO': 1.0, 'AP50/JO': 2.0, 'AP50/mean': 2.0}
    assert class_scores(metrics) == ('AP50', dict(JO=2.0))
    metrics = {'IoU/meander': 1.0, 'IoU/JO': 2.0, 'IoU/mean': 1.5}
    assert class_scores(metrics) == ('IoU', dict(meander=1.0, JO=2.0))
    metrics = {'sewer/F1/RB': 3.0, 'sewer/F1Normal': 4.0}
    assert class_scores(metrics) == ('F1', dict(RB=3.0))
    # A host's own: all of them, and no mean over unlike numbers.
    metrics = {'mIoU': 5.0, 'aAcc': 9.0, 'time': 0.1, 'data_time': 0.2}
    name, rows = class_scores(metrics)
    assert (name, rows) == ('metric', dict(mIoU=5.0, aAcc=9.0))
    scores = {0: dict.fromkeys(COLUMNS, rows)}
    table = build_table(scores, MODELS, name)
    assert [line.name for line in table.lines] == ['mIoU', 'aAcc']


def test_numbers_are_written_as_in_the_paper():
    assert text_of(None) == '-'
    scores = build_table({0: scores_of(TABLE_5)}, MODELS, 'AP50').lines[0]
    assert text_of(scores.values['LR']) == '78.98'
    assert text_of(scores.deltas['ΔSR(D)'], sign='+') == '+0.89'
    same = build_table(
        {0: {c: dict(JO=0.1 + 0.2 if c == 'LR' else 0.3) for c in COLUMNS}},
        MODELS,
        'IoU',
    )
    assert text_of(same.lines[0].deltas['ΔSR(D)'], sign='+') == '+0.00'
