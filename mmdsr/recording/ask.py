"""Everything that reads the source file runs in a separate process.

FFmpeg is C code that a damaged file can crash; see
:mod:`mmdsr.video.reader`, which does the same for decoding. The request is a
line of JSON, the answer another one.
"""

import json
import subprocess
import sys
from typing import Any

from mmdsr.errors import VideoError
from mmdsr.extras import require


def ask(task: str, request: dict[str, Any]) -> dict:
    """Have a task done.

    Args:
        task: ``'facts'`` or ``'section'`` (:mod:`mmdsr.recording.scan`),
            ``'sound'`` or ``'join'`` (:mod:`mmdsr.recording.join`).
        request: Arguments of the task, by name.

    Returns:
        The result of the task.

    Raises:
        VideoError: If the file cannot be used.
        OSError: If a file cannot be read or written.
        MissingExtraError: Without PyAV.
    """
    require('video', 'av')
    code = (
        f'import sys; sys.path[:] = {[*map(str, sys.path)]!r}; '
        'from mmdsr.recording.child import main; main()'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        input=json.dumps({'task': task, 'request': request}).encode(),
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
            f'FFmpeg stopped with {done.returncode} ({said or "no message"})'
        ) from error
    if 'refused' in answer:
        raise VideoError(answer['refused'])
    if 'failed' in answer:
        raise OSError(*answer['failed'])
    if 'fault' in answer:
        raise RuntimeError(answer['fault'])
    return answer['result']
