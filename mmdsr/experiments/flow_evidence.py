"""The potential of better alignment, and the value of exact depth.

DSRNet-X runs with its own flow, with that flow trusted only where the depths
of both images agree, and with the true flow where the reference shows LR.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmdsr.evaluation.functional import psnr, to_uint8, upscale
from mmdsr.experiments.references import open_dataset
from mmdsr.models.networks.depth_cues import depth_consistency
from mmdsr.models.networks.dsrnet_x import DSRNetX

#: Depth in meters that maps to 1, see mmdsr.LoadDepth.
_NEAR = 0.25
#: Largest error of a correct flow, in LR pixels.
_RIGHT = 1.0


class FlowEvidence(NamedTuple):
    """Means over a data set.

    Args:
        own: Gain in PSNR-Y over bicubic with the flow of the network, dB.
        consistent: Gain if that flow is trusted only where the depths agree.
        true: Gain with the true flow, trusted where the reference shows LR.
        kept: Share of correct flow vectors that depth confirms.
        dropped: Share of wrong flow vectors that depth rejects.
        samples: Number of images.
    """

    own: float
    consistent: float
    true: float
    kept: float
    dropped: float
    samples: int


def open_samples(root: str | Path, split: str = 'test') -> Iterable[Any]:
    """Open a data set with exact depth and flow.

    Args:
        root: Data set of the simulator, in the layout of
            :class:`mmdsr.RefSRDataset`.
        split: ``'train'`` or ``'test'``.

    Returns:
        Samples with ``img``, ``gt``, ``ref``, ``flow``, ``visible``,
        ``depth_lr`` and ``depth_ref``.
    """
    load = [
        dict(type='mmdsr.LoadDepth', key='depth_lr', near=_NEAR),
        dict(
            type='mmdsr.LoadDepth',
            key='depth_ref',
            image_key='ref',
            scale=4,
            near=_NEAR,
        ),
    ]
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=load))))
    return open_dataset(cfg, root, 'adjacent', split)


@torch.no_grad()
def measure(network: DSRNetX, samples: Iterable[Any]) -> FlowEvidence:
    """Measure how much depth and the true flow improve a network.

    Args:
        network: A network with an aligner.
        samples: See :func:`open_samples`.

    Returns:
        The means.

    Raises:
        ValueError: If a sample lacks the true flow or a depth map, or the
            network has no aligner.
    """
    gains, counts = [], np.zeros(4)
    for sample in samples:
        _check(sample)
        lr, ref = _batch(sample['img']) / 255, _batch(sample['ref']) / 255
        depth, depth_ref = (
            _batch(sample[key]).nan_to_num(0)
            for key in ('depth_lr', 'depth_ref')
        )
        truth = _batch(sample['flow'])
        visible = _batch(sample['visible'])
        flow, confidence = network.align(lr, ref)
        agree, known = depth_consistency(flow, depth, depth_ref, confidence)
        trust = torch.where(known > 0, agree, 1)
        base = psnr(upscale(sample['img']), sample['gt'])
        cases = (
            (flow, confidence),
            (flow, confidence * trust),
            (truth, visible),
        )
        images = (
            _image(network(lr, ref, flow=f, confidence=c)) for f, c in cases
        )
        gains.append([psnr(image, sample['gt']) - base for image in images])
        error = (flow - truth).norm(dim=1, keepdim=True)
        right = (error < _RIGHT) & (visible > 0) & (known > 0)
        wrong = ~right & (known > 0)
        counts += [
            float(part.sum())
            for part in (
                right & (trust > 0),
                right,
                wrong & (trust == 0),
                wrong,
            )
        ]
    if not gains:
        raise ValueError('There are no samples to measure.')
    own, consistent, true = np.mean(gains, axis=0).tolist()
    kept = counts[0] / counts[1] if counts[1] else float('nan')
    dropped = counts[2] / counts[3] if counts[3] else float('nan')
    return FlowEvidence(own, consistent, true, kept, dropped, len(gains))


def _check(sample: dict[str, Any]) -> None:
    if not sample['visible'].any() and not sample['flow'].any():
        raise ValueError(
            f'{sample["stem"]} has no true flow: use a data set of the '
            'simulator (mmdsr simulate), with depth and poses.'
        )
    for key in ('depth_lr', 'depth_ref'):
        if np.isnan(sample[key]).all():
            raise ValueError(
                f'{sample["stem"]} has no depth map {key}: use a data set of '
                'the simulator (mmdsr simulate).'
            )


def _batch(array: np.ndarray) -> Tensor:
    planes = np.ascontiguousarray(array.transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float()


def _image(sr: Tensor) -> np.ndarray:
    return to_uint8(sr[0].permute(1, 2, 0).contiguous().numpy() * 255)
