"""Limits that prevent a single user from filling the machine."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of the page.

    Attributes:
        upload: Bytes of a file.
        stored: Bytes of all uploaded files of a session.
        free: Bytes that have to stay free on the disk.
        files: Uploaded files of a session.
        jobs: Jobs of a session, finished ones included.
        sessions: Sessions with files at a time.
        pixels: Pixels of an uploaded picture.
        region: Pixels of what is enlarged at once.
        previews: Frames of a video to choose from.
        idle: Seconds without a request after which a session ends.
        stall: Seconds that an upload may stand still.
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
    """Write a number of bytes.

    Args:
        size: The bytes.

    Returns:
        MB of 2**20 bytes, as file managers show them.
    """
    return f'{max(1, round(size / MIB))} MB'
