"""Augmentation that depends only on the seed of a draw."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class SeededIndex(int):
    """An index that carries the seed of its augmentation.

    Args:
        value: Index of the sample.
        seed: Seed in [0, 2**32). Defaults to None.
    """

    seed: int | None

    def __new__(cls, value: int, seed: int | None = None) -> 'SeededIndex':
        """Create an index with a seed."""
        index = super().__new__(cls, value)
        index.seed = seed
        return index


@contextmanager
def seeded_random(index: int | SeededIndex) -> Iterator[None]:
    """Draw from the seed of an index, then restore the generators.

    Covers ``random``, NumPy's global generator and torch's CPU generator. A
    plain int changes nothing.

    Args:
        index: Index that was passed to a data set.

    Yields: None, for the ``with`` statement.
    """
    seed = getattr(index, 'seed', None)
    if seed is None:
        yield
        return
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
