"""Each fault of an environment gets its own line, and the command for it."""

import subprocess
import sys
from pathlib import Path

import packaging
import pytest
from packaging.specifiers import SpecifierSet

from mmdsr.doctor import checks, lane, probes, report


@pytest.fixture
def whole(monkeypatch):
    """Make the metadata say that every package is exactly the lane's."""
    own = lane.read_lane()
    versions = {
        name: str(own.specs.get(name, '')).removeprefix('==') or '1.0'
        for part in own.needs.values()
        for name in part
    }
    versions['setuptools'] = '80.9.0'
    monkeypatch.setattr(checks, 'installed_version', versions.get)
    monkeypatch.setattr(
        checks.importlib.util, 'find_spec', lambda name: object()
    )
    return versions


def faults(parts=tuple(lane.HOSTS), probe=lambda code: ''):
    findings = report.examine(parts, probe=probe)
    return {f.name: f for f in findings if f.status != checks.OK}


def test_a_whole_lane_has_no_fault(whole, capsys):
    assert faults() == {}
    assert report.report(report.examine(lane.HOSTS, probe=lambda c: '')) == 0
    assert 'The environment matches the lane.' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('name', 'version', 'message', 'fix'),
    [
        ('mmcv', None, '23 minutes', '--no-build-isolation'),
        ('mmcv', '2.2.0', 'refuse 2.2', '--no-build-isolation'),
        ('numpy', '2.1.3', 'np.bool8', ' numpy'),
        ('diffusers', '0.29.0', 'unet_2d_condition', ' diffusers'),
        ('huggingface-hub', '0.26.0', 'cached_download', ' huggingface-hub'),
        ('transformers', '4.49.0', 'huggingface_hub', ' transformers'),
        ('setuptools', '81.0.0', 'pkg_resources', ' setuptools'),
        ('mmagic', None, 'Not installed', '--no-deps'),
        ('mmagic', '1.1.0', 'Older', '--no-deps'),
        ('mmengine', '0.11.0rc3', 'Not the version', ' mmengine'),
        ('lpips', None, 'Not installed', ' lpips'),
        ('torch', '2.0.1', 'Too old', ' torch'),
    ],
)
def test_one_fault_gives_one_error(whole, name, version, message, fix):
    whole[name] = version
    found = faults()
    assert list(found) == [name]
    assert found[name].status == checks.ERROR
    assert message in found[name].message
    assert fix in found[name].fix
    assert 'constraints.txt' in found[name].fix


def test_another_torch_is_a_warning(whole):
    whole['torch'] = '2.6.0+cpu'
    found = faults()
    assert list(found) == ['torch']
    assert found['torch'].status == checks.WARN
    assert 'should work' in found['torch'].message


def test_a_local_build_of_the_lane_is_the_lane(whole):
    whole['torch'] += '+cpu'
    assert faults() == {}


def test_mmcv_lite_and_forks_are_replaced(whole):
    whole['mmcv-lite'] = '2.1.0'
    whole['onedl-mmdetection'] = '3.5.1'
    found = faults()
    assert set(found) == {'mmcv-lite', 'onedl-mmdetection'}
    for name, original in (
        ('mmcv-lite', 'mmcv'),
        ('onedl-mmdetection', 'mmdet'),
    ):
        removal, install = found[name].fix.split(' && ')
        assert removal.endswith(f'uninstall -y {name} {original}')
        assert install.endswith(original)


def test_the_core_needs_no_host(whole):
    for name in [n for n in whole if n.startswith(('mm', 'diffusers'))]:
        if name != 'mmengine':
            whole[name] = None
    whole['mmcv-lite'] = '2.1.0'
    assert faults(['core']) == {}
    assert set(faults(['seg'])) == {'mmcv', 'mmcv-lite', 'mmsegmentation'}


@pytest.mark.parametrize('version', [(3, 9, 1), (3, 12, 0)])
def test_python_outside_the_lane(version):
    finding = checks.check_python(version)
    assert finding.status == checks.ERROR
    assert 'PYTHON=' in finding.fix
    assert checks.check_python((3, 10, 4)).status == checks.OK


def test_the_core_has_more_versions_than_the_hosts(whole, capsys):
    assert checks.check_python((3, 13, 0), hosted=False).status == checks.OK
    assert checks.check_python((3, 9, 1), hosted=False).status == checks.ERROR
    whole['numpy'] = '2.5.5'
    assert faults(['core'])['numpy'].status == checks.WARN
    assert faults(['core', 'seg'])['numpy'].status == checks.ERROR
    found = report.examine(['core'], probe=lambda code: '')
    assert report.report(found) == 0
    assert 'should work: 1 of' in capsys.readouterr().out
    whole['numpy'] = '1.25.2'
    assert 'Too old' in faults(['core'])['numpy'].message
    found = report.examine(['core'], probe=lambda code: '')
    assert report.report(found) == 1


def test_missing_pkg_resources(monkeypatch):
    monkeypatch.setattr(checks.importlib.util, 'find_spec', lambda n: None)
    finding = checks.check_pkg_resources(lane.read_lane())
    assert finding.status == checks.ERROR
    assert 'setuptools' in finding.fix


