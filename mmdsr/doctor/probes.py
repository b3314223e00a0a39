"""Checks that must run code: libGL, compiled operators, host imports.

Each probe runs in a separate interpreter, where a crash does no harm.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from mmdsr.doctor.checks import ERROR, MMCV_BUILD, OK, Finding
from mmdsr.doctor.lane import (
    PIP_FLAGS,
    Lane,
    install_command,
    pip_command,
)

_NMS = (
    'import torch\n'
    'boxes = torch.tensor([[0., 0., 9., 9.], [0., 0., 9., 8.],\n'
    '                      [20., 20., 29., 29.]])\n'
    'kept = nms(boxes, torch.tensor([.9, .8, .7]), .5)\n'
    # mmcv's returns the boxes, too.
    'kept = (kept[1] if isinstance(kept, tuple) else kept).tolist()\n'
    'assert kept == [0, 2], f"nms kept {kept}, not [0, 2]"\n'
)
PROBES = {
    'cv2': 'import cv2',
    'torchvision': f'from torchvision.ops import nms\n{_NMS}',
    'mmcv.ops': f'from mmcv.ops import nms\n{_NMS}',
    'mmagic': 'import mmagic.datasets, mmagic.models, mmagic.visualization',
    'mmsegmentation': 'import mmseg.datasets, mmseg.models',
    'mmdet': 'import mmdet.datasets, mmdet.models',
    'mmpretrain': 'import mmpretrain.datasets, mmpretrain.models',
}
IMPORTS = {
    'train': 'mmagic',
    'seg': 'mmsegmentation',
    'det': 'mmdet',
    'cls': 'mmpretrain',
}


def run_probe(code: str, timeout: float = 180) -> str:
    """Run code in a fresh interpreter, where a crash does no harm.

    Args:
        code: Python code.
        timeout: Seconds.

    Returns:
        Empty if it ran through, otherwise the last line of its errors.
    """
    environ = dict(os.environ, NO_ALBUMENTATIONS_UPDATE='1')
    try:
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', code],
            env=environ,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return f'no answer within {timeout} s'
    if done.returncode == 0:
        return ''
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f'exit code {done.returncode}'


def judge(name: str, error: str, message: str, fix: str) -> Finding:
    """Return the finding of a probe that gave ``error``."""
    if not error:
        return Finding(name, 'works', 'works')
    return Finding(name, 'fails', 'works', ERROR, message, fix)


def check_cv2(lane: Lane, probe: Callable[[str], str] = run_probe) -> Finding:
    """Check that OpenCV can be loaded; libGL is missing most often."""
    error = probe(PROBES['cv2'])
    message = error
    if 'libGL' in error:
        message = f'{error}. The headless build does not need libGL.'
    fix = install_command(lane, 'opencv-python-headless')
    return judge('import cv2', error, message, fix)


def check_torchvision(
    lane: Lane, probe: Callable[[str], str] = run_probe
) -> Finding:
    """Check that torch loads, and that torchvision was built for it."""
    error = probe(PROBES['torchvision'])
    message = f'{error}. Each torchvision is built for one torch.'
    fix = install_command(lane, 'torchvision')
    return judge('import torchvision', error, message, fix)


def check_mmcv_ops(
    lane: Lane, probe: Callable[[str], str] = run_probe
) -> Finding:
    """Check that mmcv's compiled operators work, by running one on CPU."""
    error = probe(PROBES['mmcv.ops'])
    message = (
        f'{error}. mmcv._ext is missing, a stub, or built against another '
        f'torch. {MMCV_BUILD}'
    )
    # The cache may contain the broken wheel.
    anew = ('--force-reinstall', '--no-deps', '--no-cache-dir')
    flags = (*anew, *PIP_FLAGS['mmcv'])
    fix = pip_command(lane, 'mmcv', flags=flags)
    return judge('mmcv.ops', error, message, fix)


def check_import(
    part: str, lane: Lane, probe: Callable[..., Any] = run_probe
) -> Finding:
    """Check that the host of a part can be imported.

    Args:
        part: ``'train'``, ``'seg'``, ``'det'`` or ``'cls'``.
        lane: The version lane.
        probe: Runs code, returns the error or ``''``.

    Returns:
        The result.
    """
    host = IMPORTS[part]
    error = probe(PROBES[host])
    missing = re.search(r"No module named '(\w+)", error)
    lacking = canonicalize_name(missing[1]) if missing else host
    fix = install_command(lane, lacking)
    return judge(f'import {host}', error, error, fix)


def examine_imports(
    parts: Sequence[str],
    findings: Sequence[Finding],
    lane: Lane,
    probe: Callable[..., Any] = run_probe,
) -> list[Finding]:
    """Run the probes whose packages are in order.

    Args:
        parts: Keys of ``HOSTS``.
        findings: What the version checks gave.
        lane: The version lane.
        probe: Runs code, returns the error or ``''``.

    Returns:
        One line for each probe that could be tried.
    """
    broken = {item.name for item in findings if item.status == ERROR}
    looked = {item.name for item in findings}
    results = []
    if 'opencv-python' not in broken:
        results.append(check_cv2(lane, probe))
    if not broken & {'torch', 'torchvision'}:
        results.append(check_torchvision(lane, probe))
    usable = not broken & {'torch', 'mmengine', 'mmcv', 'opencv-python'}
    usable = usable and all(item.status == OK for item in results)
    if 'mmcv' in looked and usable:
        results.append(check_mmcv_ops(lane, probe))
    if not broken and all(item.status == OK for item in results):
        hosts = [part for part in parts if part in IMPORTS]
        results += [check_import(part, lane, probe) for part in hosts]
    return results
