"""When the frames of a video are, and which of them to look at."""

_BACK = 0.5
"""Seconds; a smaller step back is a flaw of the file, no new beginning."""
_RETURN = 1.0
"""Seconds ahead within which the time line before a stray stamp goes on."""
_WRAP = 2**32 / 90_000
"""Half of what the stamps of MPEG streams count to, in seconds: FFmpeg takes
an earlier stamp for one that has counted over, and adds the whole."""


def starts_anew(before, after, wraps=False):
    """Tell whether time stamps start anew between two of them.

    Args:
        before (float): Seconds.
        after (float): Seconds of the next one.
        wraps (bool): Whether the stamps are those of an MPEG stream, where
            a step of many hours means the same.

    Returns:
        bool: True where two recordings were joined.
    """
    step = after - before
    return step < -_BACK or (wraps and step > _WRAP)


class Timeline:
    """Time of each frame, from the first one on, never going back.

    Gaps between the stamps are kept: they are what a variable frame rate
    means. Where the stamps start anew, as in a recording joined from two,
    the frame comes one step after the last, and the others follow it.

    Args:
        rate (float): Frames per second, for frames without a stamp.
        wraps (bool): As in :func:`starts_anew`.

    Attributes:
        time (float): Seconds from the first frame to the last one.
        first (float or None): The first stamp, in seconds.
        last (float or None): The last one.
        restarts (list[float]): Where the stamps start anew, by ``time``.
    """

    def __init__(self, rate, wraps=False):
        self.step, self.wraps = 1 / rate, wraps
        self.time = 0.0
        self.first = self.last = None
        self.restarts = []
        self._offset = self._old_offset = None

    def place(self, stamp, index):
        """Add a frame.

        Args:
            stamp (float or None): Its stamp in seconds.
            index (int): Its number, counted from 0.

        Returns:
            float: Its time.
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
        if self._is_return(stamp, time):
            # One stray stamp was no new beginning.
            self._offset, self._old_offset = self._old_offset, None
            self.restarts.pop()
            time = stamp + self._offset
        elif starts_anew(self.time, time, self.wraps):
            time = self.time + self.step
            self._old_offset, self._offset = self._offset, time - stamp
            self.restarts.append(round(time, 3))
        self.time = max(self.time, time)
        return self.time

    def _is_return(self, stamp, time):
        if self._old_offset is None or time - self.time < _RETURN:
            return False
        ahead = stamp + self._old_offset - self.time
        return -_BACK < ahead < _RETURN


class Sampler:
    """Tell which frames to look at.

    Args:
        every (int, optional): Each so many-th frame.
        step_seconds (float): A frame each so many seconds, without
            ``every``; 0 takes all.
    """

    def __init__(self, every=None, step_seconds=0.0):
        self.every, self.step_seconds = every, step_seconds
        self.next_index, self.next_time = 0, 0.0

    def request(self) -> dict[str, object]:
        """Return what another process makes the same of."""
        return {'every': self.every, 'step_seconds': self.step_seconds}

    def __call__(self, index, time):
        """Tell whether to look at a frame; to be asked in order.

        Args:
            index (int): Number of the frame.
            time (float): Seconds.

        Returns:
            bool: True if so.
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
