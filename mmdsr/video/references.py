"""Choose the reference of each frame among its neighbors in a stream."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mmdsr.video.filters import Candidate
from mmdsr.video.matching import (
    Features,
    FrameMatch,
    find_features,
    match_features,
)

_ENOUGH = 4
"""Multiple of the minimum support above which more does not count."""
_NEAREST = 1.5
"""Largest scale of a reference; a nearer one shows too little."""
_GIVE_UP = 3
"""Consecutive frames without support after which the search ends."""


@dataclass
class Choice:
    """A frame and its reference.

    Attributes:
        frame: The frame.
        reference: None if no neighbor is usable.
        match: Match from the frame to the reference; without a reference, the
            match with the most inliers.
    """

    frame: Candidate
    reference: Candidate | None
    match: FrameMatch


class MatchJournal:
    """Matches by the indices of two frames, stored in a file.

    Matching takes most of the time; after an interruption, the finished
    matches are read from the file.

    Args:
        path: The file, None to store nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.known: dict[tuple[int, int], FrameMatch] = {}
        if path is not None and path.is_file():
            self._read(path)

    def _read(self, path: Path) -> None:
        lines = path.read_bytes().split(b'\n')
        for line in lines[:-1]:  # the last line is empty or truncated
            one, other, values = json.loads(line)
            self.known[one, other] = FrameMatch(**values)
        whole = b''.join(line + b'\n' for line in lines[:-1])
        path.write_bytes(whole)

    def match(self, one: Candidate, other: Candidate) -> FrameMatch:
        """Return the match of two frames from the file, or compute it.

        Args:
            one: A frame.
            other: A later one.

        Returns:
            The match from the first to the second frame.
        """
        key = one.index, other.index
        if key in self.known:
            return self.known.pop(key)
        match = match_features(_features_of(one), _features_of(other))
        if self.path is not None:
            with self.path.open('ab') as file:
                file.write(json.dumps([*key, asdict(match)]).encode() + b'\n')
        return match


def _features_of(candidate: Candidate) -> Features:
    if candidate.features is None:
        candidate.features = find_features(candidate.image)
    return candidate.features


def score(
    frame: Candidate, reference: Candidate, match: FrameMatch, least: int
) -> float:
    """Return the quality of a usable reference.

    Support counts up to a limit; beyond it, size and sharpness count, as a
    reference that shows the scene smaller contains less detail than the frame
    itself.

    Args:
        frame: The frame.
        reference: The reference.
        match: Match from the frame to the reference.
        least: Minimum number of inliers of a usable reference.

    Returns:
        The score, >= 0; larger is better.
    """
    support = min(1.0, match.inliers / (_ENOUGH * least))
    larger = min(match.scale, _NEAREST)
    sharper = reference.sharpness / max(frame.sharpness, 1e-6)
    return float(
        np.sqrt(support) * larger**2 * np.sqrt(np.clip(sharper, 0.5, 2))
    )


def choose_references(
    candidates: Iterable[Candidate],
    window: int = 8,
    min_matches: int = 15,
    min_spread: float = 0.18,
    journal: MatchJournal | None = None,
) -> Iterator[Choice]:
    """Choose the reference of each frame among its neighbors.

    Args:
        candidates: Kept frames in order; only ``window`` of them on either
            side are held at a time.
        window: Largest distance of a reference in kept frames.
        min_matches: Minimum number of inliers of a usable reference.
        min_spread: Minimum share in [0, 1] that the inliers must be spread
            over, of the frame where they cover more. Static content in a
            corner, such as text or the rim of a lamp, gives matches, but not a
            reference.
        journal: Storage of the matches.

    Yields:
        One choice for each frame, in order.
    """
    journal = journal or MatchJournal()
    held: deque[Candidate] = deque()
    matches: dict[tuple[int, int], FrameMatch] = {}
    ahead = 0
    for candidate in candidates:
        unlike = 0
        for other in list(held)[: -window - 1 : -1]:
            # Matches across a scene cut are not of the scene.
            if other.shot != candidate.shot or unlike == _GIVE_UP:
                break
            match = journal.match(other, candidate)
            matches[other.index, candidate.index] = match
            unlike = unlike + 1 if match.inliers < min_matches else 0
        held.append(candidate)
        ahead += 1
        if ahead > window:
            position = len(held) - ahead
            yield _choose(held, position, matches, min_matches, min_spread)
            ahead -= 1
        while len(held) - ahead > window:
            gone = held.popleft().index
            for key in [key for key in matches if key[0] == gone]:
                del matches[key]
    while ahead:
        position = len(held) - ahead
        yield _choose(held, position, matches, min_matches, min_spread)
        ahead -= 1


def _choose(
    held: Sequence[Candidate],
    position: int,
    matches: dict[tuple[int, int], FrameMatch],
    least: int,
    spread: float,
) -> Choice:
    frame = held[position]
    best, found, fallback = -1.0, None, FrameMatch()
    for other in held:
        if (frame.index, other.index) in matches:
            match = matches[frame.index, other.index]
        elif (other.index, frame.index) in matches:
            match = matches[other.index, frame.index].reverse()
        else:
            continue
        if match.inliers > fallback.inliers:
            fallback = match
        # A nearer frame shows the middle of a farther one.
        widest = max(match.spread, match.spread_back)
        if match.inliers < least or widest < spread:
            continue
        value = score(frame, other, match, least)
        if value > best:
            best, found = value, Choice(frame, other, match)
    return found or Choice(frame, None, fallback)
