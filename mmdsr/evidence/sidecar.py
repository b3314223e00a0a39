"""Files beside a result: its record, and its confidence picture."""

from pathlib import Path

from mmdsr.errors import EvidenceError
from mmdsr.evidence.record import LARGEST, Record, from_json

_OVERLAY = '.confidence'
#: Suffixes of the films among the results.
VIDEOS = ('.mp4', '.mkv')
_RESULTS = ('.png', *VIDEOS)


def sidecar_path(result: Path) -> Path:
    """Return the side-car of a result: ``NAME.png.json`` of ``NAME.png``.

    The suffix of the result stays, so that ``a.png`` and ``a.mp4`` have two
    side-cars and no image can claim ``manifest.json``.

    Args:
        result: The file.
    """
    return result.with_name(f'{result.name}.json')


def overlay_path(result: Path) -> Path:
    """Return the confidence picture: ``NAME.confidence.png`` of ``NAME.png``.

    That of a film is a film of the same format: ``NAME.confidence.mp4``.

    Args:
        result: The file of the result.
    """
    suffix = result.suffix if result.suffix.lower() in VIDEOS else '.png'
    return result.with_name(f'{result.stem}{_OVERLAY}{suffix}')


def overlaid(path: Path) -> Path | None:
    """Return the result to which a confidence picture belongs, by its name.

    Args:
        path: The file.

    Returns:
        The result; ``None`` if the file is not named as such a picture.
    """
    if not path.stem.endswith(_OVERLAY):
        return None
    name = f'{path.stem.removesuffix(_OVERLAY)}{path.suffix}'
    # Nothing is left of a name that is only ".confidence".
    return path.with_name(name) if path.stem != _OVERLAY else None


def result_of(path: Path) -> Path | None:
    """Return the result that a file lies beside.

    Args:
        path: A side-car or a confidence picture.

    Returns:
        The result, if it or its side-car exists; ``None`` for other files.
    """
    result = overlaid(path)
    if path.suffix == '.json' and path.stem.lower().endswith(_RESULTS):
        result = path.with_suffix('')
    if result is None or sidecar_path(path).is_file():
        return None
    there = result.is_file() or sidecar_path(result).is_file()
    return result if there else None


def read_sidecar(path: Path, edited: bool = False) -> Record:
    """Read a side-car.

    Args:
        path: The file.
        edited: Whether to read a record whose checksum is wrong.

    Returns:
        The record.

    Raises:
        FileNotFoundError: If there is none.
        EvidenceError: If it is not a record, or was edited.
        OSError: If it cannot be read.
    """
    # Reading a pipe would block.
    if path.exists() and not path.is_file():
        raise EvidenceError(
            f'{path.name} is not a record of a result: it is not a file.'
        )
    if path.stat().st_size > LARGEST:
        raise EvidenceError(
            f'{path.name} is not a record of a result: it is too large.'
        )
    return from_json(path.read_bytes(), path.name, edited)
