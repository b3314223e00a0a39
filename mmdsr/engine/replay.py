"""Training data that is the same after a stop as without one.

mmengine restores weights, optimiser and schedules on resume, but not the
state of the random generators that shuffle and augment. Here both depend on
nothing but the seed and the position in training: the sampler derives order
and a seed per draw from them and the data set augments with that seed, in
whatever worker process. Nothing has to be stored in the checkpoint.
"""

from itertools import chain, count, repeat

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from torch.utils.data import Sampler

from mmdsr.datasets.seeding import SeededIndex
from mmdsr.registry import DATA_SAMPLERS, HOOKS


def draw_seed(seed, position):
    """Seed of the draw at a position of training.

    Args:
        seed (int): Seed of the run, >= 0.
        position (int): Number of samples drawn before, over all ranks.

    Returns:
        int: In [0, 2**32); neighbouring positions have unrelated seeds.
    """
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])


@DATA_SAMPLERS.register_module()
class ReplaySampler(Sampler):
    """Sampler whose order and augmentation can be replayed from any point.

    Every sample is drawn once per pass over the data set, each pass in
    another order. The data set must augment under
    :func:`mmdsr.datasets.seeding.seeded_random`, as
    :class:`mmdsr.RefSRDataset` does. All ranks draw from one sequence in
    turn.

    Args:
        dataset (Sized): The data set.
        shuffle (bool): Whether to shuffle. Defaults to True.
        seed (int, optional): Seed; the same on all ranks. Defaults to None,
            a random one.
        infinite (bool): ``True`` for ``IterBasedTrainLoop``; ``False`` ends
            after one pass for ``EpochBasedTrainLoop``. Defaults to True.
    """

    def __init__(self, dataset, shuffle=True, seed=None, infinite=True):
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        if self.size == 0:
            raise ValueError('The training data set is empty.')
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.infinite = infinite
        self.epoch = 0
        self.start = 0

    def _order(self, epoch):
        """Order of the samples in a pass."""
        if not self.shuffle:
            return list(range(self.size))
        generator = torch.Generator().manual_seed(draw_seed(self.seed, epoch))
        return torch.randperm(self.size, generator=generator).tolist()

    def __iter__(self):
        """Yield the draws of this rank as :class:`SeededIndex`."""
        if self.infinite:
            draws = count(self.start)
        else:
            draws = range(len(self))
        epoch, order = None, None
        for draw in draws:
            position = draw * self.world_size + self.rank
            if self.infinite:
                new_epoch, place = divmod(position, self.size)
            else:
                # The last draws start over if the ranks do not divide it.
                new_epoch, place = self.epoch, position % self.size
                position += self.epoch * self.world_size * len(self)
            if new_epoch != epoch:
                epoch, order = new_epoch, self._order(new_epoch)
            yield SeededIndex(order[place], draw_seed(self.seed, position))

    def __len__(self):
        """Draws of this rank per pass."""
        return -(-self.size // self.world_size)

    def set_epoch(self, epoch):
        """Select the pass; mmengine's sampler seed hook calls it.

        Args:
            epoch (int): Number of the epoch, from 0.
        """
        self.epoch = epoch


@HOOKS.register_module()
class SkipSeenDataHook(Hook):
    """Lets a resumed iteration-based run start at its place in the data.

    mmengine loads and throws away every batch that was already trained on,
    which takes as long as loading does. With a :class:`ReplaySampler` the
    place is known, so they are skipped.
    """

    # Before any hook that looks at the data.
    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner):
        """Move the sampler; runs once in an iteration-based loop."""
        loop = runner.train_loop
        if not isinstance(loop, IterBasedTrainLoop) or loop.iter == 0:
            return
        sampler = loop.dataloader.sampler
        if not isinstance(sampler, ReplaySampler):
            return
        sampler.start = loop.iter * loop.dataloader.batch_size
        # The loop still asks for the skipped batches before the first one.
        loop.dataloader_iterator = chain(
            repeat(None, loop.iter), loop.dataloader
        )
