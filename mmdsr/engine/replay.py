"""Training data that does not depend on interruptions.

On resume, mmengine restores weights, optimizer and schedules, but not the
state of the random generators that shuffle and augment. Here both depend only
on the seed and the position in training: the sampler derives the order and a
seed per draw from them, and the data set augments with that seed, in any
worker process. Nothing has to be stored in the checkpoint.
"""

from collections.abc import Iterable, Iterator, Sized
from itertools import chain, count, repeat

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import Sampler

from mmdsr.datasets.seeding import SeededIndex
from mmdsr.registry import DATA_SAMPLERS, HOOKS


def draw_seed(seed: int, position: int) -> int:
    """Return the seed of the draw at a position of training.

    Args:
        seed: Seed of the run, >= 0.
        position: Number of samples drawn before by all ranks.

    Returns:
        Seed in [0, 2**32); neighboring positions have unrelated seeds.
    """
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])


@DATA_SAMPLERS.register_module()
class ReplaySampler(Sampler):
    """Sampler whose order and augmentation can be replayed from any point.

    Every sample is drawn once per pass over the data set, in a different order
    in each pass. The data set must augment under
    :func:`mmdsr.datasets.seeding.seeded_random`, as
    :class:`mmdsr.RefSRDataset` does. All ranks draw in turn from the same
    sequence.

    Args:
        dataset: The data set.
        shuffle: Whether to shuffle.
        seed: Seed, the same on all ranks. Defaults to a random one.
        infinite: ``True`` for ``IterBasedTrainLoop``; ``False`` ends after one
            pass for ``EpochBasedTrainLoop``.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        infinite: bool = True,
    ) -> None:
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        if self.size == 0:
            raise ValueError('The training data set is empty.')
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.infinite = infinite
        self.epoch = 0
        self.start = 0

    def _order(self, epoch: int) -> list[int]:
        """Return the order of the samples in a pass."""
        if not self.shuffle:
            return list(range(self.size))
        generator = torch.Generator().manual_seed(draw_seed(self.seed, epoch))
        return torch.randperm(self.size, generator=generator).tolist()

    def __iter__(self) -> Iterator[SeededIndex]:
        """Yield the draws of this rank as :class:`SeededIndex`."""
        if self.infinite:
            draws: Iterable[int] = count(self.start)
        else:
            draws = range(len(self))
        epoch: int | None = None
        order: list[int] = []
        for draw in draws:
            position = draw * self.world_size + self.rank
            if self.infinite:
                new_epoch, place = divmod(position, self.size)
            else:
                # The order wraps around if the ranks do not divide it.
                new_epoch, place = self.epoch, position % self.size
                position += self.epoch * self.world_size * len(self)
            if new_epoch != epoch:
                epoch, order = new_epoch, self._order(new_epoch)
            yield SeededIndex(order[place], draw_seed(self.seed, position))

    def __len__(self) -> int:
        """Return the number of draws of this rank per pass."""
        return -(-self.size // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Select the pass; called by mmengine's sampler seed hook.

        Args:
            epoch: Number of the epoch, from 0.
        """
        self.epoch = epoch


@HOOKS.register_module()
class SkipSeenDataHook(Hook):
    """Start a resumed run at its position in the data.

    mmengine loads and discards every batch that was already trained on in an
    iteration-based run, which takes as long as loading does. With a
    :class:`ReplaySampler` the position is known, so these batches are skipped.
    The order of the data is that of the seed in the checkpoint: mmengine
    restores it after it has built the sampler.
    """

    # Before any hook that uses the data.
    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Move the sampler; runs once in an iteration-based loop.

        Args:
            runner: The runner.
        """
        loop = runner.train_loop
        sampler = loop.dataloader.sampler
        if loop.iter == 0 or not isinstance(sampler, ReplaySampler):
            return
        if not runner._randomness_cfg.get('diff_rank_seed'):
            sampler.seed = runner.seed
        if not isinstance(loop, IterBasedTrainLoop):
            return
        sampler.start = loop.iter * loop.dataloader.batch_size
        # The loop still asks for the skipped batches before the first one.
        loop.dataloader_iterator = chain(
            repeat(None, loop.iter), loop.dataloader
        )
