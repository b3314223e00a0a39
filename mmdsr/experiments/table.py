"""A quantity over seeds, and how tables write it."""

import statistics
from dataclasses import dataclass


@dataclass
class Value:
    """A quantity over seeds.

    Args:
        mean (float): Mean.
        spread (float, optional): Sample standard deviation; ``None`` of one
            value.
        count (int): How many values.
    """

    mean: float
    spread: float | None
    count: int


def summarise(values):
    """Return mean and spread.

    Args:
        values (Iterable[float]): At least one.

    Returns:
        Value: Of them.
    """
    values = list(values)
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Value(statistics.fmean(values), spread, len(values))


def text_of(value, digits=2, sign=''):
    """Write a value with its spread.

    Args:
        value (Value, optional): The value.
        digits (int): Digits after the point. Defaults to 2, as in the
            paper.
        sign (str): ``'+'`` to write the sign of positive ones, too.

    Returns:
        str: The text; ``'-'`` for None.
    """
    if value is None:
        return '-'
    # No "-0.00".
    text = f'{round(value.mean, digits) + 0.0:{sign}.{digits}f}'
    if value.spread is None:
        return text
    return f'{text} ± {value.spread:.{digits}f}'


def cells_of(value):
    """Return what a CSV table says of a value.

    Args:
        value (Value, optional): The value.

    Returns:
        list: Mean and spread, empty where they are unknown.
    """
    return [value.mean, value.spread] if value else ['', '']