def test_missing_libgl(whole):
    error = 'ImportError: libGL.so.1: cannot open shared object file'
    found = faults(probe=lambda code: error if 'cv2' in code else '')
    assert list(found) == ['import cv2']
    assert 'opencv-python-headless' in found['import cv2'].fix


def test_a_torchvision_of_another_torch(whole):
    error = 'RuntimeError: operator torchvision::nms does not exist'
    found = faults(
        ['core'], probe=lambda code: error if 'torchvision' in code else ''
    )
    assert list(found) == ['import torchvision']
    assert 'torchvision' in found['import torchvision'].fix


def test_a_host_that_lacks_a_module(whole):
    error = "ModuleNotFoundError: No module named 'resize_right.interp'"
    found = faults(probe=lambda code: error if 'mmagic' in code else '')
    assert list(found) == ['import mmagic']
    assert found['import mmagic'].fix.endswith(' resize-right')


def test_probe_reports_errors_and_survives_a_crash():
    assert probes.run_probe('pass') == ''
    assert probes.run_probe('raise KeyError(1)') == 'KeyError: 1'
    assert 'exit code' in probes.run_probe('import os; os.abort()')
    assert 'no answer' in probes.run_probe('while True: pass', timeout=0.5)


STUB = """
import sys, types
ext = types.ModuleType('mmcv._ext')
ext.__getattr__ = lambda name: (lambda *args, **kwargs: None)
sys.modules['mmcv._ext'] = ext
"""


def test_torch_and_torchvision_of_this_environment():
    assert probes.check_torchvision(lane.read_lane()).status == checks.OK


@pytest.mark.slow
def test_compiled_operators(tmp_path, monkeypatch):
    """A stub loads like the real extension; only running it tells."""
    own = lane.read_lane()
    assert probes.check_mmcv_ops(own).status == checks.OK
    (tmp_path / 'sitecustomize.py').write_text(STUB)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    finding = probes.check_mmcv_ops(own)
    assert finding.status == checks.ERROR
    assert 'stub' in finding.message
    assert '--force-reinstall' in finding.fix
    assert '--no-cache-dir' in finding.fix


@pytest.mark.parametrize(
    ('version', 'spec', 'expected'),
    [
        ('2.9.1', '==2.9.1', True),
        ('2.9.1+cu128', '==2.9.1', True),
        ('2.9.10', '==2.9.1', False),
        ('2.9', '==2.9.0', True),
        ('2.9.1rc1', '==2.9.1', False),
        ('80.10.2', '<81', True),
        ('81', '<81', False),
        ('1.26.4', '>=1.22,<2', True),
        ('2.0.0', '>=1.22,<2', False),
        ('2.10.0a0+git', '>=2.1', True),
        ('9.9', '', True),
        ('unknown', '>=1', False),
    ],
)
def test_satisfies(version, spec, expected):
    assert lane.satisfies(version, SpecifierSet(spec)) is expected


def test_bad_lines_are_refused():
    for line in ('git+file://x', 'torch 2.9.1', 'torch==2.9.1, numpy'):
        with pytest.raises(ValueError, match='Not a requirement'):
            lane.parse_requirements(f'{line}\n')


def test_every_requirement_has_its_finding(whole):
    """No file of requirements is left out of the report."""
    own = lane.read_lane()
    names = {f.name for f in report.examine(lane.HOSTS, probe=lambda c: '')}
    for part in own.needs.values():
        assert names.issuperset(part)


def test_report_prints_every_fix(whole, capsys):
    whole['mmcv'] = None
    whole['numpy'] = '2.1.3'
    findings = report.examine(lane.HOSTS, probe=lambda code: '')
    assert report.report(findings) == 1
    shown = capsys.readouterr().out
    for finding in findings:
        assert finding.fix in shown
    assert 'not match the lane: 2 of' in shown


def test_plain_table_needs_no_rich(whole, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rich.console', None)
    report.print_table(report.examine(['core'], probe=lambda code: ''))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ['OK', 'numpy'] for line in lines)


@pytest.mark.parametrize('there', [True, False])
def test_doctor_starts_without_other_packages(tmp_path, there):
    """-S hides what is installed; packaging alone is enough for a report."""
    folder = lane.find_requirements().resolve().parent
    if there:
        source = Path(packaging.__file__).parent
        (tmp_path / 'packaging').symlink_to(source, target_is_directory=True)
    code = (
        f'import sys; sys.path[:0] = {[str(folder), str(tmp_path)]}\n'
        'from mmdsr.doctor.command import main; sys.exit(main(sys.argv[1:]))'
    )
    done = subprocess.run(
        [sys.executable, '-I', '-S', '-c', code, '--for', 'core'],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    if there:
        assert 'ERROR torch: missing' in done.stdout
    else:
        assert done.stderr.count('\n') == 1
        assert done.stderr.endswith('-m pip install packaging\n')


@pytest.mark.slow
def test_command_line_on_this_environment():
    done = subprocess.run(
        [sys.executable, '-m', 'mmdsr.doctor'],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'The environment matches the lane.' in done.stdout
