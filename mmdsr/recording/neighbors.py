"""Which other frames of the recording a frame may take detail from."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from mmdsr.video.filters import Candidate, is_cut, measure
from mmdsr.video.matching import (
    Features,
    FrameMatch,
    find_features,
    match_features,
)
from mmdsr.video.references import score

POLICIES = ('auto', 'none', 'previous', 'next')
#: Seconds after and before a frame at which ``auto`` looks, beside the very
#: next frames: where the camera drives, what lies ahead is seen nearer.
SECONDS = (0.24, 0.48)
#: Frames away that are the most.
_FARTHEST = 15
#: References that a frame gets at most; more cost time and gain nothing
#: (docs/enhance_video.md).
MOST = 1
#: Matches that a reference must have at least, and the share of the picture
#: that they must be spread over, as for training data.
LEAST, SPREAD = 15, 0.18

Cut = Callable[[np.ndarray, float], np.ndarray]


@dataclass
class Moment:
    """A frame on its way, with the frames it may take detail from.

    Attributes:
        index: Number of the frame.
        time: Its seconds.
        picture: RGB (H, W, 3) uint8.
        references: Frames of the recording, the best one first.
        why: Why these, or why none.
        cut: Whether another scene begins with it.
    """

    index: int
    time: float
    picture: np.ndarray
    references: list['Reference'] = field(default_factory=list)
    why: str = ''
    cut: bool = False


@dataclass(frozen=True)
class Reference:
    """A frame that detail may be taken from.

    Attributes:
        picture: RGB (H, W, 3) uint8.
        index: Number of the frame; None for a file.
        score: Quality of the reference, > 0; 0 if it was not computed.
    """

    picture: np.ndarray
    index: int | None
    score: float = 0.0


@dataclass
class _Held:
    """A frame near the one that is looked at."""

    index: int
    time: float
    picture: np.ndarray
    looks: Candidate
    cut: bool
    small: tuple[Candidate, Features] | None = None


def offsets(rate: float) -> tuple[int, ...]:
    """Return which frames ``auto`` looks at, counted from the own one.

    Args:
        rate: Frames per second.
    """
    steps = {1, *(min(_FARTHEST, round(one * rate)) for one in SECONDS)}
    ahead = sorted(step for step in steps if step > 0)
    return (*ahead, *(-step for step in ahead))


def reach_of(policy: str, rate: float) -> int:
    """Return the numbers of frames needed before and after a frame."""
    if policy == 'auto':
        return max(offsets(rate))
    # One before, to tell a cut.
    return 1


def find_references(
    frames: Iterable[tuple[int, float, np.ndarray]],
    policy: str,
    wanted: Callable[[int, float], bool],
    part: Cut,
    rate: float,
    file: np.ndarray | None = None,
    most: int = MOST,
) -> Generator[Moment, None, None]:
    """Give each wanted frame its references; memory does not grow.

    Args:
        frames: Index, seconds and RGB pictures (H, W, 3) uint8, in order,
            those beside a wanted one included.
        policy: One of :data:`POLICIES`, or ``'file'``.
        wanted: Tells whether a frame, by index and seconds, is to be
            enhanced.
        part: ``part(picture, time)`` is the region of a frame to be enhanced;
            only there must a reference fit.
        rate: Frames per second.
        file: The reference of all frames for ``'file'``, RGB (H, W, 3)
            uint8.
        most: References that a frame gets at most.

    Yields:
        The wanted frames, in order.
    """
    reach = reach_of(policy, rate)
    matches = _Matches(offsets(rate), part)
    held: deque[_Held] = deque()
    waiting: deque[int] = deque()

    def finished() -> Iterator[Moment]:
        number = waiting.popleft()
        near = {one.index: one for one in held}
        yield _choose(near, number, policy, matches, file, most)
        matches.forget(number)

    for index, time, picture in frames:
        looks = measure(index, time, picture)
        follows = bool(held) and held[-1].index == index - 1
        cut = follows and is_cut(held[-1].looks, looks)
        while waiting and waiting[0] + reach < index:
            yield from finished()
        held.append(_Held(index, time, picture, looks, cut))
        if wanted(index, time):
            waiting.append(index)
        while waiting and waiting[0] + reach == index:
            yield from finished()
        oldest = waiting[0] if waiting else index + 1
        while held and held[0].index < oldest - reach:
            held.popleft()
    while waiting:
        yield from finished()


def _choose(
    near: dict[int, _Held],
    index: int,
    policy: str,
    matches: '_Matches',
    file: np.ndarray | None,
    most: int,
) -> Moment:
    own = near[index]
    moment = Moment(index, own.time, own.picture, cut=own.cut)
    if policy == 'file' and file is not None:
        moment.references, moment.why = [Reference(file, None)], 'as asked'
    elif policy == 'none':
        moment.why = 'as asked'
    elif policy == 'auto':
        _best(moment, near, matches)
        del moment.references[most:]
    else:
        offset = -1 if policy == 'previous' else 1
        other = near.get(index + offset)
        if other is None:
            moment.why = f'there is no {policy} frame'
        elif _apart(near, index, index + offset):
            moment.why = 'there is a cut between them'
        else:
            moment.references = [Reference(other.picture, other.index)]
            moment.why = 'as asked'
    return moment


def _apart(near: dict[int, _Held], one: int, other: int) -> bool:
    """Return whether a cut, or a gap, lies between two frames."""
    between = range(min(one, other) + 1, max(one, other) + 1)
    return any(n not in near or near[n].cut for n in between)


def _best(moment: Moment, near: dict[int, _Held], matches: '_Matches') -> None:
    """Choose the best references of a frame."""
    own = near[moment.index]
    there = [
        moment.index + offset
        for offset in matches.offsets
        if moment.index + offset in near
    ]
    usable = [n for n in there if not _apart(near, moment.index, n)]
    most = 0
    for number in usable:
        other = near[number]
        one, two, match = matches.between(own, other)
        most = max(most, match.inliers)
        if (
            match.inliers >= LEAST
            and max(match.spread, match.spread_back) >= SPREAD
        ):
            value = score(one, two, match, LEAST)
            moment.references.append(
                Reference(other.picture, number, round(value, 4))
            )
    moment.references.sort(key=lambda one: -one.score)
    if moment.references:
        moment.why = 'best of the neighboring frames'
    elif not there:
        moment.why = 'there is no other frame'
    elif not usable:
        moment.why = 'separated from the neighboring frames by cuts'
    else:
        moment.why = (
            f'the picture rotates or has too little texture: at best {most} '
            'matches with a frame around'
        )


class _Matches:
    """Matches of frames; each pair is needed twice and computed once."""

    def __init__(self, offsets: tuple[int, ...], part: Cut) -> None:
        self.offsets, self.part = offsets, part
        self.known: dict[tuple[int, int], FrameMatch] = {}

    def between(
        self, own: _Held, other: _Held
    ) -> tuple[Candidate, Candidate, FrameMatch]:
        """Return the measures of two frames, and their match."""
        (one, here), (two, there) = self._looks(own), self._looks(other)
        key = min(own.index, other.index), max(own.index, other.index)
        if key not in self.known:
            pair = (here, there) if own.index == key[0] else (there, here)
            self.known[key] = match_features(*pair)
        match = self.known[key]
        return one, two, match if own.index == key[0] else match.reverse()

    def forget(self, index: int) -> None:
        """Drop frames that no later frame needs."""
        for key in [key for key in self.known if key[1] <= index]:
            del self.known[key]

    def _looks(self, held: _Held) -> tuple[Candidate, Features]:
        if held.small is None:
            image = self.part(held.picture, held.time)
            looks = measure(held.index, held.time, image)
            held.small = looks, find_features(image)
        return held.small
