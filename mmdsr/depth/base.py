"""Common interface of all depth providers."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

KINDS = ('metric', 'relative')


class DepthMap(NamedTuple):
    """Depth of a frame.

    Attributes:
        depth: ``(H, W)`` float32 distance along the optical axis, NaN =
            unknown. Meters if ``kind`` is ``'metric'``.
        kind: ``'metric'``, or ``'relative'``: correct up to a factor, and
            given in meters of an assumed scale.
        confidence: 0 to 1; 1 if the provider does not estimate its confidence.
        problem: Why the map is only a fallback, '' if it is not.
    """

    depth: np.ndarray
    kind: str
    confidence: float = 1.0
    problem: str = ''


class DepthProvider(ABC):
    """A source of depth for frames.

    Attributes:
        name: Its name for :func:`mmdsr.depth.build_provider`.
        source: File or folder that the depth comes from, or a name that is
            not on this machine; None if only the settings matter.
    """

    name: str
    source: Path | str | None = None

    def __call__(
        self, image: np.ndarray, path: Path | None = None
    ) -> DepthMap:
        """Return the depth of a frame.

        Args:
            image: ``(H, W, 3)`` uint8 RGB.
            path: The frame's file; ``file`` needs it.

        Returns:
            Of the size of the image.

        Raises:
            ValueError: If the image, or what belongs to it, does not fit.
        """
        if (
            not isinstance(image, np.ndarray)
            or image.dtype != np.uint8
            or image.ndim != 3
            or image.shape[2] != 3
            or not image.size
        ):
            raise ValueError('A frame must be an RGB uint8 array (H, W, 3).')
        return self._predict(image, path)

    @abstractmethod
    def _predict(self, image: np.ndarray, path: Path | None) -> DepthMap:
        """Return the map of a checked image."""

    def identity(self, path: Path) -> str:
        """Identify the content of the files that the depth comes from.

        Args:
            path: The frame's file.

        Returns:
            A digest; '' if only the frame and the settings matter.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If there is none for this frame.
        """
        return ''

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the name and the settings, for a manifest.

        Returns:
            Values that are serializable as JSON, without paths of this
            machine.
        """
