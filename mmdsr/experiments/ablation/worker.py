"""One run of a study in a process of its own: train, then evaluate.

``python -m mmdsr.experiments.ablation.worker FOLDER`` reads ``config.py`` and
``task.json`` of the folder and writes ``result.json``. Stopped at any point,
it goes on from its newest checkpoint.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from mmdsr.engine.launch import load_config, set_resume, train
from mmdsr.errors import UsageError
from mmdsr.experiments import compare_references as study
from mmdsr.experiments.runs import die_with_parent, write_json


def depth_source(cfg, generator):
    """Return where the depth maps come from in the tests of a config.

    Args:
        cfg (Config): The config.
        generator (nn.Module): Its network.

    Returns:
        str: As of ``mmdsr.experiments.compare_references.DEPTHS``.
    """
    source = (cfg.model.get('test_cfg') or {}).get('depth')
    if generator.needs_depth:
        return source if source == 'zero' else 'given'
    return source or 'predicted'


def evaluate(cfg, generator, roots, max_samples=None):
    """Evaluate a network on several data sets.

    Args:
        cfg (Config): Its config.
        generator (nn.Module): The network.
        roots (dict[str, str]): Data sets by name.
        max_samples (int, optional): Evenly spread images of each. Defaults
            to None, all.

    Returns:
        dict[str, dict]: Per data set ``psnr_y``, ``ssim_y``, ``psnr_rgb``,
        ``gain``, ``samples`` and the same for ``bicubic``; or a ``note``
        that says why there are none.
    """
    results = {}
    for name, root in roots.items():
        bicubic, row = study.evaluate(
            cfg,
            generator,
            root,
            references=('adjacent',),
            depths=(depth_source(cfg, generator),),
            max_samples=max_samples,
            flow_warp=False,
        )
        results[name] = dict(asdict(row), bicubic=asdict(bicubic))
    return results


def work(folder):
    """Train and evaluate.

    Args:
        folder (Path): Folder of the run.

    Raises:
        UsageError: If data or checkpoints are missing or do not fit.
        ValueError: If the data cannot be read.
    """
    task = json.loads((folder / 'task.json').read_text())
    cfg = load_config(folder / 'config.py', work_dir=folder / 'work')
    set_resume(cfg, 'auto')
    model = train(cfg)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    generator = model.generator.to(device).eval().requires_grad_(False)
    results = evaluate(cfg, generator, task['roots'], task['max_samples'])
    write_json(folder / 'result.json', dict(task=task, results=results))


def main():
    """Run."""
    die_with_parent()
    try:
        work(Path(sys.argv[1]))
    except (UsageError, FileNotFoundError, ValueError) as error:
        sys.exit(f'{type(error).__name__}: {error}')


if __name__ == '__main__':
    main()
