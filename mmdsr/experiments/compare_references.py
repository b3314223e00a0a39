"""The value of reference and depth: a trained network compared with bicubic.

The network is evaluated on whole images with the true reference, with one of
another run and with none, and with predicted, given and all-zero depth maps.
If the reference matters, the true one is clearly better than none. FlowWarp
shows what the reference contributes without a network.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from rich.progress import track
from torch import Tensor, nn

from mmdsr.engine.generator import build_generator
from mmdsr.errors import MissingDepthError
from mmdsr.evaluation.functional import psnr, ssim, to_uint8, upscale
from mmdsr.evaluation.match_accuracy import match_accuracy, match_errors
from mmdsr.evaluation.strips import make_strip
from mmdsr.experiments.references import USUAL_REFERENCES, open_dataset
from mmdsr.experiments.references_table import Row
from mmdsr.inference.sources import takes_none
from mmdsr.io.checkpoint import find_checkpoint, load_generator
from mmdsr.io.images import write_png
from mmdsr.models.networks.flow_warp import FlowWarp
from mmdsr.models.networks.refsr_net import DSROutput

DEPTHS = ('predicted', 'given', 'zero')
_NAMES = {
    'adjacent': 'true reference',
    'several': 'several references',
    'soft': 'soft reference',
    'wrong': 'wrong reference',
    'upscaled': 'upscaled reference',
    'self': 'self reference',
    'black': 'black reference',
    'none': 'no reference',
    'predicted': 'depth predicted',
    'given': 'depth given',
    'zero': 'depth zeroed',
}
_DEPTH_FIELDS = ('depth_lr', 'depth_ref')


def trained_generator(
    cfg: Config, checkpoint: Path | str, device: str | torch.device = 'cpu'
) -> nn.Module:
    """Build only the network of a config and load its weights.

    Args:
        cfg: Config of a trainable model.
        checkpoint: Training checkpoint, plain weights, or a working directory,
            of which the best checkpoint is used, otherwise the newest.
        device: Device to run on.

    Returns:
        The network, frozen, in evaluation mode.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If the weights do not fit.
        UsageError: If the network cannot be built.
    """
    generator = build_generator(cfg)
    load_generator(generator, find_checkpoint(checkpoint))
    return generator.to(device).eval().requires_grad_(False)


def variants(
    generator: nn.Module,
    references: Sequence[str] = USUAL_REFERENCES,
    depths: Sequence[str] = DEPTHS,
) -> list[Row]:
    """List what to evaluate.

    For a network that takes no reference, the image itself, enlarged or not,
    is replaced by no reference. All references are combined with the first
    usable depth source, then the first reference with the other depth sources.

    Args:
        generator: The network.
        references: Some of :data:`~mmdsr.experiments.references.REFERENCES`.
        depths: Some of :data:`DEPTHS`; unusable ones are left out.

    Returns:
        Empty rows.

    Raises:
        ValueError: If nothing is left to evaluate.
    """
    usable: list[str | None]
    if generator.needs_depth:
        usable = [depth for depth in depths if depth != 'predicted']
    elif getattr(generator, 'depth_net', None) is not None:
        usable = list(depths)
    else:
        usable = [None]
    if not usable or not references:
        raise ValueError(
            'There is nothing to evaluate: this network needs depth maps, so '
            "choose 'given' or 'zero'."
        )
    if takes_none(generator):
        # Both of these mean no reference.
        named = (
            'none' if r in ('upscaled', 'self') else r for r in references
        )
        references = list(dict.fromkeys(named))
    pairs = [(reference, usable[0]) for reference in references]
    pairs += [(references[0], depth) for depth in usable[1:]]
    return [
        Row(
            ', '.join(_NAMES[part] for part in pair if part is not None),
            *pair,
        )
        for pair in pairs
    ]


@torch.no_grad()
def super_resolve(
    generator: nn.Module,
    sample: dict[str, Any],
    depth: str | None = None,
    reference: bool = True,
) -> tuple[np.ndarray, DSROutput]:
    """Run the network on one sample.

    Args:
        generator: The network.
        sample: ``img`` (h, w, 3) and ``ref`` (Hr, Wr, 3) RGB uint8, or a
            list of them, ``refs``, and depth maps (., ., 1) for
            ``depth='given'``.
        depth: One of :data:`DEPTHS`. Defaults to None, for networks without
            depth.
        reference: Whether the network gets the reference.

    Returns:
        SR (4h, 4w, 3) uint8 and all results of the network.

    Raises:
        MissingDepthError: If given maps are missing or have holes.
    """
    network: Any = generator
    weight = next(generator.parameters(), None)
    device = 'cpu' if weight is None else weight.device

    def batch(array: np.ndarray) -> Tensor:
        array = np.ascontiguousarray(array.transpose(2, 0, 1))
        return torch.from_numpy(array)[None].float().to(device)

    lr, ref = batch(sample['img']) / 255, batch(sample['ref']) / 255
    if 'refs' in sample:
        ref = torch.stack([batch(r) / 255 for r in sample['refs']], 1)
    maps = {}
    if depth in ('given', 'zero'):
        for key, field, image in zip(
            ('depth', 'depth_ref'), _DEPTH_FIELDS, (lr, ref), strict=True
        ):
            if depth == 'zero':
                factor = 1 if field == 'depth_lr' else network.scale
                sides = [-(-side // factor) for side in image.shape[-2:]]
                maps[key] = image.new_zeros(1, 1, *sides)
                continue
            values = sample.get(field)
            holes = getattr(generator, 'takes_unknown_depth', False)
            if values is None or (np.isnan(values).any() and not holes):
                raise MissingDepthError(
                    f'{sample["stem"]} has no complete depth map {field}'
                )
            maps[key] = batch(values)
    output = network.explain(lr, ref if reference else None, **maps)
    sr = output.sr[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return to_uint8(sr * 255), output


def _scores(image: np.ndarray, hr: np.ndarray) -> tuple[float, float, float]:
    return psnr(image, hr), ssim(image, hr), psnr(image, hr, mode='RGB')


def at_rest(sample: dict[str, Any], bicubic: float) -> bool:
    """Return whether the camera was at rest between frame and reference.

    Without motion, any reference gains many dB, so that a few such frames
    dominate the mean.

    Args:
        sample: ``gt`` (H, W, 3) and ``ref``, uint8.
        bicubic: PSNR-Y of bicubic in dB.

    Returns:
        Whether the unaligned reference is closer to the truth than bicubic is.
        A reference of another size never is.
    """
    ref, truth = sample['ref'], sample['gt']
    return ref.shape == truth.shape and psnr(ref, truth) > bicubic


def _fill(
    row: Row,
    scores: Sequence[Sequence[float]] | np.ndarray,
    bicubic: np.ndarray,
    resting: np.ndarray,
) -> None:
    """Fill in a row: its scores and those of bicubic (n, 3), at rest (n,)."""
    row.samples = len(scores)
    row.psnr_y, row.ssim_y, row.psnr_rgb = np.mean(scores, axis=0).tolist()
    ours, theirs = np.asarray(scores)[:, 0], bicubic[:, 0]

    def gain(chosen: np.ndarray) -> float | None:
        if not chosen.any():
            return None
        return float(np.mean(ours[chosen]) - np.mean(theirs[chosen]))

    row.gain = gain(np.ones_like(resting))
    row.gain_moving, row.gain_resting = gain(~resting), gain(resting)
    row.resting = int(resting.sum())
    row.moving = row.samples - row.resting


def _match_of(sample: dict[str, Any], output: DSROutput) -> np.ndarray:
    """Return the errors (n,) of the match where the truth is known."""
    if output.flow is None or not sample['visible'].any():
        return np.zeros(0, np.float32)
    # Of several references, the first is the true one.
    flow = output.flow[0] if output.flow.ndim == 4 else output.flow[0, 0]
    return match_errors(
        flow.cpu().numpy(),
        sample['flow'].transpose(2, 0, 1),
        sample['visible'],
    )


def evaluate(
    cfg: Config,
    generator: nn.Module,
    data_root: Path | str,
    references: Sequence[str] = USUAL_REFERENCES,
    depths: Sequence[str] = DEPTHS,
    split: str = 'test',
    max_samples: int | None = None,
    strips: Path | None = None,
    max_strips: int = 16,
    flow_warp: bool = True,
) -> list[Row]:
    """Evaluate a network on a data set in all variants.

    Args:
        cfg: Config of the network.
        generator: The network, see :func:`trained_generator`.
        data_root: The data set.
        references: Some of :data:`~mmdsr.experiments.references.REFERENCES`.
        depths: Some of :data:`DEPTHS`.
        split: Split to evaluate. Defaults to 'test'.
        max_samples: Number of evenly spread samples. Defaults to None, all.
        strips: Folder for comparison strips of the first variant.
        max_strips: Number of strips, evenly spread.
        flow_warp: Whether to show what the true reference contributes without
            a network, if it is among the references.

    Returns:
        Bicubic first, then FlowWarp. A variant that the data does not allow
        (no depth maps, only one run for a wrong reference) has a note.

    Raises:
        FileNotFoundError: If the data set is missing.
        ValueError: If it cannot be read.
    """
    settings: Any = generator
    rows = variants(generator, references, depths)
    dataset = open_dataset(cfg, data_root, 'adjacent', split, max_samples)
    bicubic = Row('bicubic')
    firsts, at_rests = [], []
    for index in track(range(len(dataset)), description='bicubic'):
        sample = dataset[index]
        firsts.append(
            _scores(upscale(sample['img'], settings.scale), sample['gt'])
        )
        at_rests.append(at_rest(sample, firsts[-1][0]))
    base, resting = np.array(firsts), np.array(at_rests)
    _fill(bicubic, base, base, resting)
    shown = np.linspace(
        0, len(dataset) - 1, min(max_strips, len(dataset)), dtype=int
    )
    runs = [(row, generator) for row in rows]
    if flow_warp and 'adjacent' in references:
        runs.insert(0, (Row('flow-warp', 'adjacent'), FlowWarp()))
    for row, network in runs:
        if row.reference == 'several' and not getattr(
            network, 'takes_several_references', False
        ):
            row.note = 'This network accepts only one reference.'
            continue
        try:
            dataset = open_dataset(
                cfg,
                data_root,
                row.reference or 'none',
                split,
                max_samples,
            )
            scores, errors = [], []
            for index in track(range(len(dataset)), description=row.name):
                sample = dataset[index]
                sr, output = super_resolve(
                    network, sample, row.depth, row.reference != 'none'
                )
                scores.append(_scores(sr, sample['gt']))
                errors.append(_match_of(sample, output))
                if strips is not None and row is rows[0] and index in shown:
                    _write_strip(strips, sample, sr, output.depth)
        except MissingDepthError as error:
            row.note = str(error)
        # The data set has only one run; its other errors were raised above.
        except ValueError as error:
            if row.reference != 'wrong':
                raise
            row.note = str(error)
        else:
            _fill(row, scores, base, resting)
            known = np.concatenate(errors)
            row.match = match_accuracy(known) if len(known) else None
    return [bicubic, *(row for row, _ in runs)]


def _write_strip(
    folder: Path | str,
    sample: dict[str, Any],
    sr: np.ndarray,
    depth: Tensor | None,
) -> None:
    true = sample.get('depth_lr')
    drawn = None
    if depth is not None:
        drawn = depth[0].permute(1, 2, 0).cpu().numpy()
    strip = make_strip(
        sample['img'],
        sample['ref'],
        sr,
        sample['gt'],
        depth=drawn,
        depth_true=None if true is None or np.isnan(true).all() else true,
    )
    write_png(Path(folder) / f'{sample["stem"]}.png', strip)
