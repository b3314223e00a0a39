"""Turn an error deep inside a training into one line for its user."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config

from mmdsr.errors import CheckpointError, DivergedError, StageError, UsageError

#: File with the traceback of an error.
TRACEBACK = 'error.txt'
#: Prefix that torch adds to an error in a process that loads data.
_WORKER = re.compile(r'^Caught \w+ in DataLoader worker process \d+\.')
_RAISED = re.compile(r'^[\w.]+: ', re.MULTILINE)
#: Prefix that mmengine adds to an error of a class that it builds.
_BUILT = re.compile(r'^class `\w+` in \S+\.py: ')
#: What Python says about an argument that a class does not have.
_UNEXPECTED = re.compile(
    r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'$"
)
#: What Python says about an argument that is not given.
_MISSING = re.compile(
    r'(\w+)\.__init__\(\) missing \d+ required [\w-]+ arguments?: (.+)$'
)
#: What mmengine says about a class that it does not know.
_UNKNOWN = re.compile(r"'?(\S+) is not in the \S+ registry")
_KILLED = re.compile(r'DataLoader worker \(pid\(?s?\)? ?[\d, ]+\)')


def one_line(error: Exception) -> str:
    """Return the message of an error in one line.

    Args:
        error: An error, possibly re-raised by mmengine, or by torch, which
            adds the traceback of a worker to the message.

    Returns:
        The message, never empty.
    """
    text = str(error)
    if _WORKER.match(text):
        # The last line that starts with the name of an error.
        text = text[[*_RAISED.finditer(text)][-1].end() :]
    while found := _BUILT.match(text):
        text = text[found.end() :]
    return ' '.join(text.split()) or type(error).__name__


@contextmanager
def usage_errors(cfg: Config) -> Iterator[None]:
    """Turn errors that users can fix into messages without a traceback.

    Args:
        cfg: The config. Its ``work_dir`` is the folder for the traceback,
            ``error.txt``, if the message may not be sufficient.

    Raises:
        UsageError: Instead of errors of data, weights, files and memory, of
            arguments in the config that a class does not have or lacks, and
            of classes that do not exist.
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
            'The device is out of memory: reduce batch_size or the size of '
            'the images.'
        ) from error
    except (ValueError, OSError) as error:
        where = _note(cfg.work_dir)
        raise UsageError(f'{one_line(error)}{where}') from error
    except TypeError as error:
        content = cfg.to_dict()
        if found := _UNEXPECTED.search(str(error)):
            said = f'sets {found[2]!r}, which {found[1]} does not have'
            known = _has_key(content, found[2])
        elif found := _MISSING.search(str(error)):
            said = f'does not set {found[2]}, which {found[1]} needs'
            known = _has_type(content, found[1])
        if not found or not known:
            raise
        raise UsageError(f'The config {said}{_note(cfg.work_dir)}') from error
    except KeyError as error:
        found = _UNKNOWN.search(str(error))
        if not found or not _has_type(cfg.to_dict(), found[1]):
            raise
        raise UsageError(
            f'The config names the type {found[1]!r}, which does not exist: '
            f'check its spelling and custom_imports{_note(cfg.work_dir)}'
        ) from error
    except RuntimeError as error:
        if not _KILLED.search(str(error)):
            raise
        raise UsageError(
            'A data loading process was killed, perhaps for lack of memory: '
            f'reduce num_workers or batch_size{_note(cfg.work_dir)}'
        ) from error


def _dicts(part: object) -> Iterator[dict]:
    """Yield a config and all that is nested in it."""
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for inner in part:
            yield from _dicts(inner)


def _has_key(content: dict, key: str) -> bool:
    return any(key in part for part in _dicts(content))


def _has_type(content: dict, name: str) -> bool:
    """Return whether a config has a type, with or without its scope."""
    kinds = {str(part.get('type')) for part in _dicts(content)}
    return name in kinds | {kind.rpartition('.')[2] for kind in kinds}


def _note(work_dir: Path | str) -> str:
    """Write the traceback; return a note with its path."""
    path = Path(work_dir, TRACEBACK)
    try:
        path.write_text(traceback.format_exc(), encoding='utf-8')
    except OSError:
        return ''
    return f' (details: {path})'
