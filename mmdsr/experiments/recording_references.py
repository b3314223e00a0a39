"""The value of references from the same recording, by policy."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.evaluation.functional import psnr, upscale
from mmdsr.experiments.references import samples_of_runs
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.frames import read_rgb
from mmdsr.io.images import downscale
from mmdsr.models.networks.padding import SCALE
from mmdsr.recording.neighbors import POLICIES, find_references
from mmdsr.recording.painter import Look, Painter

Frames = list[np.ndarray]


class PolicyScore(NamedTuple):
    """Means over all frames.

    Args:
        policy: See ``mmdsr enhance --reference``.
        most: Maximum number of references of a frame.
        psnr_y: PSNR-Y in dB.
        gain: PSNR-Y over bicubic in dB.
        frames: Number of frames.
        referred: Number of frames with a reference.
    """

    policy: str
    most: int
    psnr_y: float
    gain: float
    frames: int
    referred: int


def read_runs(root: str | Path, split: str = 'test') -> list[Frames]:
    """Read the full-size frames of a data set, run by run.

    Args:
        root: Data set in the layout of :class:`mmdsr.RefSRDataset`.
        split: ``'train'`` or ``'test'``.

    Returns:
        Frames (H, W, 3), RGB uint8, in the natural order of their names.
    """
    return [
        [read_rgb(Path(sample['gt_path']))[0] for sample in samples]
        for samples in samples_of_runs(RefSRDataset(root, split)).values()
    ]


def score_policy(
    resolver: SuperResolver,
    runs: Sequence[Frames],
    policy: str,
    rate: float,
    most: int,
    every: int = 1,
) -> PolicyScore:
    """Enhance reduced frames with references of the same resolution.

    Args:
        resolver: Resolver with the network.
        runs: See :func:`read_runs`.
        policy: One of :data:`mmdsr.recording.neighbors.POLICIES`.
        rate: Frames per second.
        most: Maximum number of references of a frame.
        every: Enhance every ``every``-th frame.

    Returns:
        The means.

    Raises:
        ValueError: If the policy is unknown or there are no frames.
    """
    if policy not in POLICIES:
        raise ValueError(f'policy must be one of {POLICIES}, not {policy!r}.')
    painter = Painter(resolver, Look(SCALE, 'zoom'), None, 'cpu')
    scores, gains, referred = [], [], 0
    for frames in runs:
        small = [downscale(frame, SCALE) for frame in frames]
        moments = find_references(
            ((i, i / rate, image) for i, image in enumerate(small)),
            policy,
            lambda index, _: index % every == 0,
            lambda picture, _: picture,
            rate,
            most=most,
        )
        for moment in moments:
            truth = frames[moment.index]
            scores.append(psnr(painter.paint(moment).picture, truth))
            gains.append(scores[-1] - psnr(upscale(moment.picture), truth))
            referred += bool(moment.references)
    if not scores:
        raise ValueError('There are no frames to measure.')
    means = float(np.mean(scores)), float(np.mean(gains))
    return PolicyScore(policy, most, *means, len(scores), referred)
