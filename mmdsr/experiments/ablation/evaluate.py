"""The test of a row of an ablation: its network on a data set."""

from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from mmdsr.engine.launch import load_config
from mmdsr.experiments import compare_references


def depth_source(cfg: Config, generator: nn.Module) -> str:
    """Return where the depth maps come from in the tests of a config.

    Args:
        cfg: The config.
        generator: Its network.

    Returns:
        One of ``mmdsr.experiments.compare_references.DEPTHS``.
    """
    source = (cfg.model.get('test_cfg') or {}).get('depth')
    if generator.needs_depth:
        return source if source == 'zero' else 'given'
    return source or 'predicted'


def evaluate(
    config: Path,
    checkpoint: Path,
    place: Path,
    root: str,
    max_samples: int | None = None,
) -> dict[str, object]:
    """Evaluate a network on a data set.

    Args:
        config: Config of the training.
        checkpoint: The weights.
        place: Folder for the files of the test.
        root: The data set.
        max_samples: Number of evenly spread images. Defaults to None, all.

    Returns:
        ``psnr_y``, ``ssim_y``, ``psnr_rgb``, ``gain``, ``samples`` and the
        same for ``bicubic``; or a ``note`` that says why there are none.
    """
    cfg = load_config(config, work_dir=str(place))
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    generator = compare_references.trained_generator(cfg, checkpoint, device)
    bicubic, row = compare_references.evaluate(
        cfg,
        generator,
        root,
        references=('adjacent',),
        depths=(depth_source(cfg, generator),),
        max_samples=max_samples,
        flow_warp=False,
    )
    return dict(asdict(row), bicubic=asdict(bicubic))
