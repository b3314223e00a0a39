"""The package is light to import, complete when installed, found by hosts."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from tool_runs import run_each

import mmdsr

ROOT = Path(mmdsr.__file__).parents[1]
HOSTS = ('mmagic', 'mmdet', 'mmseg', 'mmpretrain', 'diffusers', 'transformers')


def run(code, timeout=120):
    """Run code in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_version_is_read_without_an_import():
    scope = {}
    exec((ROOT / 'mmdsr/version.py').read_text(encoding='utf-8'), scope)
    assert scope['__version__'] == mmdsr.__version__
    assert all(part.isdigit() for part in mmdsr.__version__.split('.')[:2])


def test_light_modules_import_no_host():
    codes = {
        module: (
            f'import {module}\n'
            f'print([name for name in {HOSTS} if name in sys.modules])'
        )
        for module in (
            'mmdsr',
            'mmdsr.cli.main',
            'mmdsr.models',
            'mmdsr.models.distillers',
            'mmdsr.models.networks',
            'mmdsr.sim',
        )
    }
    printed = run_each('import sys, torch', codes.values())
    assert dict(zip(codes, printed, strict=True)) == dict.fromkeys(codes, '[]')


def test_the_front_door_opens_when_asked():
    """Names are found without an import, and imported on use."""
    code = (
        'import sys, mmdsr\n'
        'assert set(mmdsr.__all__) <= set(dir(mmdsr))\n'
        f"heavy = ('torch', 'numpy', 'mmengine', *{HOSTS})\n"
        'assert not any(name in sys.modules for name in heavy)\n'
        'for name in mmdsr.__all__:\n'
        '    assert getattr(mmdsr, name) is not None\n'
        "assert 'dsrnet_student' in mmdsr.list_weights()\n"
        "net = mmdsr.load_weights('dsrnet_student')\n"
        'assert type(net) is mmdsr.DSRNet\n'
        # mmengine's optimisers import transformers where it is installed.
        f'print([name for name in {HOSTS[:4]} if name in sys.modules])'
    )
    assert run(code) == '[]'
    with pytest.raises(AttributeError, match="no attribute 'DSRNett'"):
        _ = mmdsr.DSRNett


@pytest.mark.slow
def test_networks_resolve_from_every_host():
    """No custom_imports: the scope in the name is enough."""
    hosts = ('mmagic', 'mmdet', 'mmseg', 'mmpretrain')
    codes = [
        f'from {host}.registry import MODELS\n'
        'from mmengine.registry import DefaultScope\n'
        f'with DefaultScope.overwrite_default_scope({host!r}):\n'
        "    net = MODELS.build(dict(type='mmdsr.DSRNet', channels=8,\n"
        '        encoder_blocks=(1, 1, 1),\n'
        '        decoder_blocks=(1, 1, 1, 1, 1, 1)))\n'
        'print(type(net).__module__, type(net).__name__)'
        for host in hosts
    ]
    printed = run_each('import mmengine.registry, mmengine.model', codes)
    for host, text in zip(hosts, printed, strict=True):
        module, name = text.splitlines()[-1].split()
        assert module.startswith('mmdsr.models.networks'), host
        assert name == 'DSRNet', host


def test_a_missing_host_is_named():
    """A config for training, in an environment without mmagic."""
    code = (
        'import sys\n'
        "sys.modules['mmagic'] = None\n"
        'from mmdsr.registry import MODELS\n'
        "assert MODELS.get('mmdsr.DSRNet') is not None\n"
        'try:\n'
        "    MODELS.get('mmdsr.DSR')\n"
        'except ImportError as error:\n'
        '    print(error)'
    )
    message = run(code)
    assert 'mmdsr.DSR cannot be used' in message
    assert 'mmagic' in message
    assert 'python -m mmdsr.doctor' in message


def build(source, out, kind):
    """Build a distribution as pip does; return the archive's path."""
    code = (
        'import os, sys\n'
        'from setuptools import build_meta\n'
        f'os.chdir({str(source)!r})\n'
        f'print(build_meta.build_{kind}({str(out)!r}))'
    )
    return out / run(code).splitlines()[-1]


