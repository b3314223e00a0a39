"""What evidence is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EvidenceOptions:
    """What is written of how a result was made.

    Attributes:
        sidecar: Whether to write a side-car; the record is in the metadata
            of the result in any case.
        confidence: Whether to write a confidence picture.
        mark: Text to write on the result; ``None`` for nothing.
    """

    sidecar: bool = True
    confidence: bool = False
    mark: str | None = None
