"""The comparison of a network with bicubic interpolation."""

import errno
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from rich.console import Console
from tool_runs import call

from mmdsr.errors import CheckpointError, UsageError
from mmdsr.evaluation.functional import MAX_PSNR, upscale
from mmdsr.experiments import compare_references, comparison, references
from mmdsr.experiments.references_table import (
    Row,
    match_table,
    rich_table,
    write_results,
)
from mmdsr.io.checkpoint import save_weights
from mmdsr.io.images import downscale
from mmdsr.io.layout import RefSRWriter
from mmdsr.models.networks import DSROutput
from mmdsr.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
CONFIG = CONFIGS / 'dsrnet/teacher_quick.py'
X_CONFIG = CONFIGS / 'dsrnet_x/x_nano.py'


class Oracle(torch.nn.Module):
    """Returns the reference moved back, as the fixture moved it by 8."""

    scale = 4
    needs_depth = False
    depth_net = object()

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(self, lr, ref):
        return self.explain(lr, ref).sr

    def explain(self, lr, ref, depth=None, depth_ref=None):
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
    rows = compare_references.evaluate(
        cfg, net, refsr_root, strips=tmp_path, max_strips=1
    )
    names = [(row.reference, row.depth) for row in rows]
    assert names == [
        (None, None),
        ('adjacent', None),
        ('adjacent', 'predicted'),
        ('wrong', 'predicted'),
        ('upscaled', 'predicted'),
        ('self', 'predicted'),
        ('adjacent', 'given'),
        ('adjacent', 'zero'),
    ]
    bicubic, warped, true, wrong, _, own, given, zero = rows
    assert warped.name == 'flow-warp'
    assert warped.samples == 2
    assert warped.psnr_y != bicubic.psnr_y
    assert true.psnr_y == MAX_PSNR
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


def test_a_soft_reference_has_the_resolution_of_lr(cfg, refsr_root):
    sharp, soft = (
        references.open_dataset(cfg, refsr_root, name)[0]
        for name in ('adjacent', 'soft')
    )
    small = downscale(sharp['ref'])
    np.testing.assert_array_equal(soft['ref'], upscale(small))
    assert soft['ref_path'] == sharp['ref_path']
    np.testing.assert_array_equal(soft['flow'], sharp['flow'])


def test_several_references_are_those_of_the_frames_beside(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (2, 5, 64, 64, 3), np.uint8)
    with RefSRWriter(tmp_path / 'data') as writer:
        for run in range(2):
            for i in range(4):
                pair = frames[run, i], frames[run, i + 1]
                writer.add('test', f'run{run}_{7 + 3 * i}', *pair)
    bare = Config.fromfile(X_CONFIG)
    dataset = references.open_dataset(bare, tmp_path / 'data', 'several')
    beside = [[1, 2], [2, 0, 3], [3, 1, 4], [4, 2]]
    assert len(dataset) == 8
    for sample in dataset:
        run, frame = sample['stem'].removeprefix('run').split('_')
        # 7 is before 10, though not as text.
        i = (int(frame) - 7) // 3
        expected = frames[int(run), beside[i]]
        np.testing.assert_array_equal(sample['refs'], expected)
    chosen = references.open_dataset(
        bare, tmp_path / 'data', 'several', max_samples=2
    )
    # 10 is in the middle of its run.
    assert [sample['stem'] for sample in chosen] == ['run0_10', 'run1_10']
    assert [len(sample['refs']) for sample in chosen] == [3, 3]


def test_images_of_16_bits_are_not_white(tmp_path):
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    for key in ('lr', 'hr', 'ref'):
        path = tmp_path / 'test' / key / 'run_0.png'
        path.parent.mkdir(parents=True)
        image = values[::4, ::4] if key == 'lr' else values
        Image.fromarray(image).save(path)
    bare = Config.fromfile(X_CONFIG)
    (sample,) = references.open_dataset(bare, tmp_path, 'several')
    expected = np.round(values / 257).astype(np.uint8)
    for image in (sample['gt'], *sample['refs']):
        np.testing.assert_array_equal(image[..., 0], expected)
    assert sample['img'].shape == (16, 16, 3)
    np.testing.assert_array_equal(sample['img'][..., 2], expected[::4, ::4])


