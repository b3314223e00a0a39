"""Prepare and run the trainings and tests of the command line."""

import logging
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmdsr.engine.adversarial_hook import AdversarialHook
from mmdsr.engine.best_hook import OneBestHook
from mmdsr.engine.check_data import check_data
from mmdsr.engine.load_hook import CheckStartHook
from mmdsr.engine.messages import usage_errors
from mmdsr.engine.options import merge_options
from mmdsr.engine.sr_input import enable_sr
from mmdsr.engine.work_dir import hold, latest_checkpoint, refuse_used
from mmdsr.errors import UsageError
from mmdsr.io.checkpoint import (
    find_checkpoint,
    load_generator,
    load_model,
    use_safe_loader,
)
from mmdsr.io.fetch import check_weights, use_cache_loader


def load_config(
    path: Path | str,
    options: dict[str, Any] | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
    picture: str | None = None,
) -> Config:
    """Read a config and apply the options of the command line.

    Args:
        path: Config file.
        options: ``--cfg-options``.
        work_dir: Folder for logs and checkpoints. Defaults to that of the
            config, otherwise ``work_dirs/NAME_OF_THE_CONFIG``, to which
            ``_PICTURE`` is appended.
        launcher: Job launcher.
        picture: ``--input``, see :func:`~mmdsr.engine.sr_input.enable_sr`.
            Defaults to None, which leaves the config unchanged.

    Returns:
        The config.

    Raises:
        UsageError: If the file is missing or cannot be read, or an option
            or ``picture`` does not fit the config.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f'The config {path} does not exist.')
    try:
        cfg = Config.fromfile(path)
    # A config is Python code and may raise any error.
    except Exception as error:
        raise UsageError(f'The config {path} cannot be read: {error}') from (
            error
        )
    merge_options(cfg, options, path)
    name = path.stem
    if picture is not None:
        enable_sr(cfg, picture)
        # Trainings on different inputs must not share a folder.
        name += f'_{picture}' if picture != 'hr' else ''
    cfg.launcher = launcher
    if work_dir:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', name))
    return cfg


def enable_amp(cfg: Config) -> None:
    """Turn on mixed precision for all optimizers of a config, in place.

    Args:
        cfg: The config.

    Raises:
        UsageError: If there is no CUDA device, or an optimizer wrapper does
            not allow it.
    """
    if not torch.cuda.is_available():
        raise UsageError('--amp needs a CUDA device.')
    wrapper = cfg.get('optim_wrapper')
    if not wrapper:
        raise UsageError('--amp needs a config with an optim_wrapper.')
    parts = [wrapper]
    # A constructor handles several optimizers, or layer-wise settings of one.
    if 'constructor' in wrapper and 'optimizer' not in wrapper:
        parts = [part for part in wrapper.values() if isinstance(part, dict)]
    for part in parts:
        if part.get('type', 'OptimWrapper') not in (
            'OptimWrapper',
            'AmpOptimWrapper',
        ):
            raise UsageError(f'--amp cannot be used with {part["type"]}.')
        part['type'] = 'AmpOptimWrapper'
        part.setdefault('loss_scale', 'dynamic')


def set_resume(cfg: Config, resume: str | None) -> None:
    """Set where training continues, in place.

    Args:
        cfg: The config.
        resume: ``None`` starts from scratch, unless the config has
            ``resume=True``; ``'auto'`` continues from the newest checkpoint
            of the working directory, or starts from scratch if there is none;
            otherwise the path of a checkpoint.

    Raises:
        UsageError: If the path does not exist, or a training without
            ``resume`` would overwrite an old one.
    """
    if resume is None:
        if not cfg.get('resume'):
            refuse_used(cfg.work_dir)
        return
    if resume != 'auto':
        if not Path(resume).is_file():
            raise UsageError(f'The checkpoint {resume} does not exist.')
        cfg.resume, cfg.load_from = True, str(resume)
        return
    latest = latest_checkpoint(cfg.work_dir)
    # mmengine would resume from "load_from" of the config, e.g. from
    # pre-trained weights, rather than from the newest checkpoint.
    cfg.resume = latest is not None
    if latest is not None:
        cfg.load_from = str(latest)


def start_distributed(cfg: Config) -> None:
    """Start the process group where mmengine cannot, in place.

    mmengine's launcher always selects a CUDA device. Without CUDA, the group
    is started here with gloo, and the runner uses it.

    Args:
        cfg: The config.

    Raises:
        UsageError: If the variables of the launcher are not set.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    if cfg.launcher != 'pytorch':
        raise UsageError(
            f'--launcher {cfg.launcher} needs CUDA devices; without them use '
            'tools/dist_train.sh (torchrun).'
        )
    missing = [
        name
        for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
        if name not in os.environ
    ]
    if missing:
        raise UsageError(
            f'--launcher pytorch: {", ".join(missing)} not set: start with '
            'tools/dist_train.sh or torchrun.'
        )
    if not is_distributed():
        torch.distributed.init_process_group('gloo')
    # The runner would also hand a CUDA device to DistributedDataParallel.
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='mmengine.MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = {**wrapper, 'device_ids': None}


