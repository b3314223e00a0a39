"""Choosing a frame's reference among its neighbours, as they stream by."""

import json
from collections import deque
from dataclasses import asdict, dataclass

import numpy as np

from mmdsr.video.filters import Candidate
from mmdsr.video.matching import (
    FrameMatch,
    find_features,
    match_features,
)

_ENOUGH = 4
"""So many times the least support, and more of it is no better."""
_NEAREST = 1.5
"""A reference that is nearer yet shows too little of the frame."""
_GIVE_UP = 3
"""After so many frames in a row without support, no farther one has any."""


@dataclass
class Choice:
    """A frame and its reference.

    Attributes:
        frame (Candidate): The frame.
        reference (Candidate or None): None if no neighbour is usable.
        match (FrameMatch): From the frame to the reference; without one, the
            match with the most inliers.
    """

    frame: Candidate
    reference: Candidate | None
    match: FrameMatch


class MatchJournal:
    """Matches by the indices of two frames, kept in a file.

    Matching takes most of the time; after an interruption what was done is
    read back.

    Args:
        path (Path, optional): The file; None keeps nothing.
    """

    def __init__(self, path=None):
        self.path = path
        self.known = {}
        if path is not None and path.is_file():
            self._read()

    def _read(self):
        lines = self.path.read_bytes().split(b'\n')
        for line in lines[:-1]:  # the last one is empty, or cut short
            one, other, values = json.loads(line)
            self.known[one, other] = FrameMatch(**values)
        whole = b''.join(line + b'\n' for line in lines[:-1])
        self.path.write_bytes(whole)

    def match(self, one, other):
        """Return the match of two frames, from the file or made now.

        Args:
            one (Candidate): A frame.
            other (Candidate): A later one.

        Returns:
            FrameMatch: From one to the other.
        """
        key = one.index, other.index
        if key in self.known:
            return self.known.pop(key)
        for candidate in (one, other):
            if candidate.features is None:
                candidate.features = find_features(candidate.image)
        match = match_features(one.features, other.features)
        if self.path is not None:
            with self.path.open('ab') as file:
                file.write(json.dumps([*key, asdict(match)]).encode() + b'\n')
        return match


def score(frame, reference, match, least):
    """Return how good a usable reference is.

    Support counts up to a point, then being larger and sharper does: a
    reference that shows the scene smaller holds less than the frame itself.

    Args:
        frame (Candidate): The frame.
        reference (Candidate): The reference.
        match (FrameMatch): From the frame to the reference.
        least (int): Fewest inliers of a usable reference.

    Returns:
        float: >= 0, the larger the better.
    """
    support = min(1.0, match.inliers / (_ENOUGH * least))
    larger = min(match.scale, _NEAREST)
    sharper = reference.sharpness / max(frame.sharpness, 1e-6)
    return float(
        np.sqrt(support) * larger**2 * np.sqrt(np.clip(sharper, 0.5, 2))
    )


def choose_references(
    candidates, window=8, min_matches=15, min_spread=0.18, journal=None
):
    """Choose the reference of each frame among its neighbours.

    Args:
        candidates (Iterable[Candidate]): Kept frames in order; ``window``
            of them are held on either side, the rest streams.
        window (int): How many kept frames away a reference may be.
        min_matches (int): Fewest inliers of a usable reference.
        min_spread (float): Smallest share in [0, 1] of one of the two frames
            that they must be spread over. What stands still in a corner,
            such as text or the rim of a lamp, gives matches, but no
            reference.
        journal (MatchJournal, optional): Where matches are kept.

    Yields:
        Choice: One for each frame, in order.
    """
    journal = journal or MatchJournal()
    held, matches, ahead = deque(), {}, 0
    for candidate in candidates:
        unlike = 0
        for other in list(held)[: -window - 1 : -1]:
            # With a scene cut between, whatever matches is no scene.
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


def _choose(held, position, matches, least, spread):
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
        # What a nearer frame shows is the middle of a farther one.
        widest = max(match.spread, match.spread_back)
        if match.inliers < least or widest < spread:
            continue
        value = score(frame, other, match, least)
        if value > best:
            best, found = value, Choice(frame, other, match)
    return found or Choice(frame, None, fallback)
