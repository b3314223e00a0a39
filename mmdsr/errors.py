"""What mmdsr raises: the message says what is wrong and how to mend it."""

import pickle


class UsageError(Exception):
    """Wrong input of a command; the message says how to mend it."""


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
    """A part of mmdsr is used whose packages are not installed."""


class DivergedError(RuntimeError):
    """A loss or a weight is no finite number any more."""


class ResultError(ValueError):
    """What a network gives for an image is no image."""


class StageError(ValueError):
    """Super-resolution cannot be put in front of this model or data."""


class FrameError(StageError):
    """The annotations belong neither to the LR nor to the HR image."""
