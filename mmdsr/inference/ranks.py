"""Rank of a process among those that share the work."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import torch

#: Rank, number of processes and rank on the machine, per launcher.
_LAUNCHERS = {
    'torchrun': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'Slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
}


class Place(NamedTuple):
    """Place of a process among those that share the work.

    Args:
        rank: Rank of the process, from 0.
        world_size: Number of processes.
        local_rank: Rank on its machine, from 0.
        launcher: Launcher of the processes; '' for a single process.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    launcher: str = ''

    @property
    def device(self) -> str:
        """The GPU of this process if there is one, otherwise the CPU."""
        count = torch.cuda.device_count()
        return f'cuda:{self.local_rank % count}' if count else 'cpu'


def find_place(environment: Mapping[str, str] = os.environ) -> Place:
    """Read the place of this process from its environment.

    Args:
        environment: The environment variables.

    Returns:
        The place of this process.

    Raises:
        ValueError: If the variables of a launcher are invalid.
    """
    for launcher, names in _LAUNCHERS.items():
        rank, size = names[:2]
        if rank not in environment or size not in environment:
            continue
        # A batch script has those of the job, but belongs to no step.
        if (
            launcher == 'Slurm'
            and 'SLURM_STEP_ID' not in environment
            and ('SLURM_JOB_ID' in environment)
        ):
            continue
        try:
            number, count, local = (
                int(environment.get(name, 0)) for name in names
            )
        except ValueError:
            number, count, local = -1, 0, 0
        if not 0 <= number < count:
            raise ValueError(
                f'{rank}={environment[rank]} and {size}={environment[size]} '
                f'of {launcher} are not valid: unset them to run a single '
                'process.'
            )
        return Place(number, count, local, launcher)
    return Place()
