"""Several data sets as one, each with a fixed share."""

import math
from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset

from mmdsr.datasets.seeding import SeededIndex
from mmdsr.registry import DATASETS


@DATASETS.register_module()
class MixedDataset(Dataset):
    """Draw from several data sets in fixed shares, regardless of their sizes.

    One pass goes through each data set at least once; the smaller ones are
    repeated as often as their share needs.

    Args:
        datasets: Configs of the data sets.
        shares: Share of each in a pass, above 0; their sum is 1.
        pipeline: Transforms for data sets without their own pipeline.

    Raises:
        ValueError: If the shares do not fit.
    """

    def __init__(
        self,
        datasets: Sequence[dict[str, Any]],
        shares: Sequence[float],
        pipeline: list | None = None,
    ) -> None:
        if len(datasets) != len(shares) or not datasets:
            raise ValueError(
                f'shares must have one value per data set, not {len(shares)} '
                f'for {len(datasets)}.'
            )
        if min(shares) <= 0 or not math.isclose(sum(shares), 1):
            raise ValueError(
                f'shares must be > 0 and sum to 1, not {list(shares)}.'
            )
        default = {} if pipeline is None else {'pipeline': pipeline}
        self.datasets = [
            DATASETS.build({**default, **config}) for config in datasets
        ]
        size = max(
            math.ceil(len(dataset) / share)
            for dataset, share in zip(self.datasets, shares, strict=True)
        )
        # Not round(): it rounds halves to even, which can be down.
        ends = [
            math.floor(size * sum(shares[: i + 1]) + 0.5)
            for i in range(len(shares))
        ]
        self._starts = [0, *ends[:-1]]
        self._size = ends[-1]

    @property
    def metainfo(self) -> dict[str, Any]:
        """Metainfo of the first data set, for the runner."""
        return self.datasets[0].metainfo

    def __len__(self) -> int:
        """Number of samples in a pass."""
        return self._size

    def __getitem__(self, index: int | SeededIndex) -> dict[str, Any]:
        """Return a sample.

        Args:
            index: Index of the sample.

        Returns:
            The output of the data set's pipeline.

        Raises:
            IndexError: If there is no such sample.
        """
        if not 0 <= index < self._size:
            raise IndexError(f'There is no sample {index} of {self._size}.')
        number = max(
            i for i, start in enumerate(self._starts) if start <= index
        )
        dataset = self.datasets[number]
        place = (int(index) - self._starts[number]) % len(dataset)
        return dataset[SeededIndex(place, getattr(index, 'seed', None))]
