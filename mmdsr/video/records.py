"""Record of a converted video, in JSON types."""

from typing import Any, TypedDict

from mmdsr.video.overlays import Box


class Problem(TypedDict):
    """A failure: seconds into the video, and a description."""

    time: float
    text: str


class FramingRecord(TypedDict):
    """The part ``(x, y, w, h)`` that is used, and its size ``(W, H)``."""

    box: Box
    size: tuple[int, int]


class Pictures(TypedDict):
    """Small pictures for the page: data URIs and captions."""

    plan: str | None
    samples: list[dict[str, Any]]
    dropped: dict[str, list[dict[str, Any]]]


class _Facts(TypedDict, total=False):
    codec: str
    container: str
    width: int
    height: int
    duration: float | None
    rate: float
    sar: float


class VideoRecord(_Facts):
    """Entry of a video in the report.

    The properties of a video that could not be opened are missing.

    Attributes:
        name: Name of its run.
        file: Name of the file.
        split: Split of the video, once it is known.
        framing: None if nothing of the video can be used.
        overlays: Boxes that were avoided.
        decoded: Number of frames that were decoded.
        interlaced: Number of those that are flagged as interlaced.
        looked_at: Number of frames that were considered.
        counts: Number of dropped frames by reason.
        problems: Parts that could not be read.
        notes: Further notes for the user.
        cuts: Times of the scene cuts, in seconds.
        samples: One entry per sample: frame, reference and their match.
        dropped: One entry per dropped frame: where, and why.
        pictures: Pictures of the page, which the JSON report omits.
    """

    name: str
    file: str
    split: str | None
    framing: FramingRecord | None
    overlays: list[Box]
    decoded: int
    interlaced: int
    looked_at: int
    counts: dict[str, int]
    problems: list[Problem]
    notes: list[str]
    cuts: list[float]
    samples: list[dict[str, Any]]
    dropped: list[dict[str, Any]]
    pictures: Pictures
