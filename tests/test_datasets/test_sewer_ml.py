import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from pipe_cases import documented_datasets, read, save

from mmdsr.datasets.sewer_ml_csv import (
    CIW,
    CLASSES,
    HEADER,
    LABEL_SETS,
    read_rows,
    write_rows,
)

mmpretrain = pytest.importorskip('mmpretrain')

from mmpretrain.evaluation import MultiLabelMetric  # noqa: E402
from mmpretrain.registry import DATASETS  # noqa: E402
from mmpretrain.structures import label_to_onehot  # noqa: E402
from mmpretrain.visualization import UniversalVisualizer  # noqa: E402

(CONFIG,) = documented_datasets('mmpretrain')

OFFICIAL = (
    'Filename,WaterLevel,VA,RB,OB,PF,DE,FS,IS,RO,IN,AF,BE,FO,GR,PH,PB,OS,OP,'
    'OK,ND,Defect'
)
ROWS = [
    # FS, OP (the example of the official files)
    '00000217.png,10,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,1,0,0,1',
    '00000218.png,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0',  # normal
    '00000219.png,5,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,1',  # PB
    '00000220.png,5,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,1',  # RB, OK
]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'sewer_ml'
    for i, row in enumerate(ROWS):
        image = np.full((24, 32, 3), 50 * i, np.uint8)
        save(root / 'train' / row.split(',')[0], image)
    (root / 'SewerML_Train.csv').write_text('\n'.join([OFFICIAL, *ROWS]))
    return root


def build(root, **more):
    config = {**CONFIG, 'data_root': str(root), **more}
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build(config)


def codes(dataset, i):
    return [dataset.CLASSES[n] for n in dataset.get_cat_ids(i)]


def test_the_header_is_the_official_one():
    assert ','.join(HEADER) == OFFICIAL
    assert set(CIW) == set(CLASSES)
    assert len(CIW) == 17
    assert set(LABEL_SETS['17']) - set(LABEL_SETS['15']) == {'PB', 'OS'}
    # The order of the columns, so that an index means the same everywhere.
    assert list(LABEL_SETS['17']) == [c for c in HEADER if c in CLASSES]


@pytest.mark.parametrize(
    ('label_set', 'expected'),
    [
        ('17', [['FS', 'OP'], [], ['PB'], ['RB', 'OK']]),
        ('15', [['FS', 'OP'], [], [], ['RB', 'OK']]),
        ('defect', [['Defect'], [], ['Defect'], ['Defect']]),
    ],
)
def test_labels(root, label_set, expected):
    dataset = build(root, label_set=label_set)
    assert [codes(dataset, i) for i in range(4)] == expected
    assert [int(dataset[i]['inputs'][0, 0, 0]) for i in range(4)] == [
        0, 50, 100, 150,
    ]  # fmt: skip
    part = build(root, label_set=label_set, only_defective=True)
    kept = [codes(part, i) for i in range(len(part))]
    assert kept == [expected[0], *expected[2:]]


def test_in_mmpretrain(root, tmp_path):
    dataset = build(root)
    assert LABEL_SETS['15'] == dataset.CLASSES
    samples = [dataset[i]['data_samples'] for i in range(4)]
    # The metric and the heads take empty labels as no class.
    targets = torch.stack([label_to_onehot(s.gt_label, 15) for s in samples])
    assert targets.sum(1).tolist() == [2, 0, 0, 2]
    metric = MultiLabelMetric(average=None)
    for sample in samples:
        score = label_to_onehot(sample.gt_label, 15).float()
        metric.process(None, [sample.set_pred_score(score).to_dict()])
    result = metric.evaluate(4)
    recalls = result['multi-label/recall_classwise']
    assert recalls[dataset.CLASSES.index('FS')] == 100
    drawn = {}
    for i in (0, 1):
        out = tmp_path / f'{i}.png'
        visualizer = UniversalVisualizer(
            vis_backends=[dict(type='LocalVisBackend')], save_dir=tmp_path
        )
        visualizer.visualize_cls(
            np.zeros((200, 200, 3), np.uint8),
            samples[i],
            classes=dataset.CLASSES,
            draw_pred=False,
            out_file=str(out),
        )
        drawn[i] = read(out)
    assert drawn[0].any()
    assert (drawn[0] != drawn[1]).any()


