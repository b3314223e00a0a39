"""tools/dataset_converters/photos_to_refsr.py, as a user runs it."""

import photo_makers
import tool_runs

TOOL = 'dataset_converters/photos_to_refsr.py'


def call(*args):
    """Run the tool in this process; returns code, stdout, stderr."""
    done = tool_runs.call(TOOL, *args)
    return done.returncode, done.stdout, done.stderr


def test_a_run(tmp_path):
    root, out = photo_makers.folder(tmp_path / 'in'), tmp_path / 'out'
    code, said, _ = call(root, out, '--size', 64, 64, '--pairs', 3, 1)
    assert code == 0
    assert '3 training pairs of 2 photographs and 1 test pairs of 1' in (said)
    assert (out / 'test/flow').is_dir()


def test_refuses_and_overwrites(tmp_path):
    root, out = photo_makers.folder(tmp_path / 'in'), tmp_path / 'out'
    args = (root, out, '--size', 64, 64, '--pairs', 3, 1)
    assert call(*args)[0] == 0
    before = (out / 'manifest.json').read_bytes()
    code, _, text = call(*args)
    assert code == 2
    assert 'already exists' in text
    assert (out / 'manifest.json').read_bytes() == before
    assert call(*args, '--occluded', 1, '--overwrite')[0] == 0
    assert (out / 'manifest.json').read_bytes() != before


def test_wrong_arguments_are_one_line(tmp_path):
    root, out = photo_makers.folder(tmp_path / 'in'), tmp_path / 'out'
    csv = tmp_path / 'none.csv'
    for args, reason in (
        ((tmp_path / 'nowhere',), 'no folder'),
        ((root, '--size', 63, 64), 'multiples of 4'),
        ((root, '--pairs', 0, 0), 'pairs'),
        ((root, '--test-share', 1.5), 'between 0 and 1'),
        ((root, '--attribution', csv), 'No such file'),
    ):
        code, _, text = call(args[0], out, *args[1:])
        assert code == 2
        assert reason in text
        assert len(text.splitlines()) == 1
    code, _, text = call(root, out, '--exclude-license', 'GPL')
    assert code == 2
    assert 'CC-BY-SA' in text
    (root / 'ATTRIBUTION.csv').unlink()
    code, _, text = call(root, out)
    assert code == 2
    assert 'licenses' in text
    assert '--any-license' in text
    assert [p.name for p in tmp_path.iterdir()] == ['in']
