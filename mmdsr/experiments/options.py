"""Options that the command lines of experiments share."""

from dataclasses import dataclass

from mmdsr.settings import Settings, setting


@dataclass(frozen=True)
class RunOptions(Settings):
    """How a set of runs is executed; repeated seeds count once."""

    seeds: tuple[int, ...] = setting(
        (0, 1, 2),
        'seeds of every row (default: %(default)s)',
        metavar='SEED',
    )
    jobs: int = setting(
        1,
        'runs at a time; on one machine they share the cores (default: 1)',
        least=1,
    )
    slurm: tuple[str, ...] = setting(
        (),
        'make every run a job of Slurm with these parameters of submitit, '
        'such as partition=gpu time=600 gpus_per_node=1 (minutes)',
        metavar='KEY=VALUE',
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for text in self.slurm:
            if not text.partition('=')[0] or '=' not in text:
                raise ValueError(f'slurm: {text!r} is not KEY=VALUE.')
        object.__setattr__(self, 'seeds', tuple(dict.fromkeys(self.seeds)))


@dataclass(frozen=True)
class StudyOptions(RunOptions):
    """How networks are compared, and on what."""

    test_roots: tuple[str, ...] | None = setting(
        None,
        'data to test on, e.g. real frames in addition to the training data '
        '(default: the data root)',
        metavar='DATA_ROOT',
    )
    max_samples: int | None = setting(
        None, 'test images per data set (default: all)', least=1
    )
