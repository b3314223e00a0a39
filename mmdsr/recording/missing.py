"""Results that a report lists and of which nothing is left."""

from collections.abc import Iterator
from pathlib import Path

from mmdsr.evidence.sidecar import overlaid, sidecar_path
from mmdsr.evidence.verify import IMAGES, Verdict
from mmdsr.io.listing import natural_order
from mmdsr.recording.ownership import (
    REPORT,
    gone,
    is_film,
    read_report,
    report_path,
)


def missing_results(root: Path) -> Iterator[Verdict]:
    """Find the films and frames that were deleted with all their files.

    Only the report of a recording knows of them: it lies beside the film or
    the folder of frames.

    Args:
        root: A folder of results.

    Yields:
        A verdict on each of them, which is incomplete.
    """
    root = root.absolute()
    for path in (report_path(root), *natural_order(root.rglob(f'*{REPORT}'))):
        yield from _missing(path, root)


def missing_result(result: Path) -> list[Verdict]:
    """Find out whether a file is a deleted film or frame.

    Args:
        result: The file, which does not exist.

    Returns:
        The verdict on it, which is incomplete; none if no report lists it.
    """
    result = result.absolute()
    folder = result.parent
    return [
        verdict
        for path in (report_path(result), report_path(folder))
        for verdict in _missing(path, folder)
        if verdict.name == result.name
    ]


def _missing(path: Path, root: Path) -> Iterator[Verdict]:
    """Yield a verdict on each result that a report lists in vain."""
    target = path.with_name(path.name.removesuffix(REPORT))
    folder = target.parent if is_film(target) else target
    for name in gone(target, read_report(target)):
        result = folder / name
        is_result = result == target or result.suffix in IMAGES
        known = overlaid(result) is not None or (
            sidecar_path(result).is_file()
        )
        if is_result and not known:
            verdict = Verdict(str(result.relative_to(root)), listed=True)
            verdict.say(
                f'it is missing with all its files; {path.name} lists it',
                'incomplete',
            )
            yield verdict
