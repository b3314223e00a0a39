"""Which of several processes this one is."""

import os
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
        rank (int): Which one it is, from 0.
        world_size (int): How many there are.
        local_rank (int): Which one on its machine.
        launcher (str): Who started them, '' for a single process.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    launcher: str = ''

    @property
    def device(self):
        """Return a GPU of its own if there is one, else the CPU."""
        count = torch.cuda.device_count()
        return f'cuda:{self.local_rank % count}' if count else 'cpu'


def find_place(environment=os.environ):
    """Read the place of this process from its environment.

    Args:
        environment (Mapping[str, str]): Environment variables.

    Returns:
        Place: The place.

    Raises:
        ValueError: If the variables of a launcher make no sense.
    """
    for launcher, names in _LAUNCHERS.items():
        rank, size = names[:2]
        if rank not in environment or size not in environment:
            continue
        # A batch script has these of the job, but is one process of no step.
        if (
            launcher == 'Slurm'
            and 'SLURM_STEP_ID' not in environment
            and ('SLURM_JOB_ID' in environment)
        ):
            continue
        try:
            values = [int(environment.get(name, 0)) for name in names]
        except ValueError:
            values = [-1, 0, 0]
        if not 0 <= values[0] < values[1]:
            raise ValueError(
                f'{rank}={environment[rank]} and {size}={environment[size]} '
                f'of {launcher} make no sense; unset them to run a single '
                'process.'
            )
        return Place(*values, launcher)
    return Place()
