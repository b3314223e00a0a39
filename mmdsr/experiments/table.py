"""A quantity over seeds, and its format in tables."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass
class Value:
    """A quantity over seeds.

    Args:
        mean: Mean.
        spread: Sample standard deviation; ``None`` for a single value.
        count: Number of values.
    """

    mean: float
    spread: float | None
    count: int


def summarize(values: Iterable[float]) -> Value:
    """Return mean and spread.

    Args:
        values: At least one.

    Returns:
        The quantity.
    """
    values = list(values)
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Value(statistics.fmean(values), spread, len(values))


def text_of(value: Value | None, digits: int = 2, sign: str = '') -> str:
    """Write a value with its spread.

    Args:
        value: The value.
        digits: Digits after the point. Defaults to 2, as in the paper.
        sign: ``'+'`` to write the sign of positive values, too.

    Returns:
        The text; ``'-'`` for None.
    """
    if value is None:
        return '-'
    # No "-0.00".
    text = f'{round(value.mean, digits) + 0.0:{sign}.{digits}f}'
    if value.spread is None:
        return text
    return f'{text} ± {value.spread:.{digits}f}'


def cells_of(value: Value | None) -> list[Any]:
    """Return the cells of a value in a CSV table.

    Args:
        value: The value.

    Returns:
        Mean and spread; unknown ones are empty.
    """
    return [value.mean, value.spread] if value else ['', '']
