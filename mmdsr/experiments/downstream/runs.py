"""The runs of a task: what is trained, and on what it is tested."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from mmdsr.errors import UsageError
from mmdsr.experiments.downstream.task import prepare, retarget
from mmdsr.experiments.downstream.versions import HR
from mmdsr.experiments.runs import TrainingRun, write_configs, write_json

WORKER = 'mmdsr.experiments.downstream.worker'


@dataclass
class DownstreamRun(TrainingRun):
    """A training of a task with its tests.

    Args:
        task (str): Name of the task.
        seed (int): The seed.
        tests (dict[str, dict[str, str]]): Per version, its roots by the
            roots that the config names.
    """

    task: str = ''
    seed: int = 0
    tests: dict = field(default_factory=dict)


def check_settings(out, settings):
    """Refuse a folder of other settings, else note them.

    Args:
        out (Path): Folder of the experiment.
        settings (dict): What has to be equal; anything JSON can hold.

    Raises:
        UsageError: If they differ.
    """
    path = out / 'settings.json'
    # As they are read again: a tuple of the command line becomes a list.
    settings = json.loads(json.dumps(settings))
    if path.is_file():
        old = json.loads(path.read_text())
        differ = [
            key
            for key in sorted(old.keys() | settings.keys())
            if old.get(key) != settings.get(key)
        ]
        if differ:
            text = ', '.join(
                f'{key} {old.get(key)!r}, not {settings.get(key)!r}'
                for key in differ
            )
            raise UsageError(
                f'{out} was made with other settings ({text}): choose '
                'another --out.'
            )
    write_json(path, settings)


def prepare_runs(
    task, versions, places, seeds, out, protocol='hr', options=None, images=40
):
    """Make the folders of all runs of a task; take up what is done.

    Args:
        task (Task): The task.
        versions (Sequence[Version]): The versions.
        places (dict[str, dict[str, str]]): Per data root of the config, its
            folder in each version by the version's name.
        seeds (Sequence[int]): The seeds.
        out (Path): Folder of the experiment.
        protocol (str): ``'hr'`` or ``'same'``. Defaults to 'hr'.
        options (dict, optional): Overrides of the config. Defaults to None.
        images (int): Predictions kept per test, for the pictures. Defaults
            to 40.

    Returns:
        list[DownstreamRun]: Seed by seed.

    Raises:
        UsageError: If a folder holds a run of another config.
    """
    runs, configs = [], []
    for seed in seeds:
        for trained in [HR] if protocol == 'hr' else versions:
            cfg = prepare(task, seed, options)
            roots = {root: at[trained.name] for root, at in places.items()}
            retarget(cfg, roots)
            tested = versions if protocol == 'hr' else [trained]
            tests = {
                version.name: {
                    roots[root]: at[version.name]
                    for root, at in places.items()
                }
                for version in tested
            }
            folder = Path(out, 'runs', task.name, trained.name, f'seed{seed}')
            title = f'{task.name} on {trained.label}, seed {seed}'
            runs.append(
                DownstreamRun(
                    title,
                    folder,
                    WORKER,
                    iters=cfg.train_cfg.get('max_iters') or 0,
                    epochs=cfg.train_cfg.get('max_epochs') or 0,
                    task=task.name,
                    seed=seed,
                    tests=tests,
                )
            )
            configs.append(cfg.pretty_text)
    write_configs(runs, configs)
    for run in runs:
        content = dict(tests=run.tests, images=images)
        result = run.folder / 'result.json'
        if result.is_file():
            old = json.loads(result.read_text(encoding='utf-8'))
            # Trained, but tested on less: the worker tests the rest.
            if old['task'] == content:
                run.results = old['results']
        write_json(run.folder / 'task.json', content)
    return runs
