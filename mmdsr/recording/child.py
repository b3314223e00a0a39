"""The process that answers :func:`mmdsr.recording.ask.ask`."""

import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import av.error

from mmdsr.errors import VideoError
from mmdsr.recording.join import check_sound, join
from mmdsr.recording.scan import scan, section
from mmdsr.video.opening import short


def main() -> None:
    """Answer one request."""
    pipe = os.dup(1)
    # The output of libraries goes to the errors.
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.read())
    threading.Thread(
        target=_end_with, args=[os.getppid()], daemon=True
    ).start()
    answer: dict[str, Any]
    try:
        answer = {'result': _answer(**request)}
    except VideoError as error:
        answer = {'refused': str(error)}
    except OSError as error:
        known = error.errno, error.strerror, error.filename
        answer = {'failed': known if error.errno else [str(error)]}
    except Exception:  # a fault of ours, to be seen where it was asked
        answer = {'fault': traceback.format_exc()}
    with os.fdopen(pipe, 'wb') as file:
        file.write(json.dumps(answer).encode())
    # Exit without the cleanup of C libraries: a crash there has no meaning.
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _answer(task: str, request: dict[str, Any]) -> dict:
    if task == 'facts':
        return scan(Path(request['path'])).as_dict()
    if task == 'section':
        return section(**request)
    if task == 'sound':
        return check_sound(**request)
    try:
        return join(**request)
    except OSError:
        raise
    except av.error.FFmpegError as error:
        raise VideoError(
            f'its segments cannot be joined: {short(error)}'
        ) from error
