"""tools/dataset_converters/photos_to_refsr.py, as a user runs it."""

import photo_makers
from tool_runs import run

TOOL = 'dataset_converters/photos_to_refsr.py'


def test_makes_refuses_and_overwrites(tmp_path):
    root, out = photo_makers.folder(tmp_path / 'in'), tmp_path / 'out'
    args = (root, out, '--size', 64, 64, '--pairs', 3, 1, '--workers', 2)
    done = run(TOOL, *args)
    assert '3 training pairs of 2 photographs and 1 test pairs of 1' in (
        done.stdout
    )
    before = (out / 'manifest.json').read_bytes()

    again = run(TOOL, *args, check=False)
    assert again.returncode == 2 and 'exists already' in again.stderr
    assert (out / 'manifest.json').read_bytes() == before
    run(TOOL, *args, '--seed', 1, '--overwrite', '--occluded', 1)
    assert (out / 'manifest.json').read_bytes() != before

    # Wrong values are one line, and leave all as it is.
    (root / 'ATTRIBUTION.csv').unlink()
    for more, reason in (
        ((), 'ATTRIBUTION.csv'),
        (('--size', 63, 64), 'multiples of 4'),
        (('--attribution', root / 'none.csv'), 'No such file'),
    ):
        bad = run(TOOL, root, tmp_path / 'new', *more, check=False)
        assert bad.returncode == 2 and reason in bad.stderr
        assert len(bad.stderr.splitlines()) == 1
    bad = run(TOOL, root, out, '--exclude-license', 'GPL', check=False)
    assert bad.returncode == 2 and 'CC-BY-SA' in bad.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ['in', 'out']
