"""Errors of depth maps, as pure functions.

Pixels count where both depths are known (finite and > 0). A relative map is
only right up to a factor, so it is scaled before the comparison; the
scale-invariant error does not depend on the factor.
"""

import numpy as np
from numpy.typing import NDArray

ALIGNMENTS = ('none', 'median', 'least-squares')


def align_scale(
    predicted: np.ndarray, true: np.ndarray, mode: str = 'median'
) -> tuple[np.ndarray, float]:
    """Scale a depth map to the truth.

    Args:
        predicted: Depth, any shape; NaN, infinite or <= 0 is unknown.
        true: Depth of the same shape.
        mode: ``'median'``: by the median of ``true / predicted``.
            ``'least-squares'``: by the factor with the least squared error of
            the depth, ``sum(p t) / sum(p p)``. ``'none'``: by 1.

    Returns:
        The scaled map, float64, and the factor.

    Raises:
        ValueError: If the shapes differ, the mode is unknown, or no pixel is
            known in both.
    """
    if mode not in ALIGNMENTS:
        raise ValueError(f'mode must be one of {ALIGNMENTS}, not {mode!r}.')
    p, t = _known(predicted, true)
    if mode == 'none':
        factor = 1.0
    elif mode == 'median':
        factor = float(np.median(t / p))
    else:
        factor = float((p @ t) / (p @ p))
    return np.asarray(predicted, np.float64) * factor, factor


def abs_rel(predicted: np.ndarray, true: np.ndarray) -> float:
    r"""Return the absolute relative error, the mean of ``|p - t| / t``.

    Args:
        predicted: Depth, any shape; NaN, infinite or <= 0 is unknown.
        true: Depth of the same shape.

    Returns:
        >= 0, 0 is best.

    Raises:
        ValueError: If the shapes differ or no pixel is known in both.
    """
    p, t = _known(predicted, true)
    return float(np.mean(np.abs(p - t) / t))


def delta_accuracy(
    predicted: np.ndarray, true: np.ndarray, threshold: float = 1.25
) -> float:
    """Return the share of pixels with ``max(p / t, t / p) < threshold``.

    Args:
        predicted: Depth, any shape; NaN, infinite or <= 0 is unknown.
        true: Depth of the same shape.
        threshold: A ratio > 1.

    Returns:
        In [0, 1], 1 is best.

    Raises:
        ValueError: If the shapes differ or no pixel is known in both.
    """
    p, t = _known(predicted, true)
    return float(np.mean(np.maximum(p / t, t / p) < threshold))


def scale_invariant(predicted: np.ndarray, true: np.ndarray) -> float:
    r"""Return the scale-invariant logarithmic error.

    The standard deviation of ``d = log p - log t``,
    ``sqrt(mean(d^2) - mean(d)^2)``: the root of Eigen's error with the
    factor 1. It does not change if a map is multiplied by a number.

    Args:
        predicted: Depth, any shape; NaN, infinite or <= 0 is unknown.
        true: Depth of the same shape.

    Returns:
        >= 0, 0 is best.

    Raises:
        ValueError: If the shapes differ or no pixel is known in both.
    """
    p, t = _known(predicted, true)
    return float(np.std(np.log(p) - np.log(t)))


def roughness(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return how much rougher a map is than the truth.

    The mean absolute second difference of the logarithm, along rows and
    columns, over that of the truth. Grain, which mean errors hardly show,
    multiplies it.

    Args:
        predicted: Depth ``(H, W)``; NaN, infinite or <= 0 is unknown.
        true: Depth of the same shape.

    Returns:
        1 if as smooth as the truth, less if smoother.

    Raises:
        ValueError: If the shapes differ or no three pixels in a row or
            column are known in both.
    """
    _known(predicted, true)
    both = _is_known(predicted) & _is_known(true)
    bends = []
    for depth in (predicted, true):
        z = np.where(both, np.asarray(depth, np.float64), np.nan)
        z = np.log(z)
        bent = np.concatenate([np.diff(z, 2, axis).ravel() for axis in (0, 1)])
        bent = np.abs(bent[np.isfinite(bent)])
        if not bent.size:
            raise ValueError(
                'No three adjacent pixels are known in both maps.'
            )
        bends.append(bent.mean())
    return float(bends[0] / max(bends[1], 1e-12))


def depth_errors(
    predicted: np.ndarray, true: np.ndarray, align: str = 'none'
) -> dict[str, float]:
    """All errors of a map.

    Args:
        predicted: Depth, any shape; NaN, infinite or <= 0 is unknown.
        true: Depth of the same shape.
        align: Mode of :func:`align_scale`.

    Returns:
        ``abs_rel``, ``delta_1.25``, ``scale_invariant``, and ``known``, the
        share of the true pixels that were predicted.

    Raises:
        ValueError: See :func:`align_scale`.

    Examples:
        A map that is right up to a factor is right after the alignment:

        >>> import numpy as np
        >>> from mmdsr.evaluation.depth_metrics import depth_errors
        >>> true = np.array([1.0, 2.0, 4.0, 8.0])
        >>> depth_errors(2 * true, true)['abs_rel']
        1.0
        >>> depth_errors(2 * true, true, align='median')['abs_rel']
        0.0
    """
    scaled, _ = align_scale(predicted, true, align)
    there = _is_known(true)
    return {
        'abs_rel': abs_rel(scaled, true),
        'delta_1.25': delta_accuracy(scaled, true),
        'scale_invariant': scale_invariant(scaled, true),
        'known': float((there & _is_known(predicted)).sum() / there.sum()),
    }


def _is_known(depth: np.ndarray) -> NDArray[np.bool_]:
    depth = np.asarray(depth)
    with np.errstate(invalid='ignore'):
        return np.isfinite(depth) & (depth > 0)


def _known(
    predicted: np.ndarray, true: np.ndarray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if np.shape(predicted) != np.shape(true):
        raise ValueError(
            'The maps must have the same shape, not '
            f'{np.shape(predicted)} and {np.shape(true)}.'
        )
    both = _is_known(predicted) & _is_known(true)
    if not both.any():
        raise ValueError('No pixel is known in both maps.')
    return (
        np.asarray(predicted, np.float64)[both],
        np.asarray(true, np.float64)[both],
    )
