"""Finding and loading published weights; what is wrong is named."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from mmdsr import weights
from mmdsr.errors import CheckpointError
from mmdsr.registry import MODELS
from mmdsr.weights.index import FOLDER, read_index, register
from mmdsr.weights.load import FORMAT

ROOT = Path(__file__).parents[2]
NET = dict(type='mmdsr.DepthUNet', base_channels=8)


def _save(path, generator=NET, **meta):
    torch.manual_seed(0)
    state = MODELS.build(NET).state_dict()
    meta = dict(format=FORMAT, generator=generator, mmdsr_version='9', **meta)
    save_file(
        {f'generator.{k}': v for k, v in state.items()},
        path,
        metadata=dict(mmdsr=json.dumps(meta)),
    )
    return path


@pytest.fixture
def folder(tmp_path):
    _save(tmp_path / 'unet.safetensors')
    register(tmp_path, 'unet', 'unet.safetensors')
    return tmp_path


def test_a_name_gives_the_network(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('something tried to connect')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    assert weights.available(folder) == ['unet']
    assert weights.weight_path('unet', folder).name == 'unet.safetensors'
    net = weights.load_published('unet', folder)
    assert type(net).__name__ == 'DepthUNet'
    assert net(torch.rand(1, 3, 16, 16)).shape == (1, 1, 16, 16)


def test_no_toolbox_is_needed(folder):
    code = (
        'import sys\n'
        "for name in ('mmagic', 'mmdet', 'mmseg', 'mmpretrain', 'mmcv'):\n"
        '    sys.modules[name] = None\n'
        'from mmdsr.weights import load_published\n'
        f"load_published('unet', {str(folder)!r})"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_unknown_names_are_answered_with_the_known_ones(folder, tmp_path):
    with pytest.raises(CheckpointError, match=r"'x'.*Available: unet"):
        weights.load_published('x', folder)
    with pytest.raises(FileNotFoundError, match=r'gone\.pth.*unet'):
        weights.load_published(tmp_path / 'gone.pth', folder)
    empty = tmp_path / 'empty'
    assert weights.available(empty) == []
    with pytest.raises(CheckpointError, match='Available: none'):
        weights.weight_path('unet', empty)


def test_a_changed_file_is_not_loaded(folder):
    path = folder / 'unet.safetensors'
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match='damaged'):
        weights.load_published('unet', folder)
    path.unlink()
    with pytest.raises(CheckpointError, match='is missing'):
        weights.load_published('unet', folder)


def test_digits_in_a_file_name_are_checked(folder):
    path = folder / 'unet.safetensors'
    digest = read_index(folder)['unet']['sha256']
    good = path.rename(folder / f'unet-{digest[:8]}.safetensors')
    weights.load_published(good)
    wrong = good.rename(folder / 'unet-00000000.safetensors')
    with pytest.raises(CheckpointError, match='not with 00000000'):
        weights.load_published(wrong)


@pytest.mark.parametrize(
    ('generator', 'message'),
    [
        (dict(type='torch.optim.Adam'), 'only networks'),
        (dict(NET, depth_net=dict(type='os.system')), r'os\.system'),
        (dict(NET, parts=[dict(type='x')]), 'only networks'),
        (None, 'no network'),
        ({}, 'no network'),
        (dict(NET, future=1), 'made by mmdsr 9.*future'),
        (dict(type='mmdsr.Future'), 'made by mmdsr 9.*Future'),
        (dict(NET, base_channels=16), 'another shape'),
    ],
)
def test_files_that_cannot_be_used_are_explained(tmp_path, generator, message):
    path = _save(tmp_path / 'x.safetensors', generator)
    with pytest.raises(CheckpointError, match=message):
        weights.load_published(path)


def test_a_network_of_impossible_size_is_refused_at_once(tmp_path):
    """Building it would take all of the memory, or all day."""
    for number in (10**8, 10**30):
        path = _save(
            tmp_path / 'a.safetensors', dict(NET, base_channels=number)
        )
        with pytest.raises(CheckpointError, match=r'\.safetensors is damaged'):
            weights.load_published(path)
    blocks = dict(
        type='mmdsr.MASASRNet', channels=8, encoder_blocks=[10**8, 1, 1]
    )
    path = _save(tmp_path / 'a.safetensors', blocks)
    with pytest.raises(CheckpointError, match='number of layers of 1e\\+08'):
        weights.load_published(path)


def test_a_width_that_does_not_fit_takes_no_memory(tmp_path, monkeypatch):
    built = []
    build = MODELS.build

    def watch(*args):
        network = build(*args)
        built.append({p.device.type for p in network.parameters()})
        return network

    path = _save(tmp_path / 'a.safetensors', dict(NET, base_channels=64))
    monkeypatch.setattr(MODELS, 'build', watch)
    with pytest.raises(CheckpointError, match='of another shape'):
        weights.load_published(path)
    assert built == [{'meta'}]
    path = _save(tmp_path / 'a.safetensors')
    assert not next(weights.load_published(path).parameters()).is_meta


def test_a_reason_is_short(tmp_path):
    path = _save(
        tmp_path / 'a.safetensors',
        dict(type='mmdsr.MASASRNet', encoder_blocks='x' * 5000),
    )
    with pytest.raises(CheckpointError, match='cannot be built') as caught:
        weights.load_published(path)
    assert len(str(caught.value)) < 600


def test_other_files_are_explained(tmp_path):
    state = MODELS.build(NET).state_dict()
    plain, training = tmp_path / 'plain.pth', tmp_path / 'iter_1.pth'
    torch.save(state, plain)
    torch.save(dict(state_dict=state, meta=dict(iter=1)), training)
    other = tmp_path / 'other.safetensors'
    save_file(state, other)
    for path in (plain, training, other):
        with pytest.raises(CheckpointError, match=r'publish\.py'):
            weights.load_published(path)
    broken = tmp_path / 'broken.safetensors'
    for data in (b'', b'no safetensors at all', other.read_bytes()[:-9]):
        broken.write_bytes(data)
        with pytest.raises(CheckpointError, match='broken'):
            weights.load_published(broken)


@pytest.mark.parametrize(
    'text',
    ['{', '[]', '{"a": 1}', '{"a": {"file": "x"}}',
     '{"a": {"file": "../x", "sha256": "", "size": 1}}',
     '{"a": {"file": "x", "sha256": 3, "size": 1}}'],
)  # fmt: skip
def test_a_broken_list_is_named(tmp_path, text):
    (tmp_path / 'index.json').write_text(text)
    with pytest.raises(CheckpointError, match=r'index\.json cannot be read'):
        weights.available(tmp_path)


def test_package_lists_its_weights():
    index = read_index()
    files = {
        p.name for s in ('*.pth', '*.safetensors') for p in FOLDER.glob(s)
    }
    assert {entry['file'] for entry in index.values()} == files
    for name, entry in index.items():
        path = weights.weight_path(name)
        assert path.stat().st_size == entry['size'] <= 8e6
        assert entry['sha256'][:8] in path.name
        net = weights.load_published(name)
        assert all(p.isfinite().all() for p in net.parameters())


def test_metafiles_and_list_agree():
    stated = {}
    for part in yaml.safe_load((ROOT / 'model-index.yml').read_text())[
        'Import'
    ]:
        for model in yaml.safe_load((ROOT / part).read_text())['Models']:
            if str(model.get('Weights', '')).startswith('mmdsr/weights/'):
                stated[Path(model['Weights']).name] = model['SHA-256']
    listed = {e['file']: e['sha256'] for e in read_index().values()}
    assert stated == listed


@pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
def test_a_value_that_is_not_finite_is_named(tmp_path, suffix):
    state = MODELS.build(NET).state_dict()
    key = next(iter(state))
    state[key].view(-1)[3] = float('nan')
    path = tmp_path / f'x{suffix}'
    if suffix == '.pth':
        meta = dict(format=FORMAT, generator=NET)
        torch.save(dict(state_dict=state, meta=meta), path)
    else:
        meta = json.dumps(dict(format=FORMAT, generator=NET))
        save_file(state, path, metadata=dict(mmdsr=meta))
    with pytest.raises(
        CheckpointError, match=rf'x\{suffix}.*not finite: {key} \(1 value\)'
    ):
        weights.load_published(path)