def test_several_references_in_the_table(cfg, refsr_root):
    rows = compare_references.evaluate(
        cfg, Oracle(), refsr_root, ['adjacent', 'several'], ['zero']
    )
    assert 'one reference' in rows[3].note
    assert rows[3].psnr_y is None
    net = MODELS.build(
        dict(type='mmdsr.DSRNetX', channels=8, num_blocks=1,
             aligner=dict(type='mmdsr.DISAligner'))
    )  # fmt: skip
    rows = compare_references.evaluate(
        Config.fromfile(X_CONFIG), net, refsr_root, ['adjacent', 'several']
    )
    assert rows[3].samples == 4 // 2
    assert rows[3].psnr_y == pytest.approx(rows[2].psnr_y, abs=3)


def test_bicubic_row_is_pillow(cfg, refsr_root):
    from PIL import Image

    rows = compare_references.evaluate(
        cfg, Oracle(), refsr_root, ['adjacent'], ['zero']
    )
    errors = []
    for path in sorted((refsr_root / 'test/lr').iterdir()):
        with Image.open(path) as lr:
            up = np.asarray(lr.resize((256, 192), Image.BICUBIC), float)
        with Image.open(refsr_root / 'test/hr' / path.name) as hr:
            error = np.mean((up - np.asarray(hr, float)) ** 2)
        errors.append(10 * np.log10(255**2 / error))
    assert rows[0].psnr_rgb == pytest.approx(np.mean(errors))
    assert rows[0].gain == 0


def test_policies_that_the_data_lack_are_noted(cfg, refsr_root, tmp_path):
    import shutil

    root = tmp_path / 'bare'
    shutil.copytree(refsr_root, root)
    for name in ('depth_lr', 'depth_ref'):
        shutil.rmtree(root / 'test' / name)
    for path in root.glob('test/*/test1_*'):
        path.unlink()
    (root / 'manifest.json').unlink()
    rows = compare_references.evaluate(cfg, Oracle(), root)
    wrong, given = rows[3], rows[6]
    assert wrong.psnr_y is None
    assert 'two runs' in wrong.note
    assert given.psnr_y is None
    assert 'depth_lr' in given.note
    assert rows[7].samples == 1
    write_results(tmp_path / 'out', dict(bare=rows), dict(config='c'))
    text = (tmp_path / 'out/results.md').read_text()
    assert given.note in text
    with pytest.raises(FileNotFoundError):
        compare_references.evaluate(cfg, Oracle(), tmp_path / 'none')


def test_variants():
    def pairs(**net):
        network = SimpleNamespace(forward=lambda lr, ref: None, **net)
        rows = compare_references.variants(network, ['adjacent', 'self'])
        return [(row.reference, row.depth) for row in rows]

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
        compare_references.variants(
            SimpleNamespace(needs_depth=True), depths=['predicted']
        )
    free = SimpleNamespace(
        forward=lambda lr, ref=None: None, needs_depth=False
    )
    assert [row.reference for row in compare_references.variants(free)] == [
        'adjacent',
        'wrong',
        'none',
    ]


def test_results_are_written(tmp_path):
    match = {'Match@0.25': 50.0, 'Match@0.5': 60.0, 'Match@1': 70.0}
    match |= {'Match@2': 80.0, 'EPE-median': 0.25}
    rows = [
        Row(
            'bicubic', None, None, 2, 30.0, 0.9, 29.0, 0.0, '', 1, 0.0, 1, 0.0
        ),
        Row(
            'true',
            'adjacent',
            None,
            2,
            31.234,
            0.95,
            30.0,
            1.234,
            '',
            moving=1,
            gain_moving=0.5,
            resting=1,
            gain_resting=1.968,
            match=match,
        ),
        Row('wrong', 'wrong', note='why it cannot be judged ' * 4),
    ]
    write_results(tmp_path, dict(a=rows), dict(checkpoint='x.pth'))
    content = json.loads((tmp_path / 'results.json').read_text())
    assert content['checkpoint'] == 'x.pth'
    true = content['results']['a'][1]
    assert true['gain'] == 1.234
    assert (true['gain_moving'], true['moving']) == (0.5, 1)
    assert true['match'] == match
    text = ' '.join((tmp_path / 'results.md').read_text().split())
    assert '| true | 31.23 | 0.9500 | 30.00 | +1.23 | +0.50 | +1.97 |' in text
    assert '| wrong | - | - | - | - | - | - |' in text
    assert 'wrong: why it cannot be judged' in text
    assert '## a (2 images, 1 moving, 1 at rest)' in text
    assert '| true | 50.0 | 60.0 | 70.0 | 80.0 | 0.25 |' in text
    table = rich_table('a', rows)
    assert table.row_count == 3
    # No number is cut where a terminal is narrow.
    console = Console(width=80, file=io.StringIO())
    console.print(table)
    assert '…' not in console.file.getvalue()
    assert match_table('a', rows).row_count == 1
    assert match_table('a', rows[:1]) is None
    # Where no truth is known there is no second table.
    write_results(tmp_path, dict(a=rows[:1]), {})
    assert 'median' not in (tmp_path / 'results.md').read_text()