def leave_distributed() -> None:
    """End the process group, if there is one, before the process ends.

    Otherwise its threads keep running while the interpreter shuts down, which
    sometimes aborts a process that has finished its work.
    """
    if is_distributed():
        torch.distributed.destroy_process_group()


def train(cfg: Config) -> nn.Module:
    """Train a model as configured.

    Args:
        cfg: Config prepared by the functions of this module.

    Returns:
        The trained model.

    Raises:
        UsageError: If data sets or weights are missing, damaged or do not
            fit, another training uses the working directory, or the training
            diverges.
    """
    check_data(cfg, ['train_dataloader', 'val_dataloader'])
    check_weights(cfg)
    with hold(cfg.work_dir), usage_errors(cfg):
        runner = _build_runner(cfg)
        runner.register_hook(OneBestHook())
        runner.register_hook(AdversarialHook())
        if cfg.get('load_from'):
            runner.register_hook(
                CheckStartHook(cfg.load_from, bool(cfg.get('resume')))
            )
        return runner.train()


def enable_tta(cfg: Config) -> None:
    """Test on flipped or resized views as well, in place.

    Args:
        cfg: The config, with the host's ``tta_model`` and ``tta_pipeline``.

    Raises:
        UsageError: If the config has no test-time augmentation.
    """
    missing = [
        key for key in ('tta_model', 'tta_pipeline') if not cfg.get(key)
    ]
    if missing:
        raise UsageError(
            f'--tta needs {" and ".join(missing)} in the config: see the '
            "host's documentation on testing."
        )
    dataset = cfg.test_dataloader.dataset
    while 'pipeline' not in dataset and isinstance(
        dataset.get('dataset'), dict
    ):
        dataset = dataset.dataset
    dataset.pipeline = cfg.tta_pipeline
    cfg.model = {**cfg.tta_model, 'module': cfg.model}


def test(cfg: Config, checkpoint: Path | str) -> dict[str, float]:
    """Evaluate a checkpoint on the test data of a config.

    Args:
        cfg: Config prepared by the functions of this module.
        checkpoint: Training checkpoint, or plain weights of the model or, for
            a model of this package, of its generator; or the working directory
            of a training, see :func:`~mmdsr.io.checkpoint.find_checkpoint`.
            Weights that do not fit are refused.

    Returns:
        The metrics.

    Raises:
        UsageError: If the data set or the checkpoint is missing or does not
            fit.
    """
    try:
        checkpoint = find_checkpoint(checkpoint)
    except FileNotFoundError as error:
        raise UsageError(str(error)) from error
    check_data(cfg, ['test_dataloader'])
    cfg.load_from, cfg.resume = None, False
    # A test needs neither the VGG19 weights, which might be downloaded, nor
    # the teacher of a student.
    for key in ('perceptual_loss', 'kd_loss', 'adm'):
        if cfg.model.get(key):
            cfg.model[key] = None
    with usage_errors(cfg):
        runner = _build_runner(cfg)
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        if cfg.model.get('generator'):
            load_generator(_unwrap(model.generator), checkpoint)
        else:
            load_model(model, checkpoint)
    # mmagic's test loop passes the metrics to the hooks but returns none.
    keeper = _MetricsKeeper()
    runner.register_hook(keeper, 'LOWEST')
    with usage_errors(cfg):
        runner.test()
    return keeper.metrics


class _MetricsKeeper(Hook):
    """Store the metrics of a test."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Store the metrics of one test set."""
        self.metrics.update(metrics or {})


def _unwrap(model: nn.Module) -> nn.Module:
    if is_model_wrapper(model):
        return model.get_submodule('module')
    return model


def _build_runner(cfg: Config) -> Runner:
    """Build the runner after preparing the process."""
    # mmagic imports albumentations, which looks for updates online otherwise.
    os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')
    use_safe_loader()
    use_cache_loader()
    start_distributed(cfg)
    if not torch.cuda.is_available() and _replace_sync_bn(cfg.model):
        print_log(
            'SyncBN needs a CUDA device: it is replaced by BN.',
            'current',
            logging.WARNING,
        )
    return Runner.from_cfg(cfg)


def _replace_sync_bn(part: object) -> int:
    """Replace SyncBN by BN, in place; return the number of replacements."""
    if isinstance(part, (list, tuple)):
        return sum(map(_replace_sync_bn, part))
    if not isinstance(part, dict):
        return 0
    found = part.get('type') == 'SyncBN'
    if found:
        part['type'] = 'BN'
    return found + sum(map(_replace_sync_bn, part.values()))
