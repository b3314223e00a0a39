import random
from functools import partial

import pytest
import tool_runs

from mmdsr.converters.sewer_ml_subset import make_subset
from mmdsr.datasets.sewer_ml_csv import (
    CLASSES,
    HEADER,
    LABEL_SETS,
    read_rows,
    write_rows,
)

TOOL = 'dataset_converters/make_subset.py'
call = partial(tool_runs.call, TOOL)


@pytest.fixture
def table(tmp_path):
    """2000 rows; class k has a share that falls with k; a third is normal."""
    rng = random.Random(5)
    rows = []
    for i in range(2000):
        row = dict.fromkeys(HEADER, '0') | {'Filename': f'{i:08}.png'}
        row['WaterLevel'] = str(5 * rng.randrange(20))
        if rng.random() < 2 / 3:
            for k, code in enumerate(CLASSES):
                row[code] = str(int(rng.random() < 0.5 / (1 + k)))
        row['Defect'] = str(int('1' in [row[code] for code in CLASSES]))
        row['ND'] = str(1 - int(row['Defect']))
        rows.append(row)
    path = tmp_path / 'all.csv'
    write_rows(path, rows)
    return path


def counts_of(path, codes):
    rows = list(read_rows(path))
    counts = {c: sum(row[c] == '1' for row in rows) for c in codes}
    counts['ND'] = sum(row['Defect'] == '0' for row in rows)
    return {'images': len(rows), **counts}


@pytest.mark.parametrize('label_set', ['15', '17'])
def test_quotas(table, tmp_path, label_set):
    codes = LABEL_SETS[label_set]
    whole = counts_of(table, codes)
    out = tmp_path / 'part.csv'
    told = make_subset(table, out, 40, 30, label_set)
    counts = counts_of(out, codes)
    assert told == counts
    assert counts['ND'] == 30
    for code in codes:
        assert min(whole[code], 40) <= counts[code] <= whole[code]
    rare = min(codes, key=lambda code: whole[code])
    assert counts[rare] == min(whole[rare], 40)
    # An image counts for all that it shows, so far fewer are enough.
    assert counts['images'] <= 40 * len(codes) + 30
    rows, all_rows = list(read_rows(out)), list(read_rows(table))
    assert [row for row in all_rows if row in rows] == rows
    for row in rows:
        wanted = any(row[code] == '1' for code in codes)
        assert wanted or row['Defect'] == '0'


def test_the_seed_alone_decides(table, tmp_path):
    def names(seed, source=table):
        out = tmp_path / 'part.csv'
        make_subset(source, out, 10, 10, seed=seed, overwrite=True)
        return {row['Filename'] for row in read_rows(out)}

    rows = list(read_rows(table))
    random.Random(1).shuffle(rows)
    shuffled = tmp_path / 'shuffled.csv'
    write_rows(shuffled, rows)
    assert names(3) == names(3) == names(3, shuffled)
    assert names(3) != names(4)


def test_rare_classes_come_first(table, tmp_path):
    """An image drawn for a rare class serves a frequent one, too."""
    rows = list(read_rows(table))[:60]
    for i, row in enumerate(rows):
        row |= dict.fromkeys(CLASSES, '0') | {'FS': '1', 'Defect': '1'}
        row['DE'] = str(int(i == 30))
    write_rows(table, rows)
    out = tmp_path / 'part.csv'
    assert make_subset(table, out, 1, 0)['images'] == 1


def test_only_existing_files(table, tmp_path):
    images = tmp_path / 'images'
    images.mkdir()
    there = {f'{i:08}.png' for i in range(0, 2000, 40)}
    for name in there:
        (images / name).touch()
    out = tmp_path / 'part.csv'
    counts = make_subset(table, out, 1000, 1000, '17', images=images)
    assert {row['Filename'] for row in read_rows(out)} == there
    assert counts['images'] == 50
    with pytest.raises(FileNotFoundError, match='no folder'):
        make_subset(table, out, images=tmp_path / 'nowhere', overwrite=True)
    with pytest.raises(ValueError, match='leaves no image'):
        make_subset(table, out, images=tmp_path, overwrite=True)


def test_the_tool(table, tmp_path):
    out = tmp_path / 'part.csv'
    done = call(table, out, '--per-class', 10, '--normal', 5, '--seed', 1)
    assert done.returncode == 0, done.stderr
    assert f'{out}: ' in done.stdout
    assert 'ND 5' in done.stdout
    before = out.read_bytes()
    again = call(table, out)
    assert again.returncode == 2
    assert 'already exists' in again.stderr
    assert out.read_bytes() == before
    many = call(table, out, '--per-class', 200, '--overwrite')
    assert many.returncode == 0
    assert 'The table has fewer images than requested: ' in many.stdout
    itself = call(table, table, '--overwrite')
    assert itself.returncode == 2
    assert 'the table itself' in itself.stderr


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'Filename,RB\n1.png,1\n',
        b'\xff\xfe\x00',
        b'"' + b'x' * 200_000,
        (','.join(HEADER) + '\n').encode(),
        (','.join(HEADER) + '\n1.png,\n').encode(),
        (','.join(HEADER) + '\n' + '\x00' * 99).encode(),
    ],
)
def test_broken_tables(tmp_path, content):
    table = tmp_path / 'a b ü.csv'
    table.write_bytes(content)
    done = call(table, tmp_path / 'out.csv')
    assert done.returncode == 2
    assert 'Error: ' in done.stderr
    assert 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == [table]


def test_wrong_arguments(table, tmp_path):
    out = tmp_path / 'out.csv'
    for args, text in (
        (('--per-class', -1), 'quotas must be'),
        (('--classes', 16), 'invalid choice'),
        (('--images', tmp_path / 'nowhere'), 'no folder'),
    ):
        done = call(table, out, *args)
        assert done.returncode == 2
        assert text in done.stderr
    assert call(tmp_path, out).returncode == 2
    assert call(table, tmp_path).returncode == 2
    assert not out.exists()
