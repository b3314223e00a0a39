"""What a network loses in another runtime or with fewer bits, in dB."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.table import Table

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.evaluation.functional import psnr
from mmdsr.extras import is_there
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.frames import read_rgb

#: Backends and precisions; the others are compared with the first one.
VARIANTS = (
    ('torch', 'fp32'),
    ('torch', 'bf16'),
    ('onnxruntime', 'fp32'),
    ('onnxruntime', 'fp16'),
    ('onnxruntime', 'int8'),
    ('openvino', 'fp32'),
    ('openvino', 'fp16'),
    ('openvino', 'int8'),
)
_KEYS = ('img_path', 'ref_path', 'gt_path')


class Sample(NamedTuple):
    """Images (H, W, 3), RGB uint8.

    Args:
        image: Low resolution.
        reference: Its reference.
        truth: Full resolution.
    """

    image: np.ndarray
    reference: np.ndarray
    truth: np.ndarray


class Loss(NamedTuple):
    """Means over all samples.

    Args:
        weights: The network.
        backend: Runtime.
        precision: Precision of its computations.
        psnr_y: PSNR-Y in dB, of 8-bit results.
        change: Difference of PSNR-Y from torch in float32; negative is a loss.
        most: Largest difference of a pixel from torch in float32, in [0, 255].
    """

    weights: str
    backend: str
    precision: str
    psnr_y: float
    change: float
    most: int


def read_samples(
    root: str | Path, split: str = 'test', most: int | None = None
) -> list[Sample]:
    """Read samples of a data set.

    Args:
        root: Data set in the layout of :class:`mmdsr.RefSRDataset`.
        split: ``'train'`` or ``'test'``.
        most: Maximum number, evenly spread. Defaults to None, all.

    Raises:
        FileNotFoundError: If a folder or file is missing.
        ValueError: If there are no samples, or a file is not an image.
    """
    dataset = RefSRDataset(root, split, max_samples=most)
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [
        Sample(*(read_rgb(Path(sample[key]))[0] for key in _KEYS))
        for sample in samples
    ]


def measure_losses(
    weights: str | Path, samples: Sequence[Sample]
) -> Iterator[Loss]:
    """Enhance samples with their references in all installed runtimes.

    Args:
        weights: Published weights, by name or file.
        samples: See :func:`read_samples`.

    Yields:
        One result for each of :data:`VARIANTS` that is installed.

    Raises:
        CheckpointError: If the weights are unknown.
        ValueError: If there are no samples.
    """
    if not samples:
        raise ValueError('There are no samples to measure.')
    exact: list[np.ndarray] = []
    base = 0.0
    for backend, precision in VARIANTS:
        if not is_there(backend) or (
            precision == 'int8' and not is_there('nncf')
        ):
            continue
        resolver = SuperResolver(
            weights=weights, backend=backend, precision=precision
        )
        results = [
            np.asarray(resolver.enhance(one.image, one.reference, 'cpu'))
            for one in samples
        ]
        score = float(
            np.mean(
                [
                    psnr(result, one.truth)
                    for result, one in zip(results, samples, strict=True)
                ]
            )
        )
        if not exact:
            exact, base = results, score
        most = max(
            int(np.abs(result.astype(int) - right).max())
            for result, right in zip(results, exact, strict=True)
        )
        yield Loss(str(weights), backend, precision, score, score - base, most)


def loss_table(losses: Sequence[Loss]) -> Table:
    """Return the results as text.

    Args:
        losses: Results of :func:`measure_losses`.
    """
    shown = Table()
    for column in ('network', 'backend', 'precision'):
        shown.add_column(column, no_wrap=True)
    for column in ('PSNR-Y', 'change', 'most'):
        shown.add_column(column, justify='right')
    for loss in losses:
        shown.add_row(
            loss.weights,
            loss.backend,
            loss.precision,
            f'{loss.psnr_y:.3f}',
            f'{loss.change:+.3f}',
            str(loss.most),
        )
    return shown