def test_find_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='no checkpoint'):
        compare_references.find_checkpoint(tmp_path)
    for name in ('iter_2.pth', 'iter_10.pth'):
        (tmp_path / name).touch()
    import os

    # A copy does not keep the times.
    os.utime(tmp_path / 'iter_10.pth', (1, 1))
    assert compare_references.find_checkpoint(tmp_path).name == 'iter_10.pth'
    # Resumed at an earlier step; the folder was moved since.
    note = tmp_path / 'last_checkpoint'
    note.write_text('/elsewhere/iter_2.pth')
    assert compare_references.find_checkpoint(tmp_path).name == 'iter_2.pth'
    for gone in ('/elsewhere/iter_5.pth', ''):
        note.write_text(gone)
        found = compare_references.find_checkpoint(tmp_path)
        assert found.name == 'iter_10.pth'
    (tmp_path / 'best_PSNR-Y_iter_2.pth').touch()
    assert compare_references.find_checkpoint(tmp_path).name.startswith('best')
    file = tmp_path / 'iter_2.pth'
    assert compare_references.find_checkpoint(file) == file


@pytest.fixture
def strip_folders(monkeypatch):
    """The folders of strips that a comparison without a network uses."""
    seen = []

    def evaluate(*args, strips, **kwargs):
        seen.append(strips)
        return [Row('bicubic', None, None, 1, 30.0, 0.9, 29.0, 0.0)]

    monkeypatch.setattr(comparison, 'trained_generator', lambda *args: None)
    monkeypatch.setattr(comparison, 'evaluate', evaluate)
    return seen


def test_each_file_of_weights_has_its_own_results(
    cfg, tmp_path, strip_folders
):
    def folder(place, **kwargs):
        console = Console(quiet=True)
        out = comparison.compare(cfg, place, ['data/a'], console, **kwargs)
        content = json.loads((out / 'results.json').read_text())
        assert list(content['results']) == ['a']
        return out

    for name in ('net-1a2b3c4d.safetensors', 'net.v2.pth', 'best_x.pth'):
        (tmp_path / name).touch()
        found = folder(tmp_path / name)
        assert found == tmp_path / f'compare-{Path(name).stem}'
    assert folder(tmp_path) == tmp_path / 'compare'
    out = tmp_path / 'mine'
    assert folder(tmp_path / 'best_x.pth', out=out) == out


def test_sets_of_the_same_name_have_their_own_strips(
    cfg, tmp_path, strip_folders
):
    file = tmp_path / 'net.pth'
    file.touch()
    roots = ['data/real', '../real', str(tmp_path / 'real'), 'data/other']
    out = comparison.compare(cfg, file, roots, Console(quiet=True))
    content = json.loads((out / 'results.json').read_text())
    assert list(content['results']) == ['real', *roots[1:3], 'other']
    assert len(set(strip_folders)) == 4
    assert strip_folders[0] == out / 'strips/real'
    assert strip_folders[1] == out / 'strips/..-real'
    assert all(place.parent == out / 'strips' for place in strip_folders)


def test_finished_data_sets_are_kept(
    cfg, tmp_path, monkeypatch, strip_folders
):
    file, out = tmp_path / 'net.pth', tmp_path / 'out'
    file.touch()

    def evaluate(cfg, generator, root, **kwargs):
        if root.name == 'b':
            raise ValueError('no data')
        return [Row('bicubic', None, None, 1, 30.0, 0.9, 29.0, 0.0)]

    monkeypatch.setattr(comparison, 'evaluate', evaluate)
    quiet = Console(quiet=True)
    with pytest.raises(ValueError, match='no data'):
        comparison.compare(cfg, file, ['a', 'b'], quiet, out=out)
    content = json.loads((out / 'results.json').read_text())
    assert list(content['results']) == ['a']
    assert '## a' in (out / 'results.md').read_text()


def test_a_place_that_cannot_be_written_is_refused_first(
    cfg, tmp_path, strip_folders
):
    file = tmp_path / 'net.pth'
    file.touch()
    for out in (file, file / 'inside'):
        with pytest.raises(UsageError, match='choose another --out'):
            comparison.compare(cfg, file, ['a'], Console(quiet=True), out=out)
    assert not strip_folders


