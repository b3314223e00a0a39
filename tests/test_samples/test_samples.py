"""The samples of the package, and the command that copies them."""

import shlex
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from mmdsr.cli.main import main
from mmdsr.evaluation.functional import psnr, upscale
from mmdsr.io.images import downscale
from mmdsr.samples import FILES, FOLDER, copy_samples


def read(name):
    with Image.open(FOLDER / name) as image:
        return np.array(image.convert('RGB'))


def test_samples_belong_together():
    frame, reference, truth = map(read, FILES[:3])
    assert frame.shape == (120, 160, 3)
    assert truth.shape == reference.shape == (480, 640, 3)
    assert psnr(downscale(truth), frame) > 35
    # Another view, not the truth itself.
    assert psnr(truth, reference) < psnr(truth, upscale(frame))


def test_the_reference_helps():
    from mmdsr import SuperResolver

    frame, reference, truth = map(read, FILES[:3])
    resolver = SuperResolver(weights='dsrnet_x_nano')
    bicubic = psnr(upscale(frame), truth)
    alone = psnr(resolver.enhance(frame), truth) - bicubic
    guided = psnr(resolver.enhance(frame, reference), truth) - bicubic
    assert alone > 2
    assert guided > alone + 3


def test_recording():
    av = pytest.importorskip('av')
    with av.open(str(FOLDER / 'recording.mp4')) as container:
        frames = [f.to_ndarray(format='rgb24') for f in container.decode()]
    assert len(frames) == 250
    assert frames[0].shape == (120, 160, 3)
    steps = [
        np.abs(before.astype(int) - after).mean()
        for before, after in pairwise(frames)
    ]
    # It moves, steadily.
    assert 0.5 < np.median(steps) < 10
    assert max(steps) < 5 * np.median(steps)


def test_command(tmp_path, capsys):
    out = tmp_path / 'my samples'
    assert main(['sample', str(out)]) == 0
    assert {path.name for path in out.iterdir()} == set(FILES)
    lines = capsys.readouterr().out.splitlines()
    assert shlex.split(lines[1])[-1] == str(out / 'enhanced')
    # In one pair of quotes.
    assert lines[2].endswith(f"'{out / 'enhanced.mp4'}'")
    # Twice does no harm, another's file is not lost.
    assert main(['sample', str(out)]) == 0
    (out / 'truth.jpg').write_bytes(b'mine')
    (out / 'frame.png').unlink()
    assert main(['sample', str(out)]) == 2
    assert 'choose a new folder' in capsys.readouterr().err
    assert (out / 'truth.jpg').read_bytes() == b'mine'
    assert not (out / 'frame.png').exists()
    assert main(['sample', str(out / 'truth.jpg')]) == 2
    assert 'is a file: choose a new folder' in capsys.readouterr().err


def test_copies_are_whole(tmp_path):
    for path in copy_samples(tmp_path / 'new'):
        assert path.read_bytes() == (FOLDER / path.name).read_bytes()
