"""Checkpoints and published weights to be mutated, and their readers."""

import io
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from mmdsr.dev import mutate
from mmdsr.dev.case import NAME, Case

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config
    from mmengine.optim import CosineAnnealingLR
    from torch import nn


@cache
def _model() -> tuple['Config', 'nn.ModuleDict']:
    """A tiny network with its config, and a model of it that can train."""
    import torch
    from mmengine.config import Config

    from mmdsr.registry import MODELS

    generator = dict(
        type='mmdsr.MASASRNet',
        channels=8,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 1, 1, 1),
    )
    torch.manual_seed(0)
    model = torch.nn.ModuleDict(dict(generator=MODELS.build(dict(generator))))
    cfg = Config(dict(experiment_name='fuzz', model=dict(generator=generator)))
    return cfg, model


def _schedule(optim: 'torch.optim.Optimizer') -> 'CosineAnnealingLR':
    from mmengine.optim import CosineAnnealingLR

    return CosineAnnealingLR(optim, T_max=8, by_epoch=False)


def _training_checkpoint() -> bytes:
    """The files of a training run."""
    import torch
    from mmengine.logging import MessageHub

    _, model = _model()
    optim = torch.optim.Adam(model.parameters())
    torch.stack([p.sum() for p in model.parameters()]).sum().backward()
    optim.step()
    hub = MessageHub('fuzz')
    hub.update_scalar('train/loss', 1.0)
    content = dict(
        meta=dict(epoch=0, iter=8, seed=3, time='x'),
        state_dict=model.state_dict(),
        message_hub=hub.state_dict(),
        optimizer=optim.state_dict(),
        param_schedulers=[_schedule(optim).state_dict()],
    )
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _publish(path: Path, out: Path) -> None:
    from mmdsr.weights.publish import publish

    publish(_model()[0], path, out)


def _resume(path: Path, out: Path) -> None:
    import torch

    from mmdsr.engine.load_hook import CheckStartHook
    from mmdsr.io.checkpoint import read_checkpoint

    _, model = _model()
    schedule = _schedule(torch.optim.Adam(model.parameters()))
    CheckStartHook(path, True).after_load_checkpoint(
        SimpleNamespace(model=model, param_schedulers=[schedule]),
        read_checkpoint(path),
    )


def checkpoints() -> list[Case]:
    """Checkpoints of a training."""
    mutators = (
        mutate.mutate_bytes,
        mutate.mutate_zip,
        mutate.mutate_checkpoint,
    )
    data = _training_checkpoint()
    return [
        Case('input.pth', data, mutators, read) for read in (_publish, _resume)
    ]


def _read_weights(path: Path, out: Path) -> None:
    from mmdsr.weights import load_published

    load_published(path)


def _read_index(path: Path, out: Path) -> None:
    from mmdsr.weights import available, weight_path

    folder = path.parent / NAME
    folder.mkdir()
    path.rename(folder / 'index.json')
    (folder / 'a.pth').write_bytes(b'a')
    for name in available(folder):
        weight_path(name, folder)


def weights() -> list[Case]:
    """Published weights, and lists of them."""
    import hashlib
    import json
    import tempfile

    from mmdsr.weights.publish import publish

    cfg, _ = _model()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'iter_8.pth')
        path.write_bytes(_training_checkpoint())
        files = {
            file.path.suffix: file.path.read_bytes()
            for file in publish(cfg, path, Path(folder, 'out'))
        }
    entry = dict(file='a.pth', sha256=hashlib.sha256(b'a').hexdigest(), size=1)
    index = json.dumps(dict(a=entry)).encode()
    return [
        Case(
            'input.safetensors',
            files['.safetensors'],
            (mutate.mutate_bytes, mutate.mutate_safetensors),
            _read_weights,
        ),
        Case(
            'input.pth',
            files['.pth'],
            (
                mutate.mutate_bytes,
                mutate.mutate_zip,
                mutate.mutate_checkpoint,
            ),
            _read_weights,
        ),
        Case(
            'index.json',
            index,
            (mutate.mutate_bytes, mutate.mutate_json),
            _read_index,
        ),
    ]