def test_errors_of_the_command_are_one_line(tmp_path, monkeypatch):
    def fill_disk(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device', 'results.md')

    monkeypatch.setattr(comparison, 'compare', fill_disk)
    args = ('configs/dsrnet/teacher_quick.py', tmp_path)
    done = call('analysis_tools/compare.py', *args)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert 'error: No space left on device: results.md' in line
    for option, value in (('--strips', -1), ('--max-samples', 0)):
        done = call('analysis_tools/compare.py', *args, option, value)
        assert done.returncode == 2
        assert f"{option}: '{value}' is not a whole number" in done.stderr


def test_trained_generator(cfg, tmp_path):
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
    loaded = compare_references.trained_generator(small, tmp_path)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    for key, value in net.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])
    with pytest.raises(CheckpointError, match='another config'):
        compare_references.trained_generator(cfg, tmp_path)


def test_holes_in_given_depth():
    sample = dict(
        img=np.zeros((16, 16, 3), np.uint8),
        ref=np.zeros((64, 64, 3), np.uint8),
        stem='run_1',
        depth_lr=np.full((16, 16, 1), np.nan, np.float32),
    )
    with pytest.raises(compare_references.MissingDepthError, match='run_1'):
        compare_references.super_resolve(Oracle(), sample, 'given')


@pytest.fixture
def rest_root(tmp_path):
    """Three frames: two at rest, one whose reference is moved."""
    import cv2

    from mmdsr.io.flow_values import write_flow
    from mmdsr.io.layout import RefSRWriter

    rng = np.random.default_rng(0)
    root = tmp_path / 'rest'
    with RefSRWriter(root) as writer:
        for number, shift in enumerate((0, 0, 8)):
            small = rng.random((64, 80, 3)).astype(np.float32)
            image = cv2.resize(small, (256, 192)).clip(0, 1)
            hr = (image * 255).astype(np.uint8)
            ref = np.roll(hr, shift, axis=1)
            ref[::7] = 255 - ref[::7] // 2 if shift else ref[::7] ^ 1
            writer.add('test', f'run_{number:04d}', hr, ref)
    for number, shift in enumerate((0, 0, 8)):
        flow = np.zeros((48, 64, 2), np.float32)
        flow[..., 0] = shift / 4
        visible = np.ones((48, 64), bool)
        # The truth is not known of all.
        if number:
            path = root / f'test/flow/run_{number:04d}.png'
            write_flow(path, flow, visible)
    return root


class Flowing(torch.nn.Module):
    """Takes no reference, or finds a flow that is half a pixel off."""

    scale = 4
    needs_depth = False

    def __init__(self):
        super().__init__()
        self.references = []

    def forward(self, lr, ref=None):
        return self.explain(lr, ref).sr

    def explain(self, lr, ref=None):
        self.references.append(ref is not None)
        sr = torch.nn.functional.interpolate(
            lr, scale_factor=4, mode='bicubic'
        )
        flow = torch.full((1, 2, *lr.shape[-2:]), 0.0)
        flow[:, 1] = 0.4
        if ref is None:
            return DSROutput(sr, None, None, sr[:, :1], (), None)
        return DSROutput(sr + 0.01, None, None, sr[:, :1], (), None, flow)


def test_rest_and_match(cfg, rest_root):
    net = Flowing()
    rows = compare_references.evaluate(
        cfg, net, rest_root, ['adjacent', 'self']
    )
    assert [row.name for row in rows] == [
        'bicubic',
        'flow-warp',
        'true reference',
        'no reference',
    ]
    bicubic, warped, true, none = rows
    # The network is not given what it need not have.
    assert net.references == [True] * 3 + [False] * 3
    for row in rows:
        assert (row.samples, row.moving, row.resting) == (3, 1, 2)
        total = row.gain_moving + 2 * row.gain_resting
        assert total == pytest.approx(3 * row.gain, abs=1e-9)
    assert bicubic.gain_moving == bicubic.gain_resting == 0
    assert warped.gain_resting > 3
    assert warped.gain_moving < warped.gain_resting
    # Errors of 0.4 in one sample, and of 2 in x besides in the other.
    assert true.match['Match@0.25'] == 0
    assert true.match['Match@0.5'] == true.match['Match@2'] == 50
    assert bicubic.match is None
    assert none.match is None
    assert warped.match['Match@1'] > 80


def test_at_rest():
    image = np.zeros((8, 8, 3), np.uint8)
    near = image + 1
    assert compare_references.at_rest(dict(gt=image, ref=near), 30)
    assert not compare_references.at_rest(dict(gt=image, ref=near), 60)
    assert not compare_references.at_rest(dict(gt=image, ref=near[:4]), 30)
