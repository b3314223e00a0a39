"""Evaluate a network by the two protocols that Table 2 mixes.

The first is that of MASA-SR: luma, without cropping. The second is that of
EDSR and its successors: here RGB, with a border of four pixels cropped. In the
paper, the SSIM of the single-image rows is far below that of the other rows at
similar PSNR, so it is unlikely that all were computed with the same code.
"""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from mmdsr.engine.launch import load_config
from mmdsr.evaluation.functional import psnr, ssim, upscale
from mmdsr.experiments.ablation.evaluate import depth_source
from mmdsr.experiments.compare_references import (
    super_resolve,
    trained_generator,
)
from mmdsr.experiments.references import open_dataset
from mmdsr.models.networks.padding import SCALE
from mmdsr.registry import MODELS

#: Border in pixels that the RGB protocol crops.
BORDER = 4
#: Scores of each image, by protocol.
SCORES = ('psnr_y', 'ssim_y', 'psnr_rgb', 'ssim_rgb')


def scores_of(image: np.ndarray, hr: np.ndarray) -> dict[str, float]:
    """Compare an image with the truth by both protocols.

    Args:
        image: (H, W, 3) uint8 RGB.
        hr: The truth, in the same format.

    Returns:
        One number for each of :data:`SCORES`.
    """
    inner = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    return dict(
        psnr_y=psnr(image, hr),
        ssim_y=ssim(image, hr),
        psnr_rgb=psnr(image[inner], hr[inner], mode='RGB'),
        ssim_rgb=ssim(image[inner], hr[inner], mode='RGB'),
    )


def load_row(cfg: Config, checkpoint: str | Path, turns: bool) -> nn.Module:
    """Build the trained network of a row.

    Args:
        cfg: Config of the training.
        checkpoint: Checkpoint of the training.
        turns: Whether it is tested on eight flips and rotations.

    Returns:
        The network in evaluation mode, on a GPU if there is one.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    network = trained_generator(cfg, checkpoint, device)
    if turns:
        single = network
        network = MODELS.build(
            dict(type='mmdsr.SelfEnsemble', network=cfg.model.generator)
        )
        network.network = single
        network.eval()
    return network


def enlarge_sample(
    cfg: Config, network: nn.Module, sample: dict
) -> np.ndarray:
    """Super-resolve one image of a data set as in a test.

    Args:
        cfg: Config of the training, which defines the source of depth maps.
        network: The network.
        sample: Sample of :func:`mmdsr.experiments.references.open_dataset`.

    Returns:
        SR (H, W, 3) uint8 RGB.
    """
    depth = None
    if network.needs_depth or getattr(network, 'depth_net', None) is not None:
        depth = depth_source(cfg, network)
    return super_resolve(network, sample, depth)[0]


def score_network(
    cfg: Config, network: nn.Module, root: str, max_samples: int | None
) -> dict:
    """Evaluate a network, and bicubic interpolation, on a data set.

    Args:
        cfg: Config of the training.
        network: The network.
        root: The data set.
        max_samples: Number of evenly spread images; None for all.

    Returns:
        Means of :data:`SCORES`, ``gain`` over bicubic in dB of luma,
        ``images`` with ``stem`` and ``psnr_y``, and ``bicubic`` in the same
        form.
    """
    dataset = open_dataset(cfg, root, 'adjacent', 'test', max_samples)
    own, base, images = [], [], []
    for index in range(len(dataset)):
        sample = dataset[index]
        large = upscale(sample['img'], SCALE)
        own.append(
            scores_of(enlarge_sample(cfg, network, sample), sample['gt'])
        )
        base.append(scores_of(large, sample['gt']))
        images.append(
            dict(
                stem=sample['stem'],
                psnr_y=own[-1]['psnr_y'],
                bicubic=base[-1]['psnr_y'],
            )
        )

    def mean(scores: list[dict[str, float]]) -> dict[str, float]:
        return {
            key: float(np.mean([score[key] for score in scores]))
            for key in SCORES
        }

    means, bicubic = mean(own), mean(base)
    return dict(
        means,
        gain=means['psnr_y'] - bicubic['psnr_y'],
        samples=len(images),
        images=images,
        bicubic=dict(bicubic, samples=len(images)),
    )


def evaluate(
    config: Path,
    checkpoint: Path,
    place: Path,
    root: str,
    max_samples: int | None = None,
    turns: bool = False,
) -> dict:
    """Evaluate a trained network on a data set.

    Args:
        config: Config of the training.
        checkpoint: The weights.
        place: Folder for the files of the test.
        root: The data set.
        max_samples: Number of evenly spread images. Defaults to None, all.
        turns: Whether to test on eight flips and rotations. Defaults to False.

    Returns:
        See :func:`score_network`.
    """
    cfg = load_config(config, work_dir=str(place))
    network = load_row(cfg, checkpoint, turns)
    return score_network(cfg, network, root, max_samples)
