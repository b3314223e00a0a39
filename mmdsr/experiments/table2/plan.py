"""The training runs for Table 2, and their dependencies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from mmengine.config import Config

from mmdsr.engine.generator import build_generator
from mmdsr.engine.launch import check_data
from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.study import (
    AblationRow,
    Budget,
    Study,
    has_teacher,
    prepare,
    training_roots,
)
from mmdsr.experiments.runs import TrainingRun, prepare_runs
from mmdsr.io.identity import identify

#: Suffix of the name of a data set that is tested in eight orientations.
TURNED = ', eight flips and rotations'


@dataclass
class Entry:
    """A row of the table and the training that it depends on.

    Args:
        row: Row of the study.
        trained: Row whose training it uses: itself, or the row of the same
            network without :class:`mmdsr.SelfEnsemble`.
        teacher: Row that it is distilled from, if any.
    """

    row: AblationRow
    trained: AblationRow
    teacher: AblationRow | None = None

    @property
    def turned(self) -> bool:
        """Whether it tests another row's training in eight orientations."""
        return self.trained is not self.row


def make_plan(study: Study, budget: Budget) -> list[Entry]:
    """Determine what the rows of a study depend on.

    Args:
        study: The study.
        budget: What all rows have in common.

    Returns:
        One entry per row.

    Raises:
        UsageError: If a row cannot be built, its data are missing, or it has a
            teacher that is not a row or that learns from it.
    """
    configs = {row.label: prepare(row, budget, 0) for row in study.rows}
    entries = []
    for number, row in enumerate(study.rows):
        cfg = configs[row.label]
        _check(row, cfg)
        # The nearest row above, or else below. A GAN is none of them: the
        # paper's teacher is DSRNet+, whose network is that of DSRNet.
        nearest = {
            str(configs[other.label].model.generator): other
            for other in [*study.rows[:number:-1], *study.rows[:number]]
            if not configs[other.label].model.get('discriminator')
        }
        generator = cfg.model.generator
        inner = None
        if generator.type == 'mmdsr.SelfEnsemble':
            inner = nearest.get(str(generator.network))
        teacher = None
        if has_teacher(cfg):
            teacher = nearest.get(str(cfg.model.teacher))
            if teacher is None:
                raise UsageError(
                    f'The teacher of {row.label!r} is not a row of the study: '
                    'add its config, one without a discriminator.'
                )
        entries.append(Entry(row, inner or row, teacher))
    _refuse_circles(entries)
    return entries


def _refuse_circles(entries: Sequence[Entry]) -> None:
    """Raise an error if a row would be a teacher of its own teacher."""
    teacher_of = {
        e.row.label: e.teacher.label for e in entries if e.teacher is not None
    }
    for label in teacher_of:
        chain = [label]
        while chain[-1] in teacher_of and len(chain) <= len(entries):
            chain.append(teacher_of[chain[-1]])
            if chain[-1] == label:
                raise UsageError(
                    'These rows are taught in a circle: '
                    f'{" by ".join(map(repr, chain))}. Put a row that trains '
                    'one of their networks without a teacher directly above '
                    'the row that it teaches.'
                )


def _check(row: AblationRow, cfg: Config) -> None:
    """Check that nothing is missing before anything is trained."""
    check_data(cfg, ['train_dataloader'])
    build_generator(cfg, row.label)


def folder_of(out: Path, row: AblationRow, seed: int) -> Path:
    """Return the folder of a training.

    Args:
        out: Folder of the study.
        row: The row.
        seed: The seed.

    Returns:
        A folder below ``out``.
    """
    return out / 'runs' / row.name / f'seed{seed}'


def config_of(
    entry: Entry,
    budget: Budget,
    seed: int,
    out: Path,
    iterations: Mapping[str, int] | None = None,
) -> Config:
    """Return the config of a training.

    Args:
        entry: Entry of the row.
        budget: What all rows have in common.
        seed: The seed.
        out: Folder of the study.
        iterations: Iterations of each label, if they differ. Defaults to None,
            those of the budget.

    Returns:
        The config, ready for training. The teacher is that of the same seed.
    """
    if iterations is not None:
        budget = replace(budget, iters=iterations[entry.row.label])
    if entry.teacher is not None:
        work = folder_of(out, entry.teacher, seed) / 'work'
        budget = replace(budget, teacher=str(work.resolve()))
    return prepare(entry.row, budget, seed)


def make_runs(
    entries: Sequence[Entry],
    configs: Mapping[tuple[str, int], Config],
    seeds: Sequence[int],
    out: Path,
    roots: Mapping[str, str],
    max_samples: int | None,
) -> list[TrainingRun]:
    """Create the folders of all training runs; load finished results.

    Args:
        entries: Result of :func:`make_plan`.
        configs: Config of each label and seed.
        seeds: Seeds of every row.
        out: Folder of the study.
        roots: Data sets to test on, by name.
        max_samples: Number of test images of each; None for all.

    Returns:
        The runs, seed by seed.

    Raises:
        UsageError: If a folder contains a run of another config or budget, or
            its training data have changed.
    """
    known = cache(identify)
    turned = {e.trained.label for e in entries if e.turned}

    def make(entry: Entry, seed: int) -> tuple[TrainingRun, Config]:
        label = entry.row.label
        cfg = configs[label, seed]
        tests, tested = {}, {}
        for name, root in roots.items():
            test = dict(root=root, max_samples=max_samples)
            tests[name], tested[name] = test, known(root)
            if label in turned:
                tests[name + TURNED] = dict(test, turns=True)
                tested[name + TURNED] = known(root)
        run = TrainingRun(
            'table2',
            label,
            seed,
            f'{label}, seed {seed}',
            folder_of(out, entry.row, seed),
            tests,
            data={root: known(root) for root in training_roots(cfg)},
            tested=tested,
        )
        return run, cfg

    return prepare_runs([e for e in entries if not e.turned], seeds, make)


def results_of(
    entries: Sequence[Entry], runs: Sequence[TrainingRun], name: str
) -> dict[tuple[str, int], dict]:
    """Collect the results on a data set.

    Args:
        entries: Result of :func:`make_plan`.
        runs: All training runs.
        name: Name of the data set.

    Returns:
        Results of the evaluation by label and seed.
    """
    done = {(r.row, r.seed): r.results for r in runs if r.results}
    results = {}
    for entry in entries:
        key = name + TURNED if entry.turned else name
        for (label, seed), tests in done.items():
            if label == entry.trained.label:
                results[entry.row.label, seed] = tests[key]
    return results
