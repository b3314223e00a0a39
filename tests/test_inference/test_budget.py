"""Tiles by memory: estimates, limits, and what happens when it runs out."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from inference_cases import noise, pipe
from mmengine.config import Config

from mmdsr.inference import SuperResolver, budget, enlarging
from mmdsr.registry import MODELS
from mmdsr.weights import load_published

NANO = 'dsrnet_student'
CONFIGS = Path(__file__).parents[2] / 'configs'
CPU = torch.device('cpu')
MIB = 2**20


@pytest.fixture(scope='module')
def networks():
    cfg = Config.fromfile(CONFIGS / '_base_/models/dsrnet_nano.py')
    nano = MODELS.build(cfg.dsrnet_nano)
    return [nano, load_published('dsrnet_student')]


def _need(network, height, width, scale=4):
    ref = (height * scale, width * scale)
    return budget.need(network, (height, width), ref)


@pytest.fixture
def sizes(monkeypatch):
    """Enlarge by repeating pixels, which is quick; return what was seen."""
    seen = []

    def forward(network, parts, settings, explain):
        lr = torch.stack([lr for lr, _ in parts])
        seen.extend([tuple(lr.shape[-2:])] * len(lr))
        large = F.interpolate(lr, scale_factor=settings.scale)
        return [(image, None) for image in large]

    monkeypatch.setattr(enlarging, '_forward', forward)
    return seen


def test_estimate_is_at_least_the_measured_peak(networks):
    # Peak of a process less what it took before, docs/results.md.
    nano, student = networks
    for network, side, peak in (
        (nano, 64, 62),
        (nano, 128, 157),
        (nano, 256, 465),
        (nano, 512, 3594),
        (student, 128, 220),
        (student, 256, 728),
    ):
        found = _need(network, side, side) / MIB
        assert peak <= found < 1.6 * peak


def test_the_estimate_grows_with_all_that_takes_memory(networks):
    nano, student = networks
    sides = [_need(student, side, side) for side in (32, 64, 128, 256, 512)]
    assert sides == sorted(set(sides))
    assert _need(student, 128, 64) == _need(student, 64, 128)
    assert _need(student, 64, 64) > _need(nano, 64, 64)
    # All blocks are compared with all of the reference: more than linear.
    assert sides[-1] > 4.5 * sides[-2]
    # A large reference of a small image counts.
    assert _need(student, 32, 32, scale=32) > 4 * _need(student, 32, 32)


def test_less_memory_gives_smaller_tiles(networks):
    _, student = networks

    def takes(size):
        return _need(student, *size)

    def choose(limit, size=(576, 720), overlap=16):
        return budget.choose_tile(takes, size, overlap, 16, limit)

    assert choose(2**40) is None
    tiles = [choose(mib * MIB) for mib in (1500, 500, 250, 150)]
    assert tiles[0] == budget.LARGEST
    assert tiles == sorted(set(tiles), reverse=True)
    for tile, mib in zip(tiles, (1500, 500, 250, 150), strict=True):
        assert tile % 16 == 0
        assert takes([tile, tile]) <= mib * MIB
    # Small images are not cut, whatever their tiles would be.
    assert choose(150 * MIB, size=(40, 64)) is None
    for limit in (50 * MIB, -1):
        with pytest.raises(MemoryError, match=r'720x576.*in tiles of 64'):
            choose(limit)
    assert choose(400 * MIB, overlap=80) >= 96


def test_budget_is_a_share_of_the_free_memory(monkeypatch):
    def planned(free, reserve=0):
        monkeypatch.setattr(budget, 'free_memory', lambda device: free)
        return budget.budget(CPU, reserve)

    most = planned(None)
    assert planned(2**40) == most <= 2 * budget.GIB
    assert planned(2 * budget.GIB) <= budget.GIB
    assert planned(2 * budget.GIB, 2**30) <= budget.GIB / 2
    assert planned(2**20, 2**30) < 0


def test_limits_of_control_groups(tmp_path, monkeypatch):
    """Those of the group and of all above it, of both versions."""
    new, old = tmp_path / 'a/b', tmp_path / 'memory/c'
    for folder, limit, used, cache in (
        (new, 'memory.max', 'memory.current', 'inactive_file'),
        (
            old,
            'memory.limit_in_bytes',
            'memory.usage_in_bytes',
            'total_inactive_file',
        ),
    ):
        folder.mkdir(parents=True)
        (folder / limit).write_text('1000\n')
        (folder / used).write_text('600\n')
        (folder / 'memory.stat').write_text(f'anon 500\n{cache} 100\n')
    read_text = type(tmp_path).read_text

    def free(groups):
        def patched(path, *args):
            if str(path) == '/proc/self/cgroup':
                return groups
            return read_text(path, *args)

        monkeypatch.setattr(type(tmp_path), 'read_text', patched)
        return budget._group_free(tmp_path), budget.cpu_count(tmp_path)

    assert free('0::/a/b\n')[0] == 500
    assert free('3:memory:/c\n')[0] == 500
    (new / 'memory.max').write_text('max\n')
    assert free('0::/a/b\n')[0] is None
    (tmp_path / 'a/memory.max').write_text('700\n')
    (tmp_path / 'a/memory.current').write_text('650\n')
    (tmp_path / 'a/memory.stat').write_text('inactive_file 0\n')
    assert free('0::/a/b\n')[0] == 50
    cores = free('0::/a/b\n')[1]
    (new / 'cpu.max').write_text('max 100000\n')
    assert free('0::/a/b\n')[1] == cores >= 1
    (new / 'cpu.max').write_text('50000 100000\n')
    assert free('0::/a/b\n')[1] == 1


def test_tiles_fit_into_the_free_memory(monkeypatch, sizes):
    image = pipe(96, 200)
    resolver = SuperResolver(weights=NANO)
    expected = resolver([image])[0]
    assert sizes == [(96, 200)]
    sizes.clear()
    monkeypatch.setattr(budget, 'free_memory', lambda device: 300 * MIB)
    found = resolver([image])[0]
    assert len(sizes) > 1
    assert max(max(size) for size in sizes) < 128
    assert torch.equal(found, expected)
    # What is asked for counts, not what would be chosen.
    sizes.clear()
    SuperResolver(weights=NANO, tile=160)([image])
    assert sizes == [(96, 160), (96, 152)]
    sizes.clear()
    SuperResolver(weights=NANO, tile=None)([image])
    assert sizes == [(96, 200)]


def test_too_little_memory_raises_an_error(monkeypatch):
    monkeypatch.setattr(budget, 'free_memory', lambda device: 50 * MIB)
    resolver = SuperResolver(weights=NANO)
    with pytest.raises(MemoryError, match=r'a.png: 200x96 pixels need about'):
        resolver([pipe(96, 200)], [dict(img_path='a.png')])


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError('std::bad_alloc'),
        MemoryError(),
    ],
    ids=['allocator', 'bad_alloc', 'python'],
)
def test_smaller_tiles_when_memory_runs_out(monkeypatch, sizes, error):
    image = pipe(80, 136)
    expected = SuperResolver(interpolation='nearest')([image])[0]
    spy = enlarging._forward

    def fail(network, parts, settings, explain):
        if max(parts[0][0].shape) > 64:
            raise error
        return spy(network, parts, settings, explain)

    monkeypatch.setattr(enlarging, '_forward', fail)
    resolver = SuperResolver(weights=NANO)
    with pytest.warns(UserWarning, match=r'a.png: memory ran out.*of 64'):
        found = resolver([image], [dict(img_path='a.png')])[0]
    assert torch.equal(found, expected)
    assert max(max(size) for size in sizes) == 64


def test_a_batch_is_split_when_memory_runs_out(monkeypatch, sizes):
    images = [noise(24, 32, seed) for seed in range(3)]
    expected = SuperResolver(weights=NANO)(images)
    spy = enlarging._forward

    def fail(network, parts, settings, explain):
        if len(parts) > 1:
            raise torch.cuda.OutOfMemoryError('CUDA out of memory')
        return spy(network, parts, settings, explain)

    monkeypatch.setattr(enlarging, '_forward', fail)
    monkeypatch.setattr(budget, 'batch_size', lambda device: 8)
    found = SuperResolver(weights=NANO)(images)
    assert torch.equal(torch.stack(found), torch.stack(expected))


@pytest.mark.parametrize('chosen', [dict(tile=None), dict(max_batch=1)])
def test_settings_that_take_too_much_are_not_changed(monkeypatch, chosen):
    def fail(*_):
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(enlarging, '_forward', fail)
    resolver = SuperResolver(weights=NANO, **chosen)
    with pytest.raises(MemoryError, match=r'of 32x24 pixels.*omit tile'):
        resolver([noise(24, 32)])


def test_no_end_of_memory(monkeypatch):
    """Even the smallest tiles fail; other errors are passed on."""
    error = RuntimeError("can't allocate memory")

    def fail(*_):
        raise error

    monkeypatch.setattr(enlarging, '_forward', fail)
    with (
        pytest.warns(UserWarning, match='memory ran out'),
        pytest.raises(MemoryError, match='even for tiles of 64 pixels'),
    ):
        SuperResolver(weights=NANO)([noise(80, 136)])
    error = RuntimeError('something else')
    with pytest.raises(RuntimeError, match='something else'):
        SuperResolver(weights=NANO)([noise(24, 32)])
