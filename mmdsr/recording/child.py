"""What touches the source file itself is done in a process of its own.

FFmpeg is C code that a damaged file can crash; see
:mod:`mmdsr.video.reader`, which does the same for decoding. The request is a
line of JSON, the answer another one.
"""

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from mmdsr.errors import VideoError
from mmdsr.extras import require


def ask(task: str, **request: object) -> dict:
    """Have a task done.

    Args:
        task: ``'facts'`` (:mod:`mmdsr.recording.scan`), ``'sound'`` or
            ``'join'`` (:mod:`mmdsr.recording.join`).
        **request: Arguments of the task.

    Returns:
        What it gives.

    Raises:
        VideoError: If the file cannot be used.
        MissingExtraError: Without PyAV.
    """
    require('video', 'av')
    code = (
        f'import sys; sys.path[:] = {[*map(str, sys.path)]!r}; '
        'from mmdsr.recording.child import main; main()'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        input=json.dumps({'task': task, **request}).encode(),
        capture_output=True,
        check=False,
        # Ctrl-C is for the parent, which ends this one.
        start_new_session=True,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.decode(errors='replace').strip().split('\n')[-1]
        raise VideoError(
            f'FFmpeg stopped with {done.returncode} ({said or "no word"})'
        ) from error
    if 'refused' in answer:
        raise VideoError(answer['refused'])
    if 'fault' in answer:
        raise RuntimeError(answer['fault'])
    return answer['result']


def main() -> None:
    """Answer one request."""
    pipe = os.dup(1)
    # What others print goes to the errors.
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.read())
    threading.Thread(
        target=_end_with, args=[os.getppid()], daemon=True
    ).start()
    answer: dict[str, object]
    try:
        answer = {'result': _answer(**request)}
    except (VideoError, OSError) as error:
        answer = {'refused': str(error)}
    except Exception:  # a fault of ours, to be seen where it was asked
        answer = {'fault': traceback.format_exc()}
    with os.fdopen(pipe, 'wb') as file:
        file.write(json.dumps(answer).encode())
    # Without the cleaning up of C libraries, whose crash would mean nothing.
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _answer(task: str, **request: Any) -> dict:
    if task == 'facts':
        from mmdsr.recording.scan import scan

        return scan(Path(request['path'])).as_dict()
    from mmdsr.recording.join import check_sound, join

    return (join if task == 'join' else check_sound)(**request)
