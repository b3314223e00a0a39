"""Limits that prevent a single user from overloading the machine."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of the page.

    Attributes:
        upload: Size of an uploaded file in bytes.
        stored: Size of all uploaded files of a session in bytes.
        free: Disk space that must remain free, in bytes.
        files: Number of uploaded files of a session.
        jobs: Number of jobs of a session, including finished ones.
        sessions: Number of concurrent sessions with files.
        pixels: Number of pixels of an uploaded picture.
        region: Number of pixels of a region to enlarge.
        previews: Number of frames of a video to choose from.
        idle: Seconds without a request after which a session ends.
        stall: Seconds without data after which an upload fails.
    """

    upload: int = 100 * MIB
    stored: int = 400 * MIB
    free: int = 1024 * MIB
    files: int = 20
    jobs: int = 20
    sessions: int = 32
    pixels: int = 40_000_000
    region: int = 2_500_000
    previews: int = 1500
    idle: float = 3600.0
    stall: float = 60.0


def in_mib(size: int) -> str:
    """Format a number of bytes.

    Args:
        size: The bytes.

    Returns:
        MB of 2**20 bytes, as file managers show them.
    """
    return f'{max(1, round(size / MIB))} MB'
