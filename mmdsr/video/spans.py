"""Frames that a part of a recording needs, including their neighbors."""

from collections.abc import Sequence
from typing import Any


class Spans:
    """Select the frames of some segments, and their neighbors.

    The frames are divided into segments of ``length``. Every ``every``-th
    frame of the requested segments is requested, along with its neighbors up
    to ``reach`` frames away.

    Args:
        length: Number of frames of a segment.
        part: Number of this process among ``parts``, from 0; it processes
            every ``parts``-th segment.
        parts: Number of processes.
        done: Segments that are already finished.
        every: Request every ``every``-th frame.
        reach: Number of neighbors on either side.
        start: Time of the first requested frame in seconds.
        end: Time in seconds before which the last requested frame is; None for
            no limit.
        only: Requested segments; None for all.
    """

    def __init__(
        self,
        length: int,
        part: int = 0,
        parts: int = 1,
        done: Sequence[int] = (),
        every: int = 1,
        reach: int = 0,
        start: float = 0.0,
        end: float | None = None,
        only: Sequence[int] | None = None,
    ) -> None:
        self.length, self.part, self.parts = length, part, parts
        self.done = frozenset(done)
        self.every, self.reach = every, reach
        self.start, self.end = start, end
        self.only = only if only is None else list(only)

    def request(self) -> dict[str, Any]:
        """Return the arguments that create an equal object elsewhere."""
        return {**vars(self), 'done': sorted(self.done)}

    def segment(self, index: int) -> int:
        """Return the segment of a frame."""
        return index // self.length

    def within(self, time: float) -> bool:
        """Return whether a time in seconds lies between start and end."""
        # Times are rounded, to at best 1/90000 s.
        after = self.end is not None and time >= self.end - 1e-6
        return time >= self.start - 1e-6 and not after

    def selects(self, index: int) -> bool:
        """Return whether a frame itself is requested, not only as neighbor."""
        number = self.segment(index)
        return (
            index >= 0
            and index % self.every == 0
            and number % self.parts == self.part
            and number not in self.done
            and (self.only is None or number in self.only)
        )

    def __call__(self, index: int, time: float) -> bool:
        """Return whether to read a frame.

        Args:
            index: Number of the frame.
            time: Its time in seconds.
        """
        if not self.within(time):
            return False
        first = index - self.reach
        # The multiples of every in the range.
        first += -first % self.every
        around = range(first, index + self.reach + 1, self.every)
        return any(map(self.selects, around))
