"""Fixtures that several areas share."""

import gc
import os
import signal
import socket
import subprocess
import sys

import cv2
import numpy as np
import pytest
from quick_configs import quicken_configs

#: Modules that start processes to read recordings.
CHILDREN = ('mmdsr.video.reader', 'mmdsr.recording.ask')
#: How many modules there were when the collector was told to leave them.
_frozen = {'modules': 0}


def pytest_configure():
    """Let the tools that tests start be interrupted."""
    # What is started in the background ignores Ctrl-C, and so would they.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    quicken_configs()


def pytest_runtest_setup():
    """Keep the garbage collector from looking through all imports each time.

    Data sets of mmengine start it whenever one is built, and the hosts are
    imported by the first test that needs them.
    """
    if len(sys.modules) > _frozen['modules'] + 200:
        gc.collect()
        gc.freeze()
        _frozen['modules'] = len(sys.modules)


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    """No test may fetch weights from the internet."""

    def refuse(*args, **kwargs):
        raise AssertionError('something tried to download')

    monkeypatch.setattr('torch.hub.download_url_to_file', refuse)
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', refuse)


@pytest.fixture(autouse=True, scope='session')
def own_cache(tmp_path_factory):
    """Models are converted for the tests, once for all their processes."""
    # Those of pytest-xdist have folders side by side.
    folder = tmp_path_factory.getbasetemp().parent / 'mmdsr-cache'
    os.environ['MMDSR_CACHE'] = str(folder)


@pytest.fixture(autouse=True, scope='session')
def quick_children():
    """Recordings are read by forks of one process with the imports done."""
    if not sys.platform.startswith('linux'):
        yield
        return
    from quick_children import STAND_IN

    with pytest.MonkeyPatch.context() as patch:
        for module in CHILDREN:
            patch.setattr(f'{module}.subprocess', STAND_IN)
        yield


@pytest.fixture
def real_children(monkeypatch):
    """Recordings are read by new processes, as they are for users."""
    for module in CHILDREN:
        monkeypatch.setattr(f'{module}.subprocess', subprocess)


def _smooth_noise(rng, height, width, channels):
    noise = rng.random((height // 8, width // 8, channels), dtype=np.float32)
    image = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return image.clip(0, 1)


@pytest.fixture
def free_port():
    """A port that no other test uses, though they run side by side."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return str(server.getsockname()[1])


@pytest.fixture
def forked_runs(monkeypatch):
    """The runs of experiments need not import torch and the hosts first."""
    from forks import start_run

    monkeypatch.setattr('mmdsr.experiments.runs.start', start_run)


@pytest.fixture(scope='session')
def refsr_root(tmp_path_factory):
    """A tiny data set with depth: LR 48x64, two runs per split."""
    from mmdsr.io.layout import RefSRWriter

    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp('data') / 'tiny'
    with RefSRWriter(root) as writer:
        for split, frames in (('train', 4), ('test', 2)):
            for run in range(2):
                for frame in range(frames // 2):
                    image = _smooth_noise(rng, 192, 256, 3)
                    hr = (image * 255).astype(np.uint8)
                    depth = 0.4 + _smooth_noise(rng, 192, 256, 1).squeeze()
                    writer.add(
                        split,
                        f'{split}{run}_{frame:04d}',
                        hr,
                        np.roll(hr, 8, axis=1),
                        depth,
                        np.roll(depth, 8, axis=1),
                    )
    return root