def test_missing_images(root, monkeypatch):
    (root / 'train' / '00000219.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks 1 of the 4 .*219.png'):
        build(root)
    said = []
    monkeypatch.setattr(
        'mmdsr.datasets.sewer_ml.print_log', lambda text, *_: said.append(text)
    )
    dataset = build(root, missing='skip')
    assert [codes(dataset, i) for i in range(3)] == [
        ['FS', 'OP'], [], ['RB', 'OK'],
    ]  # fmt: skip
    assert len(said) == 1
    assert '00000219.png' in said[0]
    # Not one that is wanted is missing.
    assert len(build(root, label_set='defect', missing='skip')) == 3
    for path in (root / 'train').iterdir():
        path.unlink()
    with pytest.raises(ValueError, match='lists no usable image'):
        build(root, missing='skip')


def table(root, *lines):
    (root / 'SewerML_Train.csv').write_text('\n'.join(lines))


def test_wrong_tables(root):
    with pytest.raises(FileNotFoundError, match=r'no file .*Val.csv'):
        build(root, ann_file='SewerML_Val.csv')
    with pytest.raises(FileNotFoundError, match=r'no folder .*valid'):
        build(root, data_prefix='valid')
    table(root, OFFICIAL.replace(',FS', ''), ROWS[0])
    with pytest.raises(ValueError, match=r'no column FS. It must start with'):
        build(root)
    for wrong, text in (
        (ROWS[0].replace('.png,10,0,0', '.png,10,0,2'), "line 3: RB is '2'"),
        (ROWS[0] + ',0', 'line 3: too few or too many'),
        (ROWS[0][:-2], 'line 3: too few or too many'),
        (ROWS[1], "line 3: the file name '00000218.png' is empty or a"),
        (ROWS[1][12:], "line 3: the file name '' is empty"),
    ):
        table(root, OFFICIAL, ROWS[1], wrong)
        with pytest.raises(ValueError, match=text):
            build(root)
    for content in (b'', b'\x00\x01', b'\xff\xfe\xff', b'PK\x03\x04junk'):
        (root / 'SewerML_Train.csv').write_bytes(content)
        with pytest.raises(ValueError, match=r'no column|not a CSV file'):
            build(root)


def test_tables_of_other_programs(root):
    """A mark at the start, other line ends, another order, more columns."""
    names = OFFICIAL.split(',')
    lines = [','.join(['Note', *names[::-1]])]
    lines += [','.join(['x', *row.split(',')[::-1]]) for row in ROWS]
    text = '\ufeff' + '\r\n'.join(lines)
    (root / 'SewerML_Train.csv').write_bytes(text.encode())
    dataset = build(root)
    assert codes(dataset, 3) == ['RB', 'OK']


def test_write_rows_and_read_rows_agree(root, tmp_path):
    rows = list(read_rows(root / 'SewerML_Train.csv'))
    write_rows(tmp_path / 'out.csv', rows)
    written = (tmp_path / 'out.csv').read_text()
    assert written == '\n'.join([OFFICIAL, *ROWS]) + '\n'


def test_arguments(root):
    for wrong in (
        dict(label_set='16'),
        dict(label_set=17),
        dict(missing='ignore'),
        dict(classes=('RB',)),
    ):
        with pytest.raises(ValueError, match=r'label_set|missing'):
            build(root, **wrong)


@pytest.mark.slow
def test_no_import_by_hand_and_no_other_host(root):
    code = (
        'import sys\n'
        'from mmpretrain.registry import DATASETS\n'
        'from mmengine.registry import init_default_scope\n'
        "init_default_scope('mmpretrain')\n"
        f'DATASETS.build({dict(CONFIG, data_root=str(root))!r})\n'
        "bad = {'mmagic', 'mmseg', 'mmdet'} & set(sys.modules)\n"
        'sys.exit(str(bad) if bad else 0)'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
