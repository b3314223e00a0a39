"""Recordings that are mutated, and the command that enhances them."""

import contextlib
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from mmdsr.dev import mutate
from mmdsr.dev.case import NAME, Case

_OPTIONS = ('--interpolation', 'bicubic', '--scale', '1', '--device', 'cpu')
_FRAMES = 30


def _enhance(path: Path, out: Path) -> None:
    """Enhance a recording with the command, and check the result."""
    from mmdsr.cli.main import main

    # Of either format that is written.
    lossless = path.suffix in ('.mkv', '.avi', '.ts')
    target = out.with_suffix('.mkv' if lossless else '.mp4')
    # Searching for text takes as long as everything else.
    text = 'auto' if path.suffix in ('.mp4', '.ts') else 'none'
    options = (*_OPTIONS, '--text', text)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(['enhance', str(path), str(target), *options])
    line = said.getvalue().removesuffix('\n')
    if code == 2:
        if not line.startswith('Error: '):
            raise RuntimeError(f'refused without a reason: {line}')
        raise ValueError(line)
    if code not in (0, 1):
        raise RuntimeError(f'exit code {code}: {line}')
    problem = film_problem(target)
    if problem:
        raise RuntimeError(problem)


def film_problem(target: Path) -> str:
    """Return the faults of a film that is reported as finished.

    Args:
        target: The film; its report lies beside it.

    Returns:
        Nothing if all is well.
    """
    from mmdsr.dev.films import contents_of
    from mmdsr.evidence.sidecar import read_sidecar
    from mmdsr.io.checksums import digest

    names = [f'{target.name}{more}' for more in ('', '.json', '.report.json')]
    found = sorted(path.name for path in target.parent.iterdir())
    if found != names:
        return f'{", ".join(found)} instead of {", ".join(names)}'
    report = json.loads(target.with_name(names[2]).read_text())
    film = contents_of(target)
    if len(film.times) != len(report['frames']):
        return f'{len(film.times)} of {len(report["frames"])} frames are there'
    if any(a >= b for a, b in zip(film.times, film.times[1:], strict=False)):
        return 'the times go back'
    if read_sidecar(target.with_name(names[1])).output.file_sha256 != digest(
        target
    ):
        return 'the side-car is of another film'
    return ''


def recordings() -> list[Case]:
    """Short recordings, most of them with sound, for the command."""
    from mmdsr.dev.recordings import CODECS, write_recording
    from mmdsr.dev.views import drive, texture

    pictures = drive(texture(), _FRAMES, 1.03, size=(64, 48))
    with TemporaryDirectory() as folder:
        files = [
            write_recording(
                Path(folder, f'{NAME}{suffix}'),
                pictures,
                # The sound of Windows Media is refused even undamaged.
                sound=suffix != '.wmv',
                interlaced=suffix in ('.mpg', '.ts'),
            )
            for suffix in CODECS
        ]
        return [
            Case(
                path.name, path.read_bytes(), (mutate.mutate_bytes,), _enhance
            )
            for path in files
        ]
