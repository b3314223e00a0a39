"""Tell the files that this command has made at OUT from those of others.

The report of a film holds the size, time and SHA-256 of each file that was
made. Only files that still match may be replaced or deleted.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.io.folder_job import differences
from mmdsr.io.frames import real_path
from mmdsr.io.listing import natural_order, some
from mmdsr.io.stamps import Stamp, is_same
from mmdsr.recording.writer import FILMS

FORMAT, VERSION = 'mmdsr-recording', 2
REPORT = '.report.json'


def report_path(target: Path) -> Path:
    """Return the report of a film: ``NAME.mp4.report.json``."""
    return target.with_name(f'{target.name}{REPORT}')


def read_report(target: Path) -> dict[str, Any]:
    """Read the report of a film.

    Args:
        target: The film, or the folder of the frames.

    Returns:
        Its content; empty if there is none, or if it was damaged: what it
        lists is then nobody's, and is not replaced.
    """
    report = read_json(report_path(target))
    return report if _is_whole(report) else {}


def _is_whole(report: Mapping[str, Any]) -> bool:
    files = report.get('files', {})
    return (
        report.get('format') == FORMAT
        and isinstance(report.get('settings'), dict)
        and all(
            isinstance(report.get(key), list)
            for key in ('frames', 'notes', 'problems')
        )
        and isinstance(files, dict)
        and all(
            name == Path(name).name
            and isinstance(stamp, dict)
            and set(stamp) == {*Stamp._fields}
            for name, stamp in files.items()
        )
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a JSON file; empty if there is none."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_film(target: Path) -> bool:
    """Return whether OUT names a film, not a folder of frames."""
    return target.suffix.lower() in FILMS


def gone(target: Path, report: Mapping[str, Any]) -> list[str]:
    """List the files that are missing.

    Args:
        target: The film, or the folder of the frames.
        report: Its report.

    Returns:
        Their names.
    """
    return natural_order(
        path.name
        for path in _made(target, report)
        if not path.exists() and not path.is_symlink()
    )


def changed(target: Path, report: Mapping[str, Any]) -> list[str]:
    """List the files that were changed since they were made.

    Args:
        target: The film, or the folder of the frames.
        report: Its report.

    Returns:
        Their names.
    """
    return natural_order(
        path.name
        for path, stamp in _made(target, report).items()
        if _is_changed(path, stamp)
    )


def check_target(
    target: Path,
    source: Path,
    settings: Mapping[str, Any],
    overwrite: bool,
    reference: Path | None = None,
) -> None:
    """Refuse to replace files that may belong to the user.

    Args:
        target: OUT.
        source: IN, which is never replaced.
        settings: Settings of the film to be made.
        overwrite: Whether a film of other settings may be replaced.
        reference: File of a reference, which is never replaced, either.
            Defaults to None.

    Raises:
        FileExistsError: If something else exists there.
    """
    if real_path(target) == real_path(source):
        raise FileExistsError(
            f'{target} is the recording to be enhanced: name another OUT.'
        )
    if target.is_dir() and os.path.ismount(target):
        raise FileExistsError(
            f'{target} is a drive, which cannot be replaced by the folder of '
            'the frames: name a folder on it.'
        )
    report = read_report(target)
    own = {real_path(path): path for path in _made(target, report)}
    for path in filter(None, (source, reference)):
        if real_path(path) in own:
            raise FileExistsError(
                f'{path} belongs to {target}, which would be replaced: name '
                'another OUT.'
            )
    if report and target.exists() and not overwrite:
        changes = differences(report['settings'], settings)
        if changes:
            raise FileExistsError(
                f'{target} was made with other settings ({changes}): name '
                'another OUT, or replace it with --overwrite.'
            )
        missing = gone(target, report)
        if missing:
            raise FileExistsError(
                f'{target} was finished, but some of its files are missing '
                f'({some(missing)}): make it again with --overwrite.'
            )
        if not changed(target, report):
            # Another process has just finished the same film.
            return
    refuse_others(target, _wanted(target, settings), source)


def refuse_others(
    target: Path,
    wanted: Collection[Path],
    source: Path | None = None,
    placed: Collection[Path] = (),
) -> None:
    """Refuse to replace or delete files that this command has not made.

    Args:
        target: The film, or the folder of the frames.
        wanted: The files to be replaced, apart from those in that folder.
        source: A file that is never replaced. Defaults to None.
        placed: Files and folders that have already been replaced.

    Raises:
        FileExistsError: If there are other files, or changed ones.
    """
    report = read_report(target)
    made = _made(target, report)
    altered = natural_order(
        path.name
        for path, stamp in made.items()
        if not {path, path.parent} & {*placed} and _is_changed(path, stamp)
    )
    if altered:
        raise FileExistsError(
            f'Files of {target} were changed after they were written '
            f'({some(altered)}): move them away, or name another OUT.'
        )
    own = {*made, *([report_path(target)] if report else [])}
    for path in wanted:
        there = path.exists() or path.is_symlink()
        mine = path in own and not path.is_symlink()
        if source is not None and real_path(path) == real_path(source):
            mine = False
        if path == target and path.is_dir() and not is_film(target):
            # What is in it counts.
            continue
        if there and not mine:
            raise FileExistsError(
                f'{path} exists and was not made by this command: name '
                'another OUT, or move it away.'
            )
    if is_film(target) or not target.is_dir() or target in placed:
        return
    others = [path.name for path in target.iterdir() if path not in made]
    if others and not report:
        raise FileExistsError(
            f'{target} exists and was not made by this command: name '
            'another OUT, or move it away.'
        )
    if others:
        raise FileExistsError(
            f'{target} also contains other files '
            f'({some(natural_order(others))}), which --overwrite would '
            'delete: move them away.'
        )


def remove_replaced(target: Path, kept: set[str]) -> None:
    """Remove the files beside a film that the new one does not have.

    Args:
        target: The film.
        kept: Names of the new one's files.
    """
    for path, stamp in _made(target, read_report(target)).items():
        beside = path.parent == target.parent and path.name not in kept
        if beside and is_same(path, stamp):
            path.unlink()


def _is_changed(path: Path, stamp: Stamp) -> bool:
    there = path.exists() or path.is_symlink()
    return there and not is_same(path, stamp)


def _made(target: Path, report: Mapping[str, Any]) -> dict[Path, Stamp]:
    """Return the files that were made, with their stamps."""
    folder = target.parent if is_film(target) else target
    return {
        folder / name: Stamp(**stamp)
        for name, stamp in report.get('files', {}).items()
    }


def _wanted(target: Path, settings: Mapping[str, Any]) -> list[Path]:
    """Return the files that are to be made, apart from frames."""
    paths = [target, report_path(target)]
    if is_film(target):
        paths += [sidecar_path(target)] if settings['sidecar'] else []
        paths += [overlay_path(target)] if settings['confidence'] else []
    return paths
