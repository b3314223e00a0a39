"""What is published is the network, all of it and nothing else."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from safetensors.torch import load_file

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import load_generator
from mmdsr.registry import MODELS
from mmdsr.weights import available, load_published, read_published
from mmdsr.weights.index import read_index
from mmdsr.weights.publish import config_text, publish, to_half

SMALL = dict(
    type='mmdsr.DSRNet',
    channels=(4, 8, 8),
    encoder_blocks=(1, 1, 1),
    decoder_blocks=(0, 0, 0, 1, 0, 0),
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
)


@pytest.fixture
def cfg():
    return Config(
        dict(
            experiment_name='small_student',
            model=dict(
                type='mmdsr.DSRDistiller',
                teacher_checkpoint='/home/someone/teacher.pth',
                generator=copy.deepcopy(SMALL),
            ),
            train_cfg=dict(max_iters=7),
            work_dir='/home/someone/work_dirs/x',
        )
    )


@pytest.fixture
def checkpoint(tmp_path):
    """What a distillation leaves: student, ADM, optimizer, log."""
    torch.manual_seed(0)
    net = MODELS.build(SMALL)
    state = {f'generator.{k}': v for k, v in net.state_dict().items()}
    state['adm_encoder.query.weight'] = torch.zeros(3)
    state['discriminator.weight'] = torch.zeros(3)
    path = tmp_path / 'work/iter_7.pth'
    path.parent.mkdir()
    torch.save(
        dict(
            state_dict=state,
            optimizer=dict(state={0: torch.zeros(5)}),
            message_hub=dict(loss=HistoryBuffer([1.0], [1])),
            meta=dict(iter=7),
        ),
        path,
    )
    return path


@pytest.fixture
def net(checkpoint):
    net = MODELS.build(SMALL)
    load_generator(net, checkpoint)
    return net.eval()


def _run(net):
    generator = torch.Generator().manual_seed(1)
    lr = torch.rand(1, 3, 16, 32, generator=generator)
    ref = torch.rand(1, 3, 64, 128, generator=generator)
    with torch.no_grad():
        return net(lr, ref)


def test_both_formats_hold_the_network_alone(cfg, checkpoint, net, tmp_path):
    files = publish(cfg, checkpoint, tmp_path / 'out', notes=dict(data='x'))
    assert [file.path.suffix for file in files] == ['.safetensors', '.pth']
    states = [
        load_file(files[0].path),
        torch.load(files[1].path, weights_only=True)['state_dict'],
    ]
    expected = {f'generator.{k}': v for k, v in net.state_dict().items()}
    for file, state in zip(files, states, strict=True):
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in state)
        assert file.path.name == (
            f'small-student-{file.sha256[:8]}{file.path.suffix}'
        )
        loaded = load_published(file.path)
        assert not loaded.training
        assert torch.equal(_run(loaded), _run(net))
        # As weights of a config, and as a teacher.
        other = MODELS.build(SMALL)
        load_generator(other, file.path)
        assert torch.equal(_run(other.eval()), _run(net))
        meta = read_published(file.path).meta
        assert meta['notes'] == dict(data='x')
        assert meta['parameters'] == sum(p.numel() for p in net.parameters())
        assert 'max_iters=7' in meta['config']
        assert meta['generator']['channels'] == [4, 8, 8]
        assert b'someone' not in file.path.read_bytes()
        assert file.size == file.path.stat().st_size


def test_the_same_input_gives_the_same_bytes(cfg, checkpoint, tmp_path):
    first = publish(cfg, checkpoint, tmp_path / 'a')
    second = publish(cfg, checkpoint, tmp_path / 'b')
    assert [f.sha256 for f in first] == [f.sha256 for f in second]
    cfg.train_cfg.max_iters = 8
    third = publish(cfg, checkpoint, tmp_path / 'b')
    assert not {f.sha256 for f in first} & {f.sha256 for f in third}


def test_half_is_half_the_size_and_runs_in_float32(
    cfg, checkpoint, net, tmp_path
):
    (full,) = publish(
        cfg, checkpoint, tmp_path / 'full', suffixes=['.safetensors']
    )
    files = publish(cfg, checkpoint, tmp_path / 'half', half=True)
    assert files[0].size < 0.55 * full.size
    for file in files:
        assert read_published(file.path).meta['dtype'] == 'float16'
        loaded = load_published(file.path)
        assert {p.dtype for p in loaded.parameters()} == {torch.float32}
        for key, value in net.state_dict().items():
            rounded = value.half().float()
            assert torch.equal(loaded.state_dict()[key], rounded)


def test_half_refuses_numbers_out_of_range():
    with pytest.raises(CheckpointError, match='w has numbers up to 7e'):
        to_half(dict(w=torch.tensor([7e4])))
    count = torch.tensor([3])
    assert torch.equal(to_half(dict(n=count))['n'], count)


def test_config_text_names_no_folder_of_the_machine(cfg):
    cfg.data = dict(root='~/data/x', other=[r'C:\Users\me\y', 'data/z'])
    text = config_text(cfg)
    assert Config.fromstring(text, '.py').model.teacher_checkpoint == (
        'teacher.pth'
    )
    assert 'work_dir' not in text
    for word in ('someone', '~', 'Users'):
        assert word not in text
    assert 'data/z' in text


def test_wrong_weights_are_refused(cfg, checkpoint, tmp_path):
    out = tmp_path / 'out'
    cfg.model.generator.channels = 8
    with pytest.raises(CheckpointError, match='another shape'):
        publish(cfg, checkpoint, out)
    cfg.model.generator = dict(type='torch.nn.Identity')
    with pytest.raises(CheckpointError, match=r"type 'mmdsr\.X'"):
        publish(cfg, checkpoint, out)
    cfg.model.generator = SMALL
    for name in ('', 'Nano', '../x', 'a b'):
        with pytest.raises(CheckpointError, match='--name'):
            publish(cfg, checkpoint, out, name=name or '-')
    content = torch.load(checkpoint, weights_only=False)
    key = 'generator.encoder.stages.0.conv.bias'
    content['state_dict'][key][0] = torch.nan
    torch.save(content, checkpoint)
    with pytest.raises(CheckpointError, match=r'not finite: .*conv\.bias'):
        publish(cfg, checkpoint, out)
    assert not out.exists()


def test_the_list_is_kept_in_step(cfg, checkpoint, net, tmp_path):
    out = tmp_path / 'weights'
    assert available(out) == []
    one = publish(cfg, checkpoint, out, suffixes=['.pth'], index=True)[0]
    assert available(out) == ['small-student']
    assert read_index(out)['small-student'] == dict(
        file=one.path.name, sha256=one.sha256, size=one.size
    )
    assert torch.equal(_run(load_published('small-student', out)), _run(net))
    # Once more is no change.
    publish(cfg, checkpoint, out, suffixes=['.pth'], index=True, replace=True)
    assert read_index(out)['small-student']['sha256'] == one.sha256

    kwargs = dict(suffixes=['.pth'], half=True, index=True)
    with pytest.raises(CheckpointError, match='--replace'):
        publish(cfg, checkpoint, out, **kwargs)
    assert read_index(out)['small-student']['sha256'] == one.sha256
    two = publish(cfg, checkpoint, out, replace=True, **kwargs)[0]
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [two.path.name, 'index.json']
    )
    assert read_index(out)['small-student']['sha256'] == two.sha256


def test_a_full_disk_does_not_change_the_list(
    cfg, checkpoint, tmp_path, monkeypatch
):
    out = tmp_path / 'weights'
    publish(cfg, checkpoint, out, index=True)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def fail(path, data):
        raise OSError('disk full')

    monkeypatch.setattr('mmdsr.weights.publish.write_bytes', fail)
    with pytest.raises(OSError, match='disk full'):
        publish(cfg, checkpoint, out, half=True, index=True, replace=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