@pytest.fixture(scope='module')
def sdist(tmp_path_factory):
    """Build the source distribution from a copy of what it needs."""
    copy = tmp_path_factory.mktemp('source') / 'mmdsr'
    names = [
        'CITATION.cff', 'CONTRIBUTING.md', 'LICENSE', 'MANIFEST.in',
        'Makefile', 'README.md', 'configs', 'docs', 'mmdsr',
        'model-index.yml', 'pyproject.toml', 'requirements', 'setup.py',
        'tests', 'tools',
    ]  # fmt: skip
    ignore = shutil.ignore_patterns('__pycache__', '.mim', '_build')
    copy.mkdir()
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=ignore)
        else:
            shutil.copy2(ROOT / name, copy / name)
    return build(copy, tmp_path_factory.mktemp('sdist'), 'sdist')


@pytest.mark.slow
def test_a_wheel_from_the_sdist_has_all(sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter='data')
    source = tmp_path / sdist.name.removesuffix('.tar.gz')
    wheel = build(source, tmp_path, 'wheel')
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(n for n in names if n.endswith('/METADATA'))
        metadata = archive.read(metadata).decode()
        lane = archive.read('mmdsr/.mim/requirements/constraints.txt')
        scripts = next(n for n in names if n.endswith('entry_points.txt'))
        scripts = archive.read(scripts).decode()
    for folder in ('configs', 'tools'):
        for path in (ROOT / folder).rglob('*'):
            if path.suffix in ('.py', '.sh', '.yml', '.md'):
                assert f'mmdsr/.mim/{path.relative_to(ROOT)}' in names
    for path in (ROOT / 'mmdsr').rglob('*.py'):
        if '.mim' not in path.parts:
            assert str(path.relative_to(ROOT)) in names
    for path in (ROOT / 'mmdsr/weights').iterdir():
        if path.suffix in ('.json', '.safetensors', '.pth'):
            assert str(path.relative_to(ROOT)) in names
    assert 'mmdsr/weights/index.json' in names
    assert {'mmdsr/page/static/index.html', 'mmdsr/page/static/page.js'} <= (
        names
    )
    assert 'mmdsr/.mim/model-index.yml' in names
    assert lane.decode() == (ROOT / 'requirements/constraints.txt').read_text()
    assert not any(n.startswith(('tests/', 'tools/')) for n in names)
    assert 'Requires-Dist: mmagic' not in metadata
    assert 'mmdsr = mmdsr.cli.main:main' in scripts
    for extra in ('train', 'seg', 'det', 'cls', 'all', 'tests', 'docs'):
        assert f'Provides-Extra: {extra}' in metadata


@pytest.mark.slow
def test_an_editable_install_links(sdist, tmp_path):
    """PEP 660: an edited config is the one that mim finds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter='data')
    source = tmp_path / sdist.name.removesuffix('.tar.gz')
    wheel = build(source, tmp_path, 'editable')
    mim = source / 'mmdsr/.mim'
    config = mim / 'configs/dsrnet/teacher_quick.py'
    assert config.samefile(source / 'configs/dsrnet/teacher_quick.py')
    assert (mim / 'model-index.yml').samefile(source / 'model-index.yml')
    assert (mim / 'tools/train.py').is_file()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        top = next(name for name in names if name.endswith('top_level.txt'))
        folder, name = archive.read(top).decode().split()
    # mim and mmengine join site-packages with the first line.
    assert Path('/site-packages', folder).samefile(source / 'mmdsr')
    assert name == 'mmdsr'


def test_setup_py_imports_no_torch():
    """An isolated build has no torch."""
    code = (
        'import sys, setuptools\n'
        'setuptools.setup = lambda **kwargs: None\n'
        "sys.modules['torch'] = None\n"
        f'import os; os.chdir({str(ROOT)!r})\n'
        "exec(compile(open('setup.py').read(), 'setup.py', 'exec'),\n"
        "     {'__file__': os.path.abspath('setup.py'), '__name__': 'x'})\n"
        "print('mmdsr' in sys.modules)"
    )
    assert run(code) == 'False'


def test_model_index_files_are_there():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    for name in index['Import']:
        meta = yaml.safe_load((ROOT / name).read_text())
        for model in meta['Models']:
            assert (ROOT / model['Config']).is_file(), model['Config']
