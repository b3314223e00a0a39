"""Times of the frames of a video, and which of them to examine."""

from typing import Any

_BACK = 0.5
"""Seconds; a smaller step back is a flaw of the file, not a new start."""
_RETURN = 1.0
"""Seconds ahead within which the timeline before a stray stamp resumes."""
_WRAP = 2**32 / 90_000
"""Half of what the stamps of MPEG streams count to, in seconds: FFmpeg takes
an earlier stamp for one that has wrapped around, and adds the whole."""


def starts_anew(before: float, after: float, wraps: bool = False) -> bool:
    """Return whether time stamps start over between two of them.

    Args:
        before: The first stamp in seconds.
        after: The next stamp in seconds.
        wraps: Whether the stamps are those of an MPEG stream, where a step of
            many hours means the same.

    Returns:
        Whether two recordings were joined here.
    """
    step = after - before
    return step < -_BACK or (wraps and step > _WRAP)


class Timeline:
    """The time of each frame since the first one, which never goes back.

    Gaps between the stamps are kept: they are what a variable frame rate
    means. Where the stamps start over, as in a recording joined from two,
    the frame comes one step after the last, and the others follow it.

    Args:
        rate: Frames per second, for frames without a stamp.
        wraps: As in :func:`starts_anew`.

    Attributes:
        time: Seconds from the first frame to the last one.
        first: The first stamp, in seconds.
        last: The last one.
        longest: Most seconds from one frame to the next.
        restarts: Values of ``time`` at which the stamps start over.
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
            # One stray stamp is not a new start.
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
    """Tells which frames to look at.

    Args:
        every: Take every n-th frame.
        step_seconds: Without ``every``, take a frame every so many seconds;
            0 takes all.
    """

    def __init__(
        self, every: int | None = None, step_seconds: float = 0.0
    ) -> None:
        self.every, self.step_seconds = every, step_seconds
        self.next_index, self.next_time = 0, 0.0

    def request(self) -> dict[str, Any]:
        """Return the arguments that make the same in another process."""
        return {'every': self.every, 'step_seconds': self.step_seconds}

    def __call__(self, index: int, time: float) -> bool:
        """Return whether to look at a frame; ask in the order of frames.

        Args:
            index: Number of the frame.
            time: Seconds.

        Returns:
            Whether to look at it.
        """
        if self.every is not None:
            wanted = index >= self.next_index
            if wanted:
                self.next_index = index - index % self.every + self.every
            return wanted
        # Time stamps are rounded, to 1/90000 s at the finest.
        wanted = time >= self.next_time - 1e-3
        if wanted and self.step_seconds:
            steps = (time + 1e-3) // self.step_seconds + 1
            self.next_time = steps * self.step_seconds
        return wanted
