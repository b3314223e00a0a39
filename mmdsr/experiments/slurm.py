"""Runs as jobs of Slurm, submitted by submitit.

The folders of the runs must be on a file system that the nodes share. A job
that is preempted, or reaches its time limit, is queued again and continues
from its checkpoint. If the experiment itself is killed, its jobs keep running,
and the next start of the experiment waits for them instead of submitting
others.
"""

import os
from pathlib import Path

import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError
from submitit.helpers import Checkpointable

from mmdsr.errors import UsageError
from mmdsr.experiments.processes import start

#: States of a job that may still write into its folder.
_ALIVE = ('PENDING', 'CONFIGURING', 'RUNNING', 'REQUEUED', 'SUSPENDED')


class Work(Checkpointable):
    """Function of a job, which can be queued again unchanged."""

    def __call__(self, folder: Path) -> int:
        """Execute the run of a folder; return the exit code."""
        cores = int(os.environ.get('SLURM_CPUS_ON_NODE', 1))
        return start(folder, cores).wait()


class SlurmProcess:
    """A job in place of a process.

    Args:
        job: The job.
        folder: Folder of the run.
    """

    def __init__(self, job: submitit.Job[int], folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while it waits or runs."""
        if self.code is None and self.job.done():
            try:
                self.code = self.job.result()
            except (FailedJobError, UncompletedJobError) as error:
                # A job that was ended from outside has not written to its log.
                lines = str(error).strip().splitlines() or ['no result']
                with (self.folder / 'log.txt').open('a') as log:
                    log.write(f'\nJob {self.job.job_id}: {lines[0]}\n')
                self.code = 1
        return self.code

    def terminate(self) -> None:
        """Cancel the job."""
        self.job.cancel()

    def kill(self) -> None:
        """Cancel the job; Slurm kills it if it does not end."""
        self.job.cancel()

    def wait(self, timeout: float | None = None) -> int:
        """Return 1, as there is no need to wait for a canceled job."""
        return 1


class Submitter:
    """Submit runs as jobs.

    Args:
        parameters: Parameters of submitit's ``SlurmExecutor``, each
            ``KEY=VALUE``.

    Raises:
        UsageError: If one is unknown.
    """

    def __init__(self, parameters: tuple[str, ...]) -> None:
        self.parameters: dict[str, str | int] = {}
        for text in parameters:
            key, _, value = text.partition('=')
            self.parameters[key] = int(value) if value.isdecimal() else value

    def start(self, folder: Path) -> SlurmProcess:
        """Submit a run unless a job of an earlier start is still running it.

        Args:
            folder: Folder of the run.

        Raises:
            UsageError: If this is not a Slurm cluster, or it refuses the job.
        """
        place = folder.resolve() / 'slurm'
        for note in sorted(place.glob('*_submitted.pkl')):
            job: submitit.Job[int] = submitit.SlurmJob(
                place, note.name.partition('_')[0]
            )
            if job.watcher.get_state(job.job_id, mode='force') in _ALIVE:
                return SlurmProcess(job, folder)
        try:
            executor = submitit.SlurmExecutor(place)
            executor.update_parameters(job_name='mmdsr', **self.parameters)
            job = executor.submit(Work(), folder.resolve())
        except (RuntimeError, ValueError, TypeError) as error:
            text = ' '.join(str(error).split())
            raise UsageError(f'--slurm: {text}') from error
        return SlurmProcess(job, folder)
