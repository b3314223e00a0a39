"""The reference-based super-resolution data set."""

import logging
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdsr.datasets.seeding import SeededIndex, seeded_random
from mmdsr.io.flow_values import read_flow
from mmdsr.io.images import open_image, read_depth
from mmdsr.io.layout import DEPTH_KEYS, FLOW_KEY, IMAGE_KEYS
from mmdsr.io.manifest import SPLITS, read_manifest, run_of
from mmdsr.registry import DATASETS

IMAGE_SUFFIXES = {'.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp'}
DEPTH_SUFFIXES = {'.png', '.npy'}
REFERENCES = ('adjacent', 'wrong', 'self')


@DATASETS.register_module()
class RefSRDataset(BaseDataset):
    """Samples of a low-resolution image, its truth and a reference.

    Reads the layout of :mod:`mmdsr.io.layout`. The samples are those listed in
    ``manifest.json``. Without that file, they are the stems that ``lr``,
    ``hr`` and ``ref`` have in common, and a warning names the others. Images
    may then have any usual suffix. Depth maps are 16-bit PNG files or ``.npy``
    files; a sample without one has the path ``None``.

    Each item handed to the pipeline has the fields ``img_path``, ``gt_path``,
    ``ref_path``, ``depth_lr_path``, ``depth_ref_path``, ``flow_path``,
    ``data_root``, ``split``, ``reference``, ``stem``, ``run`` and
    ``sample_idx``. Images are read only by the pipeline.

    Args:
        data_root: Root of the layout.
        split: ``'train'`` or ``'test'``.
        pipeline: Transforms.
        reference: Which image is the reference. ``'adjacent'``: the stored
            one. ``'wrong'``: that of a sample of the next run, the same at
            every call, to test whether the network uses its reference.
            ``'self'``: the low-resolution image itself, the paper's mode
            without a reference; ``depth_ref_path`` is then the depth of the
            low-resolution image, which :class:`mmdsr.transforms.LoadDepth`
            reduces.
        max_samples: Maximum number of samples, evenly spread over the split.
            The pairing of ``'wrong'`` is unaffected.
        test_mode: Raise an error if the pipeline returns None for an item,
            instead of drawing another item.
        lazy_init: List the samples at their first use.

    Raises:
        FileNotFoundError: If a folder or a listed file is missing.
        ValueError: If the split has no sample, or the arguments do not fit.
    """

    METAINFO: ClassVar[dict[str, Any]] = {
        'dataset_type': 'refsr',
        'task_name': 'refsr',
    }

    def __init__(
        self,
        data_root: str | Path,
        split: str = 'train',
        pipeline: Sequence[dict[str, Any] | Callable] = (),
        reference: str = 'adjacent',
        max_samples: int | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f'split must be one of {SPLITS}, not {split!r}.')
        if reference not in REFERENCES:
            raise ValueError(
                f'reference must be one of {REFERENCES}, not {reference!r}.'
            )
        if max_samples is not None and max_samples < 1:
            raise ValueError(f'max_samples must be >= 1, not {max_samples}.')
        self.split = split
        self.reference = reference
        self.max_samples = max_samples
        super().__init__(
            data_root=str(data_root),
            data_prefix={},
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples.

        Returns:
            One dict of paths and names per sample.
        """
        folder = Path(self.data_root) / self.split
        if not folder.is_dir():
            raise FileNotFoundError(
                f'There is no folder {folder}. Set data_root to a data set '
                'made by tools/dataset_converters, or create one: see '
                'docs/data.md.'
            )
        files = {
            key: _list(folder / key, IMAGE_SUFFIXES) for key in IMAGE_KEYS
        }
        depth = {
            key: _list(folder / key, DEPTH_SUFFIXES, optional=True)
            for key in DEPTH_KEYS
        }
        # Flow exists for the stored reference only.
        flows = {}
        if self.reference == 'adjacent':
            flows = _list(folder / FLOW_KEY, {'.png'}, optional=True)
        samples = [
            {
                'img_path': files['lr'][stem],
                'gt_path': files['hr'][stem],
                'ref_path': files['ref'][stem],
                'depth_lr_path': depth['depth_lr'].get(stem),
                'depth_ref_path': depth['depth_ref'].get(stem),
                'flow_path': flows.get(stem),
                'data_root': self.data_root,
                'split': self.split,
                'reference': self.reference,
                'stem': stem,
                'run': run_of(stem),
            }
            for stem in self._stems(folder, files)
        ]
        if self.reference == 'wrong':
            samples = _with_wrong_references(samples)
        elif self.reference == 'self':
            samples = [
                {
                    **sample,
                    'ref_path': sample['img_path'],
                    'depth_ref_path': sample['depth_lr_path'],
                }
                for sample in samples
            ]
        count = len(samples)
        take = min(self.max_samples or count, count)
        return [samples[i * count // take] for i in range(take)]

    def prepare_data(self, idx: int | SeededIndex) -> dict[str, Any]:
        """Run the pipeline on a sample.

        Args:
            idx: Index of the sample. A seeded index, as drawn by
                :class:`mmdsr.engine.replay.ReplaySampler`, fixes the random
                choices of the pipeline.

        Returns:
            The output of the pipeline.

        Raises:
            ValueError: If the pipeline fails and a file of the sample is
                damaged or missing. Other errors are passed on unchanged.
        """
        with seeded_random(idx):
            try:
                return super().prepare_data(int(idx))
            except Exception as error:
                damaged = _damaged(self.get_data_info(int(idx)))
                if not damaged:
                    raise
                raise ValueError(
                    f'{"; ".join(damaged)}. Write the data set again, or '
                    'remove the sample from its manifest.'
                ) from error

    def _stems(
        self, folder: Path, files: dict[str, dict[str, str]]
    ) -> list[str]:
        manifest = read_manifest(self.data_root)
        if manifest is not None:
            stems = manifest['splits'][self.split]
            for key, found in files.items():
                _refuse_missing(folder / key, set(stems) - set(found))
        else:
            stems = set.intersection(*(set(f) for f in files.values()))
            for key, found in files.items():
                rest = sorted(set(found) - stems)
                if rest:
                    print_log(
                        f'{folder / key}: left out {len(rest)} images whose '
                        'stem is not in all of lr, hr and ref: '
                        f'{_some(rest)}.',
                        logger='current',
                        level=logging.WARNING,
                    )
        if not stems:
            raise ValueError(
                f'{folder} has no samples: no stem is in all of lr, hr and '
                'ref.'
            )
        return sorted(stems)


def _list(
    folder: Path, suffixes: Collection[str], optional: bool = False
) -> dict[str, str]:
    """Map the stems in a folder to the paths of their files."""
    if not folder.is_dir():
        if optional:
            return {}
        raise FileNotFoundError(
            f'There is no folder {folder}: a split needs lr, hr and ref.'
        )
    files = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122
            if suffix.lower() not in suffixes or stem.startswith('.'):
                continue
            if stem in files:
                raise ValueError(
                    f'{folder} has two files with the stem {stem}.'
                )
            files[stem] = entry.path
    return files


def _damaged(sample: dict[str, Any]) -> list[str]:
    """Return a description of damaged files of a sample."""
    problems = []
    for key, path in sample.items():
        if not key.endswith('_path') or path is None:
            continue
        try:
            if key.startswith('depth'):
                read_depth(path)
            elif key.startswith('flow'):
                read_flow(path)
            else:
                open_image(path)
        except ValueError as error:
            text = str(error).rstrip('.')
            problems.append(text if path in text else f'{path}: {text}')
    return problems


def _refuse_missing(folder: Path, stems: Collection[str]) -> None:
    if stems:
        raise FileNotFoundError(
            f'{folder} lacks {len(stems)} images listed in the manifest: '
            f'{_some(sorted(stems))}. Write the data set again.'
        )


def _some(names: Sequence[str], limit: int = 5) -> str:
    more = ', ...' if len(names) > limit else ''
    return ', '.join(names[:limit]) + more


def _with_wrong_references(
    samples: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Give each sample the reference of its peer in the next run."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for sample in samples:
        runs.setdefault(sample['run'], []).append(sample)
    if len(runs) < 2:
        raise ValueError(
            "reference='wrong' needs at least two runs in the split, but "
            f'there is only {next(iter(runs))!r}.'
        )
    names = sorted(runs)
    paired = []
    for i, name in enumerate(names):
        others = runs[names[(i + 1) % len(names)]]
        for j, sample in enumerate(runs[name]):
            other = others[j % len(others)]
            paired.append(
                {
                    **sample,
                    'ref_path': other['ref_path'],
                    'depth_ref_path': other['depth_ref_path'],
                }
            )
    return paired
