"""Results that a report lists and of which nothing is left."""

from collections.abc import Iterator
from pathlib import Path

from mmdsr.evidence.sidecar import overlaid, sidecar_path
from mmdsr.evidence.verify import IMAGES, Verdict
from mmdsr.io.listing import natural_order
from mmdsr.recording.ownership import REPORT, gone, is_film, read_report


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
    reports = [root.with_name(f'{root.name}{REPORT}')]
    reports += natural_order(root.rglob(f'*{REPORT}'))
    for path in reports:
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
