"""The comparison of a network with bicubic interpolation."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdsr.analysis import study
from mmdsr.engine.checkpoint import CheckpointError, save_weights
from mmdsr.models.networks import DSROutput
from mmdsr.registry import MODELS

CONFIG = Path(__file__).parents[2] / 'configs/dsrnet/teacher_quick.py'


class Oracle(torch.nn.Module):
    """Returns the reference moved back, as the fixture moved it by 8."""

    scale = 4
    needs_depth = False
    depth_net = object()

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(
        self,
        lr,
        ref,
        ref_down=None,
        depth=None,
        depth_ref=None,
        return_feats=False,
    ):
        self.seen.append((depth, depth_ref))
        sr = torch.nn.functional.interpolate(
            lr, scale_factor=4, mode='bicubic'
        )
        if ref.shape == sr.shape:
            sr = ref.roll(-8, dims=-1)
        if depth is None:
            depth = torch.full_like(lr[:, :1], 0.5)
        return DSROutput(sr, depth, depth_ref, depth, (), None)


@pytest.fixture(scope='module')
def cfg():
    return Config.fromfile(CONFIG)


def test_reference_matters_for_a_network_that_uses_it(
    cfg, refsr_root, tmp_path
):
    net = Oracle()
    rows = study.evaluate(cfg, net, refsr_root, strips=tmp_path, max_strips=1)
    names = [(row.reference, row.depth) for row in rows]
    assert names == [
        (None, None),
        ('adjacent', 'predicted'),
        ('wrong', 'predicted'),
        ('upscaled', 'predicted'),
        ('self', 'predicted'),
        ('adjacent', 'given'),
        ('adjacent', 'zero'),
    ]
    bicubic, true, wrong, _, own, given, zero = rows
    assert true.psnr_y > 100
    assert true.ssim_y == pytest.approx(1)
    assert wrong.psnr_y < bicubic.psnr_y
    assert wrong.psnr_y < own.psnr_y < true.psnr_y
    assert given.samples == zero.samples == 2
    # Each sample once per row, with what the row says.
    assert len(net.seen) == 6 * 2
    assert all(depth is None for pair in net.seen[:8] for depth in pair)
    depth, depth_ref = net.seen[8]
    assert depth.shape == depth_ref.shape == (1, 1, 48, 64)
    # 0.25 / Z with Z between 0.4 and 1.4 m.
    assert 0.1 < depth.min() < depth.max() < 0.8
    assert not any(depth.any() for depth in net.seen[-1])
    assert len(list(tmp_path.glob('*.png'))) == 1


def test_bicubic_row_is_pillow(cfg, refsr_root):
    from PIL import Image

    rows = study.evaluate(cfg, Oracle(), refsr_root, ['adjacent'], ['zero'])
    errors = []
    for path in sorted((refsr_root / 'test/lr').iterdir()):
        with Image.open(path) as lr:
            up = np.asarray(lr.resize((256, 192), Image.BICUBIC), float)
        with Image.open(refsr_root / 'test/hr' / path.name) as hr:
            error = np.mean((up - np.asarray(hr, float)) ** 2)
        errors.append(10 * np.log10(255**2 / error))
    assert rows[0].psnr_rgb == pytest.approx(np.mean(errors))
    assert rows[0].gain == 0


def test_what_the_data_do_not_allow_is_noted(cfg, refsr_root, tmp_path):
    import shutil

    root = tmp_path / 'bare'
    shutil.copytree(refsr_root, root)
    for name in ('depth_lr', 'depth_ref'):
        shutil.rmtree(root / 'test' / name)
    for path in root.glob('test/*/test1_*'):
        path.unlink()
    (root / 'manifest.json').unlink()
    rows = study.evaluate(cfg, Oracle(), root)
    wrong, given = rows[2], rows[5]
    assert wrong.psnr_y is None
    assert 'two runs' in wrong.note
    assert given.psnr_y is None
    assert 'depth_lr' in given.note
    assert rows[6].samples == 1
    study.write_results(tmp_path / 'out', dict(bare=rows), dict(config='c'))
    text = (tmp_path / 'out/results.md').read_text()
    assert given.note in text
    with pytest.raises(FileNotFoundError):
        study.evaluate(cfg, Oracle(), tmp_path / 'none')


def test_variants():
    def pairs(**net):
        return [
            (row.reference, row.depth)
            for row in study.variants(
                SimpleNamespace(**net), ['adjacent', 'self']
            )
        ]

    assert pairs(needs_depth=False, depth_net=None) == [
        ('adjacent', None),
        ('self', None),
    ]
    assert pairs(needs_depth=True, depth_net=None) == [
        ('adjacent', 'given'),
        ('self', 'given'),
        ('adjacent', 'zero'),
    ]
    with pytest.raises(ValueError, match='given'):
        study.variants(SimpleNamespace(needs_depth=True), depths=['predicted'])


def test_results_are_written(tmp_path):
    rows = [
        study.Row(
            'bicubic',
            samples=2,
            psnr_y=30.0,
            ssim_y=0.9,
            psnr_rgb=29.0,
            gain=0.0,
        ),
        study.Row('true', 'adjacent', None, 2, 31.234, 0.95, 30.0, 1.234),
    ]
    study.write_results(tmp_path, dict(a=rows), dict(checkpoint='x.pth'))
    content = json.loads((tmp_path / 'results.json').read_text())
    assert content['checkpoint'] == 'x.pth'
    assert content['results']['a'][1]['gain'] == 1.234
    assert (
        '| true | 31.23 | 0.9500 | 30.00 | +1.23 |'
        in (tmp_path / 'results.md').read_text()
    )
    assert study.rich_table('a', rows).row_count == 2


def test_find_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='no checkpoint'):
        study.find_checkpoint(tmp_path)
    for name in ('iter_2.pth', 'iter_10.pth'):
        (tmp_path / name).touch()
    import os

    os.utime(tmp_path / 'iter_2.pth', (1, 1))
    assert study.find_checkpoint(tmp_path).name == 'iter_10.pth'
    (tmp_path / 'best_PSNR-Y_iter_2.pth').touch()
    assert study.find_checkpoint(tmp_path).name.startswith('best')
    file = tmp_path / 'iter_2.pth'
    assert study.find_checkpoint(file) == file


def test_build_generator(cfg, tmp_path):
    small = cfg.copy()
    small.merge_from_dict(
        {
            'model.generator.channels': 8,
            'model.generator.encoder_blocks': (1, 1, 1),
            'model.generator.decoder_blocks': (1,) * 6,
        }
    )
    net = MODELS.build(small.model.generator)
    save_weights(
        {f'generator.{k}': v for k, v in net.state_dict().items()},
        tmp_path / 'iter_1.pth',
    )
    loaded = study.build_generator(small, tmp_path)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    for key, value in net.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])
    with pytest.raises(CheckpointError, match='another config'):
        study.build_generator(cfg, tmp_path)


def test_holes_in_given_depth():
    sample = dict(
        img=np.zeros((16, 16, 3), np.uint8),
        ref=np.zeros((64, 64, 3), np.uint8),
        stem='run_1',
        depth_lr=np.full((16, 16, 1), np.nan, np.float32),
    )
    with pytest.raises(study.MissingDepthError, match='run_1'):
        study.super_resolve(Oracle(), sample, 'given')
