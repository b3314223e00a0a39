"""Options for the evidence of a result."""

from dataclasses import dataclass

from mmdsr.evidence.mark import MARK
from mmdsr.settings import Settings, setting


@dataclass(frozen=True)
class EvidenceOptions(Settings):
    """What is written of how a result was made.

    ``mark`` may be any text. The record is in the metadata of a result in any
    case.
    """

    mark: str | None = setting(
        None, f'write "{MARK}" into a corner of each result', const=MARK
    )
    confidence: bool = setting(
        False,
        'write a picture beside each result, and beside a film another film, '
        'of where its detail was seen in the reference and where it is '
        'inferred',
    )
    sidecar: bool = setting(
        True,
        'write no NAME.json beside each result; the record in its metadata '
        'stays',
    )
