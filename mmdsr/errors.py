"""Exceptions of mmdsr: each message says what is wrong and how to fix it."""

import pickle


class UsageError(Exception):
    """A command got wrong input; the message says how to fix it."""


class OtherSettingsError(UsageError, FileExistsError):
    """A folder contains files that were made with other settings."""


class CheckpointError(ValueError):
    """A file cannot be read as a checkpoint, or does not fit."""


class UnknownNetworkError(CheckpointError):
    """A file of weights does not say which network they belong to."""


class RefusedTypeError(pickle.UnpicklingError):
    """A file asks for something that no checkpoint needs."""


class VideoError(ValueError):
    """A file that cannot be read as a video at all."""


class MissingDepthError(ValueError):
    """A sample has no complete depth maps."""


class MissingExtraError(ImportError):
    """The packages for a part of mmdsr are not installed."""


class DivergedError(RuntimeError):
    """A loss or a weight is no longer finite."""


class ResultError(ValueError):
    """The output of a network for an image is not an image."""


class StageError(ValueError):
    """Super-resolution cannot precede this model or this data."""


class FrameError(StageError):
    """The annotations match neither the LR nor the HR image."""


class EvidenceError(ValueError):
    """A file is not a record of how a result was made."""


class EditedRecordError(EvidenceError):
    """A record was changed after it was written."""


class RefusedRequestError(UsageError):
    """A request that the page does not carry out.

    Args:
        text: Description of the error and how to fix it, for the visitor.
        status: Status of the HTTP response.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class CanceledJobError(Exception):
    """A job was canceled by its owner."""


def said_by(error: BaseException) -> str:
    """Return the text of an error; of a system error without its number.

    Args:
        error: Any error.
    """
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f'{error.strerror}: {error.filename}'
    return str(error)
