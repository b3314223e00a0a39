"""Text that a recorder burns into the frames."""

import cv2
import numpy as np

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
)
_SHADES = ((255, 255, 255), (255, 255, 0), (0, 255, 0))


class Caption:
    """Lines of text of a run: invented manholes, date and distance.

    Args:
        seed: Seed of the data set.
        run: Number of the run.
    """

    def __init__(self, seed: int, run: int) -> None:
        rng = np.random.default_rng([seed, run, 10])
        first = int(rng.integers(100, 900))
        day, month = rng.integers(1, 28), rng.integers(1, 13)
        year = rng.integers(2005, 2025)
        self._title = f'MH {first} - MH {first + int(rng.integers(1, 9))}'
        self._date = f'{day:02d}.{month:02d}.{year}'
        self._start = float(rng.uniform(0, 60))
        self._rate = float(rng.uniform(0.05, 0.3))
        self._font = _FONTS[rng.integers(len(_FONTS))]
        self._color = _SHADES[rng.integers(len(_SHADES))]
        self._size = float(rng.uniform(0.034, 0.05))
        self._boxed = bool(rng.random() < 0.3)
        self._corner = bool(rng.random() < 0.5)

    def draw(self, image: np.ndarray, frame: int) -> np.ndarray:
        """Burn the text of a frame into its image, in place.

        Args:
            image: uint8 RGB ``(H, W, 3)``.
            frame: Number of the frame, which determines the distance shown.

        Returns:
            Bool ``(H, W)``, True where the image was changed.
        """
        height, width = image.shape[:2]
        distance = f'{self._start + self._rate * frame:06.2f} m'
        lines = [
            (self._title, 0.02, 1.4),
            (distance, 0.98 if self._corner else 0.02, -0.6),
            (self._date, 0.98, 1.4),
        ]
        before = image.copy()
        line = self._size * height
        # Scale the font so that its letters have the chosen height.
        (_, tall), _ = cv2.getTextSize('0', self._font, 1.0, 1)
        scale = line / max(tall, 1)
        for text, share, row in lines:
            (long, _), base = cv2.getTextSize(text, self._font, scale, 1)
            x = int(share * width - long * (share > 0.5))
            y = int(row * line if row > 0 else height + row * line)
            if self._boxed:
                cv2.rectangle(
                    image,
                    (x - 2, int(y - line) - 2),
                    (x + long + 2, y + base),
                    (0, 0, 0),
                    cv2.FILLED,
                )
            else:
                cv2.putText(
                    image,
                    text,
                    (x + 1, y + 1),
                    self._font,
                    scale,
                    (0, 0, 0),
                    1,
                    cv2.LINE_AA,
                )
            cv2.putText(
                image,
                text,
                (x, y),
                self._font,
                scale,
                self._color,
                1,
                cv2.LINE_AA,
            )
        return (image != before).any(-1)
