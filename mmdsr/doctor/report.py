"""Run the checks and print what they found."""

from collections.abc import Callable, Sequence
from typing import Any

from mmdsr.doctor.checks import (
    ERROR,
    OK,
    WARN,
    Finding,
    check_forks,
    check_package,
    check_pkg_resources,
    check_python,
)
from mmdsr.doctor.lane import HOSTS, Lane, read_lane
from mmdsr.doctor.probes import examine_imports, run_probe


def examine(
    parts: Sequence[str],
    lane: Lane | None = None,
    probe: Callable[..., Any] = run_probe,
) -> list[Finding]:
    """Check everything that the parts need.

    A probe runs only if the versions that it depends on are right, so that
    each fault is reported once.

    Args:
        parts: Keys of ``HOSTS``; the core is always meant.
        lane: The lane. Defaults to this package's own.
        probe: Runs code, returns the error or ``''``.

    Returns:
        Python and forks, then versions in the order of the constraints file,
        then what was tried.
    """
    lane = lane or read_lane()
    parts = list(dict.fromkeys(['core', *parts]))
    wanted = {name for part in parts for name in lane.needs[part]}
    # Needed to build mmcv, and by mmengine for configs.
    hosted = any(HOSTS[part] for part in parts)
    if hosted:
        wanted.add('setuptools')
    names = [name for name in lane.specs if name in wanted]
    names += sorted(wanted.difference(names))
    findings = [check_python(hosted=hosted), *check_forks(lane, wanted)]
    findings += [check_package(name, lane, hosted) for name in names]
    if hosted:
        findings.append(check_pkg_resources(lane))
    return findings + examine_imports(parts, findings, lane, probe)


def print_plain(findings: Sequence[Finding]) -> None:
    """Print the table with the standard library alone."""
    widths = [max(len(item[i]) for item in findings) for i in (0, 2, 3)]
    for item in findings:
        texts = (item.name, item.found, item.wanted)
        cells = [t.ljust(w) for t, w in zip(texts, widths, strict=True)]
        print(f'{item.status.upper():5}  {"  ".join(cells)}'.rstrip())


def print_table(findings: Sequence[Finding]) -> None:
    """Print the table, with rich where it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print_plain(findings)
        return
    colors = {OK: 'green', WARN: 'yellow', ERROR: 'red'}
    table = Table('package', 'found', 'lane', 'status')
    for item in findings:
        status = f'[{colors[item.status]}]{item.status}[/]'
        table.add_row(item.name, item.found, item.wanted, status)
    Console().print(table)


def report(findings: list[Finding]) -> int:
    """Print table, faults and verdict.

    Args:
        findings: What the checks gave.

    Returns:
        1 if something will not work, otherwise 0.
    """
    print_table(findings)
    faults = [item for item in findings if item.status != OK]
    for item in faults:
        head = f'{item.status.upper()} {item.name}: {item.found}'
        print(f'\n{head} (lane: {item.wanted}). {item.message}')
        print(f'  {item.fix}')
    if not faults:
        print('The environment matches the lane.')
        return 0
    if all(item.status == WARN for item in faults):
        print(
            f'\nThe environment should work: {len(faults)} of {len(findings)} '
            'lines are outside the lane. The commands above are optional.'
        )
        return 0
    print(
        f'\nThe environment does not match the lane: {len(faults)} of '
        f'{len(findings)} lines need attention. Run the commands above in '
        'this order.'
    )
    return 1
