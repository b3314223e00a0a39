"""Outcome of a conversion: what was written, left out and converted."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mmdsr.io.frames import shown


@dataclass
class Summary:
    """Outcome for the frames.

    Attributes:
        out: The data set.
        frames: Frames found.
        samples: Samples written per split.
        dropped: Frames that did not become samples, by reason.
        notes: Converted frames, by conversion.
        without_depth: Frames without a depth map, if one was requested.
    """

    out: Path
    frames: int = 0
    samples: Counter = field(default_factory=Counter)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    without_depth: int = 0

    def drop(self, reason: str, path: Path, detail: str = '') -> None:
        """Record a frame that does not become a sample.

        Args:
            reason: Why it is dropped.
            path: The file.
            detail: Details about this file.
        """
        self.dropped.setdefault(reason, []).append(shown(path) + detail)

    def note(self, conversion: str, path: Path) -> None:
        """Record a converted file.

        Args:
            conversion: Description of the conversion.
            path: The file.
        """
        self.notes.setdefault(conversion, []).append(shown(path))

    def warnings(self, limit: int = 5) -> list[str]:
        """Describe what was dropped or converted, and why.

        Args:
            limit: Maximum number of files to list for each reason.

        Returns:
            One line for each reason.
        """
        return [
            f'{title} {len(names)}: {reason}: {", ".join(names[:limit])}'
            + (', ...' if len(names) > limit else '')
            for title, groups in (
                ('Dropped', self.dropped),
                ('Converted', self.notes),
            )
            for reason, names in groups.items()
        ]
