"""Evaluate a trained network on several data sets and write tables."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from rich.console import Console

from mmdsr.errors import UsageError
from mmdsr.experiments.compare_references import (
    DEPTHS,
    USUAL_REFERENCES,
    evaluate,
    trained_generator,
)
from mmdsr.experiments.references_table import (
    match_table,
    rich_table,
    write_results,
)
from mmdsr.io.checkpoint import find_checkpoint
from mmdsr.io.files import temporary_name


def _default_folder(checkpoint: Path | str) -> Path:
    """Return the folder for the results of a file or a directory."""
    path = Path(checkpoint).expanduser()
    if path.is_dir():
        return path / 'compare'
    return path.with_name(f'compare-{path.stem}')


def compare(
    cfg: Config,
    checkpoint: Path | str,
    roots: Sequence[str],
    console: Console,
    *,
    out: Path | str | None = None,
    split: str = 'test',
    strips: int = 16,
    device: str = 'cpu',
    references: Sequence[str] = USUAL_REFERENCES,
    depths: Sequence[str] = DEPTHS,
    max_samples: int | None = None,
) -> Path:
    """Compare a network with bicubic; show and write a table per data set.

    Args:
        cfg: Config of the network.
        checkpoint: Training checkpoint, plain weights, or a working directory,
            of which the best checkpoint is used.
        roots: Data sets. Without any, the test data of the config.
        console: Console for the tables.
        out: Folder for results and strips, written after each data set.
            Defaults to None, ``compare`` in a working directory and
            ``compare-STEM`` beside the file ``STEM.pth``, so that each file
            has a folder of its own.
        split: Split to evaluate. Defaults to 'test'.
        strips: Number of comparison strips per data set.
        device: Device to run on.
        references: Some of
            :data:`mmdsr.experiments.compare_references.REFERENCES`.
        depths: Some of :data:`mmdsr.experiments.compare_references.DEPTHS`.
        max_samples: Number of evenly spread samples. Defaults to None, all.

    Returns:
        The folder with results and strips.

    Raises:
        FileNotFoundError: If checkpoint or data are missing.
        OSError: If the disk is full.
        UsageError: If ``out`` is not writable; nothing is evaluated.
        ValueError: If one cannot be read, or they do not fit.
    """
    file = find_checkpoint(checkpoint)
    out = Path(out or _default_folder(checkpoint))
    generator = trained_generator(cfg, file, device)
    _make_writable(out)
    origin = dict(config=cfg.filename, checkpoint=str(file), split=split)
    results = {}
    for root in map(Path, roots or [cfg.test_dataloader.dataset.data_root]):
        name = root.name if root.name not in results else str(root)
        # Of a path, one folder, which stays inside of `strips`.
        parts = Path(name).parts
        folder = '-'.join(part for part in parts if part != root.anchor)
        results[name] = evaluate(
            cfg,
            generator,
            root,
            split=split,
            strips=out / 'strips' / folder if strips else None,
            max_strips=strips,
            references=references,
            depths=depths,
            max_samples=max_samples,
        )
        console.print(rich_table(name, results[name]))
        matches = match_table(name, results[name])
        if matches is not None:
            console.print(matches)
        write_results(out, results, origin)
    return out


def _make_writable(folder: Path) -> None:
    """Create a folder and check that files can be written into it."""
    trial = temporary_name(folder / 'results.json')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UsageError(
            f'{folder} is not a writable folder ({error.strerror}): choose '
            'another --out.'
        ) from error
