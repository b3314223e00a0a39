"""Align the reference with LR, for training on crops."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.datasets.alignment_cache import read_alignment
from mmdsr.io.images import soften
from mmdsr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadAlignment(BaseTransform):
    """Load flow and confidence that an aligner has computed beforehand.

    Required keys: ``img``, ``data_root``, ``split``, ``stem``.
    Added keys: ``flow`` ``(h, w, 2)`` float32 in LR pixels, ``confidence``
    ``(h, w, 1)`` float32 in [0, 1].

    Args:
        name: Name of the cache, see
            ``tools/dataset_converters/cache_alignment.py``.

    Raises:
        FileNotFoundError: If the sample has no cached alignment.
        ValueError: If the file is damaged or has another size.
    """

    def __init__(self, name: str = 'flownet') -> None:
        self.name = name

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add flow and confidence.

        Args:
            results: The sample so far.

        Returns:
            The sample.
        """
        if results.get('reference', 'adjacent') != 'adjacent':
            raise ValueError(
                'LoadAlignment has the flow to the stored reference, not to '
                f'that of reference={results["reference"]!r}. Leave out '
                'LoadAlignment, so that the network aligns it itself.'
            )
        flow, confidence = read_alignment(
            results['data_root'], results['split'], self.name, results['stem']
        )
        size = results['img'].shape[:2]
        if flow.shape[:2] != size:
            raise ValueError(
                f'The alignment {self.name!r} of {results["stem"]} is '
                f'{flow.shape[1]}x{flow.shape[0]}, but the image is '
                f'{size[1]}x{size[0]}. Compute it again with '
                'cache_alignment.py --overwrite.'
            )
        results['flow'] = flow
        results['confidence'] = confidence
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name={self.name!r})'


@TRANSFORMS.register_module()
class AlignRef(BaseTransform):
    """Warp the reference to the window of LR, at full resolution.

    Afterwards the reference has the size of the ground truth and the flow is
    zero: a batch of crops needs only the part of the reference under them.

    Required keys: ``img`` ``(h, w, 3)``, ``ref`` (any size), ``flow`` ``(h,
    w, 2)``. Changed keys: ``ref`` ``(scale * h, scale * w, 3)``, ``flow``, and
    if present ``depth_ref``, from the size of ``ref`` / ``scale`` to ``(h, w,
    1)``.

    Args:
        scale: Size of the truth over that of LR.
    """

    def __init__(self, scale: int = 4) -> None:
        self.scale = scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Warp the reference.

        Args:
            results: The sample so far.

        Returns:
            The sample.
        """
        results['ref'] = warp_image(
            results['ref'], results['flow'], self.scale
        )
        if 'depth_ref' in results:
            warped = warp_image(results['depth_ref'], results['flow'], 1)
            results['depth_ref'] = warped[..., None]
        results['flow'] = np.zeros_like(results['flow'])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale={self.scale})'


def warp_image(
    image: np.ndarray, flow: np.ndarray, scale: int = 4
) -> np.ndarray:
    """Warp a full-size reference to the grid of LR.

    The same as :func:`mmdsr.models.networks.flow.warp` with the enlarged
    flow, on arrays.

    Args:
        image: ``(Hr, Wr, 3)`` or ``(Hr, Wr, 1)``.
        flow: ``(h, w, 2)`` in LR pixels.
        scale: Full size over the size of LR.

    Returns:
        ``(scale * h, scale * w, 3)`` of the image's type, without the last
        axis if it was 1.
    """
    height, width = (side * scale for side in flow.shape[:2])
    large = scale * cv2.resize(
        flow, (width, height), interpolation=cv2.INTER_LINEAR
    )
    large[..., 0] += np.arange(width, dtype=np.float32)
    large[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(  # type: ignore[call-overload] # map2 may be None
        image,
        large,
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


@TRANSFORMS.register_module()
class SpoilRef(BaseTransform):
    """Remove or spoil the reference of some samples.

    A network thus learns to work without a reference and not to rely on a bad
    one. Place the transform before :class:`AlignRef`.

    Required keys: ``ref``, ``flow``, ``confidence``.

    Args:
        missing: Share of samples whose confidence becomes 0: no reference.
        wrong: Share of samples whose flow is shifted by a random number of LR
            pixels in each direction.
        black: Share of samples whose reference becomes black.
        soft: Share of samples whose reference gets the resolution of LR, like
            a neighboring frame of the same recording: it is reduced by
            ``scale`` and enlarged again, bicubically.
        shift: Smallest and largest distance of a wrong flow from the right
            one, in LR pixels; drawn log-uniformly.
        scale: Size of the truth over that of LR.

    Raises:
        ValueError: If a share or the range of distances is not valid.
    """

    def __init__(
        self,
        missing: float = 0.15,
        wrong: float = 0.1,
        black: float = 0.05,
        soft: float = 0.0,
        shift: tuple[float, float] = (0.5, 30),
        scale: int = 4,
    ) -> None:
        shares = (missing, wrong, black, soft)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(
                'missing, wrong, black and soft must be >= 0 and sum to at '
                f'most 1, not {shares}.'
            )
        if not 0 < shift[0] <= shift[1]:
            raise ValueError(
                f'shift must be (low, high) with 0 < low <= high, not {shift}.'
            )
        self.missing = missing
        self.wrong = wrong
        self.black = black
        self.soft = soft
        self.shift = tuple(shift)
        self.scale = scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Spoil the sample at random.

        Args:
            results: The sample so far.

        Returns:
            The sample.
        """
        drawn = np.random.random()
        if drawn < self.missing:
            results['confidence'] = np.zeros_like(results['confidence'])
        elif drawn < self.missing + self.wrong:
            low, high = self.shift
            length = low * (high / low) ** np.random.random()
            turn = 2 * np.pi * np.random.random()
            move = length * np.array([np.cos(turn), np.sin(turn)])
            results['flow'] = results['flow'] + move.astype(np.float32)
        elif drawn < self.missing + self.wrong + self.black:
            results['ref'] = np.zeros_like(results['ref'])
        elif drawn < self.missing + self.wrong + self.black + self.soft:
            results['ref'] = self._softened(results['ref'])
        return results

    def _softened(self, ref: np.ndarray) -> np.ndarray:
        """Return a reference of any size as soft as LR."""
        height, width = ref.shape[:2]
        rest = [(0, -side % self.scale) for side in (height, width)]
        padded = np.pad(ref, [*rest, (0, 0)], mode='edge')
        return soften(padded, self.scale)[:height, :width]

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(missing={self.missing}, '
            f'wrong={self.wrong}, black={self.black}, soft={self.soft}, '
            f'shift={self.shift}, scale={self.scale})'
        )
