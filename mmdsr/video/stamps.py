"""Times of the frames of a video, and the selection of frames."""

from typing import Any

_BACK = 0.5
"""Seconds; a smaller step back is an error in the file, not a restart."""
_RETURN = 1.0
"""Seconds ahead within which the timeline before a stray stamp resumes."""
_WRAP = 2**32 / 90_000
"""Half the range of the stamps of MPEG streams, in seconds: FFmpeg treats an
earlier stamp as wrapped around, and adds the whole range."""


def starts_anew(before: float, after: float, wraps: bool = False) -> bool:
    """Return whether the time stamps restart between two of them.

    Args:
        before: The first stamp in seconds.
        after: The next stamp in seconds.
        wraps: Whether the stamps are those of an MPEG stream, where a step of
            many hours is also a restart.

    Returns:
        Whether two recordings were joined here.
    """
    step = after - before
    return step < -_BACK or (wraps and step > _WRAP)


class Timeline:
    """Time of each frame since the first one, which never decreases.

    Gaps between the stamps are kept, as in a variable frame rate. If the
    stamps restart, as in a recording joined from two, the frame is placed one
    step after the last, and the others follow it.

    Args:
        rate: Frames per second, for frames without a stamp.
        wraps: See :func:`starts_anew`.

    Attributes:
        time: Seconds from the first frame to the last one.
        first: The first stamp, in seconds.
        last: The last stamp, in seconds.
        longest: Longest time between two frames in seconds.
        restarts: Values of ``time`` at which the stamps restart.
    """

    def __init__(self, rate: float, wraps: bool = False) -> None:
        self.step, self.wraps = 1 / rate, wraps
        self.time = 0.0
        self.first: float | None = None
        self.last: float | None = None
        self.longest = 0.0
        self.restarts: list[float] = []
        self._offset = 0.0
        self._old_offset: float | None = None

    def place(self, stamp: float | None, index: int) -> float:
        """Add a frame.

        Args:
            stamp: Its stamp in seconds.
            index: Its number, counted from 0.

        Returns:
            Its time.
        """
        if stamp is None:
            if self.first is None:
                self.time = index * self.step
            else:
                self.time += self.step
            return self.time
        if self.first is None:
            self.first = stamp
            self._offset = self.time - stamp
        self.last = stamp
        time = stamp + self._offset
        if self._old_offset is not None and self._is_return(
            stamp + self._old_offset, time
        ):
            # A single stray stamp is not a restart.
            self._offset, self._old_offset = self._old_offset, None
            self.restarts.pop()
            time = stamp + self._offset
        elif starts_anew(self.time, time, self.wraps):
            time = self.time + self.step
            self._old_offset, self._offset = self._offset, time - stamp
            self.restarts.append(round(time, 3))
        self.longest = max(self.longest, time - self.time)
        self.time = max(self.time, time)
        return self.time

    def _is_return(self, old_time: float, time: float) -> bool:
        """Return whether a frame fits the timeline before the last restart."""
        if time - self.time < _RETURN:
            return False
        return -_BACK < old_time - self.time < _RETURN


class Sampler:
    """Select the frames to examine.

    Args:
        every: Select every n-th frame.
        step_seconds: Without ``every``, time between selected frames in
            seconds; 0 selects all frames.
    """

    def __init__(
        self, every: int | None = None, step_seconds: float = 0.0
    ) -> None:
        self.every, self.step_seconds = every, step_seconds
        self.next_index, self.next_time = 0, 0.0

    def request(self) -> dict[str, Any]:
        """Return the arguments that create an equal object elsewhere."""
        return {'every': self.every, 'step_seconds': self.step_seconds}

    def __call__(self, index: int, time: float) -> bool:
        """Return whether to examine a frame; call in the order of frames.

        Args:
            index: Number of the frame.
            time: Seconds.

        Returns:
            Whether to examine it.
        """
        if self.every is not None:
            wanted = index >= self.next_index
            if wanted:
                self.next_index = index - index % self.every + self.every
            return wanted
        # Time stamps are rounded, to at best 1/90000 s.
        wanted = time >= self.next_time - 1e-3
        if wanted and self.step_seconds:
            steps = (time + 1e-3) // self.step_seconds + 1
            self.next_time = steps * self.step_seconds
        return wanted
