"""Export the images of tasks, run the tasks, and report the results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.console import Console

from mmdsr.engine.check_data import check_data
from mmdsr.engine.options import read_options
from mmdsr.errors import UsageError
from mmdsr.experiments.downstream.report import (
    report_line,
    report_task,
    summary,
)
from mmdsr.experiments.downstream.task import (
    PROTOCOLS,
    SPLITS,
    Task,
    annotation_files,
    find_root,
    image_folders,
    prepare,
    retarget,
)
from mmdsr.experiments.downstream.versions import (
    HR,
    Version,
    export,
    list_images,
    make_versions,
    origin_of,
    version_roots,
)
from mmdsr.experiments.options import RunOptions
from mmdsr.experiments.runs import TrainingRun, prepare_runs, run_all
from mmdsr.io.checksums import digest
from mmdsr.io.folder_job import FolderJob
from mmdsr.settings import setting

_PROTOCOLS = {
    'hr': 'trained on HR images, tested on each version',
    'same': 'trained and tested on the same version',
}


@dataclass(frozen=True)
class TaskOptions(RunOptions):
    """How tasks are trained and tested."""

    protocol: str = setting(
        'hr',
        'train on HR images and test each version, or train and test on the '
        'same version (default: %(default)s)',
        choices=PROTOCOLS,
    )
    data_root: str | None = setting(
        None,
        'the data set, or the folder that contains it under its name '
        '(default: as in the configs)',
        metavar='DIR',
    )
    full: bool = setting(
        False,
        'use the paper-scale networks and schedules instead of the quick ones',
    )


def find_data(
    tasks: Sequence[Task],
    protocol: str,
    data_root: str | None = None,
    options: dict[str, Any] | None = None,
) -> tuple[
    dict[str, dict[str, Path]], dict[Path, list[str]], dict[Path, list[str]]
]:
    """Locate data sets and image folders before anything is computed.

    Args:
        tasks: The tasks.
        protocol: ``'hr'`` or ``'same'``.
        data_root: Data root given by the user, see
            :func:`mmdsr.experiments.downstream.task.find_root`.
        options: Overrides of the configs.

    Returns:
        The data sets of each task by their data root in the config; the image
        folders of each data set that must be exported; and all image folders
        of each data set.

    Raises:
        UsageError: If one is missing, or has no annotations, or two would
            share a folder.
    """
    # For a network trained on HR images, only the test images are needed in
    # other versions.
    splits = SPLITS if protocol == 'same' else ('test',)
    places: dict[str, dict[str, Path]] = {}
    folders: dict[Path, list[str]] = {}
    every: dict[Path, list[str]] = {}
    configs: list[Config] = []
    for task in tasks:
        cfg = prepare(task, 0, options)
        roots = image_folders(cfg, SPLITS)
        places[task.name] = {
            root: find_root(root, data_root) for root in roots
        }
        for found, wanted in ((every, SPLITS), (folders, splits)):
            for root, prefixes in image_folders(cfg, wanted).items():
                own = found.setdefault(places[task.name][root], [])
                own += [prefix for prefix in prefixes if prefix not in own]
        retarget(cfg, {k: str(v) for k, v in places[task.name].items()})
        configs.append(cfg)
    clash: dict[str, Path] = {}
    for place, prefixes in every.items():
        for prefix in prefixes:
            list_images(place / prefix)
        if clash.setdefault(place.name, place) != place:
            raise UsageError(
                f'{clash[place.name]} and {place} would share a folder: run '
                'their tasks with another --out.'
            )
    for cfg in configs:
        check_data(cfg, [f'{split}_dataloader' for split in SPLITS])
    return places, folders, every


def make_runs(
    task: Task,
    versions: Sequence[Version],
    places: dict[str, dict[str, str]],
    seeds: Sequence[int],
    out: Path,
    protocol: str = 'hr',
    options: dict[str, Any] | None = None,
    images: int = 40,
) -> list[TrainingRun]:
    """Create the folders of all runs of a task; load finished results.

    Args:
        task: The task.
        versions: The versions.
        places: For each data root of the config, its folder in each version,
            by the name of the version.
        seeds: The seeds.
        out: Folder of the experiment.
        protocol: ``'hr'`` or ``'same'``.
        options: Overrides of the config.
        images: Number of predictions kept per test, for the pictures.

    Returns:
        The runs, seed by seed.

    Raises:
        UsageError: If a folder contains a run of another config, or its
            training data or their annotations have changed.
    """
    originals = retarget(
        prepare(task, 0, options),
        {root: at[HR.name] for root, at in places.items()},
    )
    labels = {
        split: {
            str(path): digest(path)
            for path in annotation_files(originals, split)
        }
        for split in SPLITS
    }
    origins = {
        version.name: [
            origin_of(Path(at[HR.name]), version) for at in places.values()
        ]
        for version in versions
    }

    def make(trained: Version, seed: int) -> tuple[TrainingRun, Config]:
        roots = {root: at[trained.name] for root, at in places.items()}
        cfg = retarget(prepare(task, seed, options), roots)
        tests = {
            version.name: dict(
                roots={
                    roots[root]: at[version.name]
                    for root, at in places.items()
                },
                images=images,
            )
            for version in (versions if protocol == 'hr' else [trained])
        }
        title = f'{task.name} on {trained.label}, seed {seed}'
        folder = Path(out, 'runs', task.name, trained.name, f'seed{seed}')
        return TrainingRun(
            'downstream',
            trained.name,
            seed,
            title,
            folder,
            tests,
            data=origins[trained.name],
            annotation=labels['train'],
            tested={
                name: dict(images=origins[name], annotation=labels['test'])
                for name in tests
            },
        ), cfg

    return prepare_runs([HR] if protocol == 'hr' else versions, seeds, make)


def run_tasks(
    tasks: Sequence[Task],
    models: Sequence[str],
    out: Path,
    console: Console,
    options: TaskOptions,
    overrides: dict[str, Any] | None = None,
) -> list[TrainingRun]:
    """Create the versions, train, test, and write tables and pictures.

    Args:
        tasks: The tasks.
        models: Super-resolution models, see
            :func:`mmdsr.experiments.downstream.versions.parse_sr`.
        out: Folder of the experiment. Finished runs in it are kept.
        console: Console for progress and tables.
        options: How the tasks are run; a folder holds runs of one scale.
        overrides: Overrides of all configs.

    Returns:
        All runs; those that failed have an ``error``.

    Raises:
        UsageError: If something is missing or does not fit.
    """
    versions = make_versions(models)
    protocol = options.protocol
    places, folders, images = find_data(
        tasks, protocol, options.data_root, overrides
    )
    FolderJob(
        out,
        dict(
            protocol=protocol,
            scale='full' if options.full else 'quick',
            options=read_options(overrides),
        ),
        remedy='choose another --out',
    ).open()
    runs = {
        task.name: make_runs(
            task,
            versions,
            {
                name: version_roots(root, out / 'data', versions)
                for name, root in places[task.name].items()
            },
            options.seeds,
            out,
            protocol,
            overrides,
        )
        for task in tasks
    }
    for place, prefixes in folders.items():
        export(place, prefixes, versions, out / 'data', console, images[place])
    trained = [run for own in runs.values() for run in own]
    run_all(trained, options, console, report_line)
    origin = dict(
        protocol=_PROTOCOLS[protocol],
        seeds=' '.join(map(str, options.seeds)),
    )
    tables = {
        task.name: report_task(task, runs[task.name], versions, out, origin)
        for task in tasks
    }
    summary(out / 'summary.md', tables, origin)
    for name, table in tables.items():
        if table is not None:
            text = (out / name / 'table.md').read_text(encoding='utf-8')
            console.print(text)
    return trained
