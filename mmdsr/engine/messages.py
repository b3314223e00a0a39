"""From an error deep inside a training to one line for its user."""

import re
import traceback
from contextlib import contextmanager
from pathlib import Path

import torch

from mmdsr.errors import CheckpointError, DivergedError, StageError, UsageError

#: Where the whole story of an error is.
TRACEBACK = 'error.txt'
#: What torch writes before an error of a process that loads data.
_WORKER = re.compile(r'^Caught \w+ in DataLoader worker process \d+\.')
_RAISED = re.compile(r'^[\w.]+: ', re.MULTILINE)
#: What mmengine writes before an error of a class that it builds.
_BUILT = re.compile(r'^class `\w+` in \S+\.py: ')
_KILLED = re.compile(r'DataLoader worker \(pid\(?s?\)? ?[\d, ]+\)')


def one_line(error):
    """Return what an error says, in one line.

    Args:
        error (Exception): Perhaps raised again by torch, which puts the text
            of a worker's whole traceback into it, or by mmengine.

    Returns:
        str: Never empty.
    """
    text = str(error)
    if _WORKER.match(text):
        # The last line that starts with the name of an error.
        text = text[[*_RAISED.finditer(text)][-1].end() :]
    while found := _BUILT.match(text):
        text = text[found.end() :]
    return ' '.join(text.split()) or type(error).__name__


@contextmanager
def usage_errors(work_dir):
    """Turn what a user can mend into a message without a traceback.

    Args:
        work_dir (str or Path): Gets the traceback of an error whose message
            may not say enough, as ``error.txt``.

    Raises:
        UsageError: In place of errors of data, weights, files and memory.
    """
    try:
        yield
    except (
        CheckpointError,
        DivergedError,
        FileNotFoundError,
        StageError,
    ) as error:
        raise UsageError(one_line(error)) from error
    except torch.cuda.OutOfMemoryError as error:
        raise UsageError(
            'The memory of the device is not enough: lower batch_size or '
            'the size of the images.'
        ) from error
    except (ValueError, OSError) as error:
        where = _note(work_dir)
        raise UsageError(f'{one_line(error)}{where}') from error
    except RuntimeError as error:
        if not _KILLED.search(str(error)):
            raise
        raise UsageError(
            'A process that loads data was ended, perhaps for lack of '
            f'memory: lower num_workers or batch_size{_note(work_dir)}'
        ) from error


def _note(work_dir):
    """Write the traceback; say where."""
    path = Path(work_dir, TRACEBACK)
    try:
        path.write_text(traceback.format_exc(), encoding='utf-8')
    except OSError:
        return ''
    return f' (details: {path})'
