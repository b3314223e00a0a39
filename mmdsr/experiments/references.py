"""Choices for the reference, and data sets that provide it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.evaluation.functional import upscale
from mmdsr.io.frames import read_rgb
from mmdsr.io.images import soften
from mmdsr.io.listing import natural_order
from mmdsr.models.networks.padding import SCALE
from mmdsr.registry import TRANSFORMS

#: Choices for the reference. 'several' are the true one and those of the
#: neighboring frames. 'soft' has only the resolution of LR, like the next
#: frame of the same recording. The last three mean no reference: the enlarged
#: LR image, LR itself (section 5.3) and a black picture.
REFERENCES = (
    'adjacent',
    'several',
    'soft',
    'wrong',
    'upscaled',
    'self',
    'black',
)
#: Choices that are evaluated by default.
USUAL_REFERENCES = ('adjacent', 'wrong', 'upscaled', 'self')
#: Samples of the run that provide further references: the truth of the
#: previous frame, and the reference of the next frame.
_BESIDE = ((-1, 'gt_path'), (1, 'ref_path'))


def _load_images(sample: dict[str, Any]) -> dict[str, Any]:
    for key in ('img', 'gt', 'ref'):
        sample[key] = read_rgb(Path(sample[f'{key}_path']))[0]
    return sample


def _enlarge_reference(sample: dict[str, Any]) -> dict[str, Any]:
    sample['ref'] = upscale(sample['img'], SCALE)
    return sample


def _blacken_reference(sample: dict[str, Any]) -> dict[str, Any]:
    sample['ref'] = np.zeros_like(upscale(sample['img'], SCALE))
    return sample


def _soften_reference(sample: dict[str, Any]) -> dict[str, Any]:
    sample['ref'] = soften(sample['ref'], SCALE)
    return sample


def samples_of_runs(dataset: RefSRDataset) -> dict[str, list[dict[str, Any]]]:
    """Return the samples of each run, frame by frame.

    Args:
        dataset: The data set.

    Returns:
        Samples by the name of their run, in the natural order of their names:
        ``run_9`` before ``run_10``.
    """
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    runs: dict[str, list[dict[str, Any]]] = {}
    for sample in natural_order(samples, lambda one: one['stem']):
        runs.setdefault(sample['run'], []).append(sample)
    return runs


def _add_neighbors(
    dataset: RefSRDataset,
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a transform that adds ``refs``, true and neighboring ones."""
    runs = samples_of_runs(dataset)
    places = {
        sample['stem']: i
        for samples in runs.values()
        for i, sample in enumerate(samples)
    }

    def add(sample: dict[str, Any]) -> dict[str, Any]:
        samples = runs[sample['run']]
        sample['refs'] = [sample['ref']]
        for step, key in _BESIDE:
            place = places[sample['stem']] + step
            if not 0 <= place < len(samples):
                continue
            ref = read_rgb(Path(samples[place][key]))[0]
            if ref.shape == sample['ref'].shape:
                sample['refs'].append(ref)
        return sample

    return add


_STAND_INS = {'upscaled': _enlarge_reference, 'black': _blacken_reference}


def open_dataset(
    cfg: Config,
    data_root: Path | str,
    reference: str,
    split: str = 'test',
    max_samples: int | None = None,
) -> RefSRDataset:
    """Open a data set with the depth normalization of a config.

    Args:
        cfg: Config whose test pipeline has ``mmdsr.LoadDepth``.
        data_root: Data set in the layout of :class:`mmdsr.RefSRDataset`.
        reference: One of :data:`REFERENCES`, or ``'none'``.
        split: Split to open. Defaults to 'test'.
        max_samples: Number of evenly spread samples. Defaults to None, all.

    Returns:
        A data set of dicts with RGB uint8 ``img``, ``gt``, ``ref``, the true
        ``flow``, ``visible``, and the depth maps.
    """
    pipeline = [_load_images, TRANSFORMS.build(dict(type='mmdsr.LoadFlow'))]
    if reference in _STAND_INS:
        # Use the depth maps of 'self', which have the size of Ref-down.
        pipeline.append(_STAND_INS[reference])
        reference = 'self'
    elif reference == 'soft':
        pipeline.append(_soften_reference)
    elif reference == 'several':
        pipeline.append(_add_neighbors(RefSRDataset(data_root, split)))
    for step in cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'mmdsr.LoadDepth':
            pipeline.append(TRANSFORMS.build(step))
    return RefSRDataset(
        data_root,
        split=split,
        pipeline=pipeline,
        reference=(
            'adjacent'
            if reference in ('none', 'soft', 'several')
            else reference
        ),
        max_samples=max_samples,
        test_mode=True,
    )
