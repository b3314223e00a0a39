"""Kill a tool repeatedly and check that its final output is the same.

The same command is restarted after each SIGKILL, as a user would do it. Its
final output is compared, file by file, with that of an uninterrupted run.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmdsr.dev.recordings import write_recording
from mmdsr.dev.views import drive, texture
from mmdsr.evidence import record as evidence
from mmdsr.io.checkpoint import read_checkpoint
from mmdsr.io.images import write_png
from mmdsr.recording import ownership
from mmdsr.recording.writer import FILMS

#: Formats of the notes beside a film.
_NOTES = (evidence.FORMAT, ownership.FORMAT)


@dataclass
class Result:
    """Outcome for a tool.

    Args:
        kills: Number of kills.
        rounds: Number of times that it finished in between.
        faults: Descriptions of the faults.
    """

    kills: int = 0
    rounds: int = 0
    faults: list = field(default_factory=list)


def kill_test(
    command: Callable[..., Any],
    folder: Path,
    kills: int,
    rng: np.random.Generator,
    ignore: Sequence[str] = (),
) -> Result:
    """Kill a tool at random moments.

    Args:
        command: Function that returns the command line, given the target.
        folder: An empty folder to work in.
        kills: Number of kills.
        rng: Generator of the moments.
        ignore: Patterns of files that differ between any two runs, such as
            logs; they need not be the same.

    Returns:
        The outcome.

    Raises:
        RuntimeError: If the tool fails without being killed.
    """
    whole, parts = folder / 'whole', folder / 'parts'
    start = time.monotonic()
    code, text = _run(command(whole / 'out'), None)
    if code != 0:
        raise RuntimeError(f'exit code {code}: {text}')
    length = time.monotonic() - start
    expected = contents(whole, ignore)
    result = Result()
    while result.kills < kills or result.rounds == 0:
        # The duration of a run, so that kills are spread over all of it.
        limit = None
        if result.kills < kills:
            limit = rng.uniform(0, 1.1 * length)
        code, text = _run(command(parts / 'out'), limit)
        if code == -signal.SIGKILL:
            result.kills += 1
            continue
        if code != 0:
            result.faults.append(
                f'after {result.kills} kills: exit code {code}: {text}'
            )
            shutil.rmtree(parts, ignore_errors=True)
            continue
        result.rounds += 1
        found = contents(parts, ignore)
        result.faults += [
            f'after {result.kills} kills: {name} {what}'
            for name, what in differences(expected, found)
        ]
        shutil.rmtree(parts)
    return result


def _run(command: Sequence[str], limit: float | None) -> tuple[int, str]:
    """Run a command, for some seconds at most; its code and last words."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        # Its workers, too, as in a power failure.
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    lines = output.decode(errors='replace').strip().splitlines()
    return process.returncode, lines[-1] if lines else ''


def contents(
    folder: Path, ignore: Sequence[str] = ()
) -> dict[str, bytes | dict[str, Any]]:
    """Read the files of a folder.

    Args:
        folder: The folder.
        ignore: Patterns of files to leave out.

    Returns:
        By path; of a checkpoint its weights, of a journal its lines without
        the times of files, of a result and what lies beside it all but when
        it was made.
    """
    found: dict[str, bytes | dict[str, Any]] = {}
    for path in sorted(folder.rglob('*')):
        name = path.relative_to(folder).as_posix()
        if any(path.match(pattern) for pattern in ignore):
            continue
        if path.is_dir():
            found[name] = b''
        elif path.suffix == '.pth':
            found[name] = read_checkpoint(path)['state_dict']
        elif path.suffix in FILMS:
            found[name] = _film(path)
        elif path.suffix == '.png':
            found[name] = _picture(path)
        else:
            # Where it was made may be noted.
            content = path.read_bytes().replace(os.fsencode(folder), b'FOLDER')
            if path.suffix == '.jsonl':
                content = b'\n'.join(_journal(content))
            elif path.suffix == '.json':
                content = _timeless(content)
            found[name] = content
    return found


def _film(path: Path) -> dict[str, Any]:
    """Return the content of a film."""
    from mmdsr.dev.films import contents_of

    found = asdict(contents_of(path))
    # Holds the record of how and when it was made, which is beside it, too.
    return {**found, 'tags': sorted(found['tags'])}


def _picture(path: Path) -> dict[str, Any]:
    """Return the pixels and the texts of a picture."""
    with Image.open(path) as image:
        pixels, texts = np.array(image), image.info
    notes = {
        key: _timeless(text.encode()) if key == evidence.FORMAT else text
        for key, text in texts.items()
    }
    return {'pixels': pixels.tobytes(), 'shape': pixels.shape, **notes}


def _timeless(content: bytes) -> bytes:
    """Leave out of a note of a film when it was made, and how fast."""
    note = json.loads(content)
    if isinstance(note, dict) and note.get('format') in _NOTES:
        for key in ('created', 'seconds', 'checksum'):
            note.pop(key, None)
        # Their stamps.
        if 'files' in note:
            note['files'] = sorted(note['files'])
        # The time is in the tags of the file.
        note.get('output', {}).pop('file_sha256', None)
        content = json.dumps(note).encode()
    return content


def _journal(content: bytes) -> list[bytes]:
    """Return the lines that count: half ones are passed over by readers."""
    lines = set()
    for line in content.splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line, object_hook=_without_time)
            lines.add(json.dumps(record, sort_keys=True).encode())
    return sorted(lines)


def _without_time(record: dict[str, Any]) -> dict[str, Any]:
    # A result has no path here; it holds the time at which it was made.
    left_out = {'mtime_ns', *(['sha256'] if record.get('path') == '' else [])}
    return {k: v for k, v in record.items() if k not in left_out}


def differences(
    expected: dict[str, Any], found: dict[str, Any]
) -> list[tuple[str, str]]:
    """Compare two results of :func:`contents`.

    Args:
        expected: Expected content.
        found: Content found.

    Returns:
        Name and fault of each file that differs.
    """
    wrong = [(name, 'is missing') for name in expected.keys() - found.keys()]
    wrong += [(name, 'is left') for name in found.keys() - expected.keys()]
    wrong += [
        (name, 'differs')
        for name in expected.keys() & found.keys()
        if not _equal(expected[name], found[name])
    ]
    return sorted(wrong)


def _equal(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _equal(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return one == other


def small_files(folder: Path) -> None:
    """Create the inputs of the tools.

    Args:
        folder: Target folder; images go to ``images``, a recording to
            ``drive.mp4``.
    """
    surface = texture()
    images = Path(folder, 'images')
    images.mkdir(parents=True)
    for number in range(6):
        place = 20 * number
        part = surface[place : place + 48, place : place + 64]
        write_png(images / f'{number}.png', part)
    views = drive(surface, 12, 1.06, size=(192, 160))
    write_recording(Path(folder, 'drive.mp4'), views, rate=5)
