"""Options for the evidence of a result."""

from dataclasses import dataclass

from mmdsr.evidence.mark import MARK
from mmdsr.settings import Settings, setting


@dataclass(frozen=True)
class EvidenceOptions(Settings):
    """Which records, marks and pictures accompany a result.

    ``mark`` can be any text. The metadata of a result always contains the
    record.
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
