"""Which frames a part of a recording needs, including their neighbors."""

from collections.abc import Sequence
from typing import Any


class Spans:
    """Tell which frames to look at: those of some segments, and beside them.

    The frames are counted in segments of ``length``; of each so many are
    wanted, and around a wanted one those up to ``reach`` away.

    Args:
        length: Frames of a segment.
        part: Which of ``parts`` processes asks, from 0; it takes every
            ``parts``-th segment.
        parts: How many there are.
        done: Segments that are not wanted any more.
        every: Every so many-th frame is wanted.
        reach: Frames before and after a wanted one.
        start: Seconds of the first wanted frame.
        end: Seconds before which the last one is; None for all.
        only: Segments that are wanted at all; None for all.
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
        """Return what another process makes the same of."""
        return {**vars(self), 'done': sorted(self.done)}

    def segment(self, index: int) -> int:
        """Return the segment of a frame."""
        return index // self.length

    def within(self, time: float) -> bool:
        """Return whether a time in seconds lies between start and end."""
        # Times are rounded, to 1/90000 s at the finest.
        after = self.end is not None and time >= self.end - 1e-6
        return time >= self.start - 1e-6 and not after

    def selects(self, index: int) -> bool:
        """Return whether a frame, not one beside it, is wanted."""
        number = self.segment(index)
        return (
            index >= 0
            and index % self.every == 0
            and number % self.parts == self.part
            and number not in self.done
            and (self.only is None or number in self.only)
        )

    def __call__(self, index: int, time: float) -> bool:
        """Return whether to look at a frame.

        Args:
            index: Number of the frame.
            time: Its seconds.
        """
        if not self.within(time):
            return False
        first = index - self.reach
        # The multiples of every, from the first one on.
        first += -first % self.every
        around = range(first, index + self.reach + 1, self.every)
        return any(map(self.selects, around))
