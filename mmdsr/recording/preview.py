"""Frames of a preview as files beside OUT."""

from pathlib import Path

from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.evidence.verify import verify
from mmdsr.recording.evidence import FilmEvidence
from mmdsr.recording.writer import Shot

#: Maximum number of frames.
MOST = 3


def preview_path(target: Path, number: int) -> Path:
    """Return the file of a frame: ``NAME.mp4.preview1.png`` and so on.

    Args:
        target: The film, or the folder of the frames.
        number: Which frame, from 1.
    """
    return target.with_name(f'{target.name}.preview{number}.png')


def check_previews(target: Path) -> None:
    """Refuse to replace files that are no unchanged preview.

    Args:
        target: The film, or the folder of the frames.

    Raises:
        FileExistsError: If there is such a file.
    """
    for number in range(1, MOST + 1):
        path = preview_path(target, number)
        there = [one for one in _files(path) if _exists(one)]
        if there and not _is_own(path, there):
            raise FileExistsError(
                f'{there[0]} exists and is not an unchanged preview of this '
                'command: name another OUT, or move it away.'
            )


def write_previews(
    record: FilmEvidence, shots: list[Shot], target: Path
) -> list[Path]:
    """Write frames as PNG files with their records; replace earlier previews.

    Args:
        record: Writes the records.
        shots: The frames, at most :data:`MOST`.
        target: The film; its name is the beginning of theirs.

    Returns:
        The files.

    Raises:
        FileExistsError: See :func:`check_previews`.
        OSError: If a file cannot be written.
    """
    check_previews(target)
    paths = []
    for number in range(1, MOST + 1):
        path, made = preview_path(target, number), {}
        if number <= len(shots):
            made = record.write(path, shots[number - 1])
            paths.append(path)
        for old in _files(path):
            if old not in made:
                old.unlink(missing_ok=True)
    return paths


def _files(path: Path) -> list[Path]:
    return [path, sidecar_path(path), overlay_path(path)]


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is_own(path: Path, there: list[Path]) -> bool:
    """Return whether the files of a frame are as they were written."""
    if path not in there or any(one.is_symlink() for one in there):
        return False
    verdict = verify(path)
    if verdict.state != 'as recorded' or verdict.record is None:
        return False
    output = verdict.record.output
    own = [path]
    own += [sidecar_path(path)] if output.sidecar else []
    own += [overlay_path(path)] if output.confidence is not None else []
    return {*there} <= {*own}
