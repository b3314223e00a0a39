"""The layouts that simulated data sets are written in.

Every data set has ``manifest.json``, ``SHA256SUMS`` and ``poses.csv`` in its
root, and besides:

*refsr*, super-resolution: see :mod:`mmdsr.io.layout`.

*pipe*, segmentation and detection::

    images/SPLIT/STEM.png       RGB uint8
    masks/SPLIT/STEM.png        uint8 class ids, 0 is background
    ref/SPLIT/STEM.png          RGB uint8, the adjacent frame
    depth/SPLIT/STEM.png        uint16 millimeters of the image
    annotations/SPLIT.json      COCO: boxes and run-length masks

*multilabel*, classification::

    images/SPLIT/STEM.png, ref/SPLIT/STEM.png, depth/SPLIT/STEM.png
    overlay/SPLIT/STEM.png      255 under burned-in text, where there is any
    SPLIT.csv                   header and columns of Sewer-ML

The record of a sample is everything that is written besides its images. It is
kept as JSON until all samples are complete, so that an interrupted run need
not render anything twice.
"""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmdsr.datasets.pipe_labels import PIPE_IDS
from mmdsr.datasets.sewer_ml_csv import write_rows
from mmdsr.io.images import encode_depth, write_png
from mmdsr.io.layout import write_sample
from mmdsr.io.manifest import FORMAT, SPLITS
from mmdsr.sim.data.labels import (
    PIPE_CLASSES,
    Instance,
    find_instances,
    pipe_mask,
    sewer_ml_row,
    water_percent,
)
from mmdsr.sim.data.splits import SCALE
from mmdsr.sim.pipe_run import PipeRun, SimFrame

Records = Callable[[str], Iterable[dict]]
"""Gives the records of a split, in order; may be called more than once."""

POSE_HEADER = (
    'split', 'stem', 'image', 'fx', 'fy', 'cx', 'cy',
    *(f'r{i}{j}' for i in range(3) for j in range(3)), 'tx', 'ty', 'tz',
)  # fmt: skip


class Sample(NamedTuple):
    """A frame and everything that is known about it.

    Attributes:
        split: ``'train'`` or ``'test'``.
        stem: Sample name.
        frame: The `SimFrame`.
        ref: The `SimFrame` after it.
        run: The `PipeRun` of both.
        lr: ``(H / 4, W / 4, 3)`` uint8, or None for the bicubic one.
    """

    split: str
    stem: str
    frame: SimFrame
    ref: SimFrame
    run: PipeRun
    lr: np.ndarray | None = None

    def record(self) -> dict:
        """Return the part of the record that all layouts share."""
        return {
            'stem': self.stem,
            'cameras': {
                'image': _camera(self.frame),
                'ref': _camera(self.ref),
            },
        }


class _Layout(ABC):
    """How one kind of data set is written.

    Attributes:
        format: Name of the layout in the manifest.
        scale: Reduction factor, None where nothing is reduced.
    """

    format: str
    scale: int | None = None
    _tables: tuple[str, ...] = ('poses.csv',)
    _split_part = 1  # of a path below the root

    @abstractmethod
    def write(self, root: Path, sample: Sample) -> dict:
        """Write the images of a sample.

        Args:
            root: Root of the data set.
            sample: What to write.

        Returns:
            Its record.
        """

    def finish(self, root: Path, records: Records) -> None:
        """Write the files that depend on all records.

        Args:
            root: Root of the data set.
            records: The records of each split.
        """
        _write_poses(root, records)
        for split in SPLITS:
            self._write_table(root, split, records)

    def keep(self, path: Path, stems: dict[str, set[str]]) -> bool:
        """Return whether a file belongs to the data set.

        Args:
            path: Its path below the root.
            stems: Sample names of each split.

        Returns:
            False for a file that an interrupted run has left behind.
        """
        if path.suffix != '.png':
            return path.as_posix() in self._tables
        return len(path.parts) == 3 and path.stem in stems.get(
            path.parts[self._split_part], ()
        )

    def _write_table(self, root: Path, split: str, records: Records) -> None:  # noqa: B027
        """Write the labels of a split; by default there are none."""


class RefSRLayout(_Layout):
    """Pairs for super-resolution."""

    format = FORMAT
    scale = SCALE
    _split_part = 0

    def write(self, root: Path, sample: Sample) -> dict:  # noqa: D102
        write_sample(
            root / sample.split,
            sample.stem,
            sample.frame.image,
            sample.ref.image,
            sample.frame.depth,
            sample.ref.depth,
            self.scale,
            sample.lr,
        )
        return sample.record()


class _LabelledLayout(_Layout):
    """Common part of the two layouts with labels."""

    def write(self, root: Path, sample: Sample) -> dict:
        frame = sample.frame
        instances = find_instances(frame, sample.run.defects)
        images = {
            'images': frame.image,
            'ref': sample.ref.image,
            'depth': encode_depth(frame.depth),
            **self._masks(instances, frame),
        }
        for folder, image in images.items():
            write_png(
                root / folder / sample.split / f'{sample.stem}.png', image
            )
        return {**sample.record(), **self._labels(instances, sample)}

    @abstractmethod
    def _masks(
        self, instances: list[Instance], frame: SimFrame
    ) -> dict[str, np.ndarray]:
        """Return further images by their folder."""

    @abstractmethod
    def _labels(
        self, instances: list[Instance], sample: Sample
    ) -> dict[str, Any]:
        """Return the part of the record that lists the visible defects."""


class PipeLayout(_LabelledLayout):
    """Masks for mmsegmentation, boxes for mmdetection."""

    format = 'mmdsr-pipe'
    _tables = (
        'poses.csv',
        *(f'annotations/{split}.json' for split in SPLITS),
    )

    def _masks(
        self, instances: list[Instance], frame: SimFrame
    ) -> dict[str, np.ndarray]:
        return {'masks': pipe_mask(instances, frame.defect.shape)}

    def _labels(
        self, instances: list[Instance], sample: Sample
    ) -> dict[str, Any]:
        height, width = sample.frame.defect.shape
        return {
            'size': [width, height],
            'annotations': [
                _coco_annotation(instance)
                for instance in instances
                if instance.kind in PIPE_CLASSES
            ],
        }

    def _write_table(self, root: Path, split: str, records: Records) -> None:
        path = root / 'annotations' / f'{split}.json'
        path.parent.mkdir(exist_ok=True)
        _write_coco(path, split, records)


class MultiLabelLayout(_LabelledLayout):
    """A table like Sewer-ML's."""

    format = 'mmdsr-multilabel'
    _tables = ('poses.csv', *(f'{split}.csv' for split in SPLITS))

    def _masks(
        self, instances: list[Instance], frame: SimFrame
    ) -> dict[str, np.ndarray]:
        if not frame.overlay.any():
            return {}
        return {'overlay': frame.overlay.astype(np.uint8) * 255}

    def _labels(
        self, instances: list[Instance], sample: Sample
    ) -> dict[str, Any]:
        return {
            'kinds': [instance.kind for instance in instances],
            'water': water_percent(sample.run.scene),
        }

    def _write_table(self, root: Path, split: str, records: Records) -> None:
        rows = (
            sewer_ml_row(
                f'{record["stem"]}.png', record['kinds'], record['water']
            )
            for record in records(split)
        )
        write_rows(root / f'{split}.csv', rows)


LAYOUTS = {
    'refsr': RefSRLayout(),
    'pipe': PipeLayout(),
    'multilabel': MultiLabelLayout(),
}


def _camera(frame: SimFrame) -> dict[str, list]:
    return {
        'intrinsics': np.asarray(frame.intrinsics, float).tolist(),
        'pose': np.asarray(frame.pose, float).tolist(),
    }


def _write_poses(root: Path, records: Records) -> None:
    def rows() -> Iterator[list]:
        for split in SPLITS:
            for record in records(split):
                for image, camera in record['cameras'].items():
                    k = camera['intrinsics']
                    pose = camera['pose']
                    yield [
                        split, record['stem'], image,
                        k[0][0], k[1][1], k[0][2], k[1][2],
                        *(pose[i][j] for i in range(3) for j in range(3)),
                        *(pose[i][3] for i in range(3)),
                    ]  # fmt: skip

    _write_csv(root / 'poses.csv', POSE_HEADER, rows())


def _write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence]
) -> None:
    with path.open('w', encoding='utf-8', newline='') as file:
        table = csv.writer(file, lineterminator='\n')
        table.writerow(header)
        table.writerows(rows)


def _coco_annotation(instance: Instance) -> dict[str, Any]:
    from pycocotools.mask import encode

    coded = encode(np.asfortranarray(instance.mask.astype(np.uint8)))
    return {
        'category_id': PIPE_IDS[PIPE_CLASSES[instance.kind]],
        'bbox': list(instance.box),
        'area': int(instance.mask.sum()),
        'iscrowd': 0,
        'segmentation': {
            'size': [int(side) for side in coded['size']],
            'counts': coded['counts'].decode('ascii'),
        },
    }


def _write_coco(path: Path, split: str, records: Records) -> None:
    """Write a COCO file piece by piece, as it may be large."""

    def images() -> Iterator[dict[str, Any]]:
        for number, record in enumerate(records(split), 1):
            width, height = record['size']
            yield {
                'id': number,
                'file_name': f'{record["stem"]}.png',
                'width': width,
                'height': height,
            }

    def annotations() -> Iterator[dict[str, Any]]:
        count = 0
        for number, record in enumerate(records(split), 1):
            for annotation in record['annotations']:
                count += 1
                yield {'id': count, 'image_id': number, **annotation}

    head = {
        'info': {'description': f'SewerSim, {split}'},
        'licenses': [],
        'categories': [
            {'id': number, 'name': name, 'supercategory': 'defect'}
            for name, number in PIPE_IDS.items()
        ],
    }
    with path.open('w', encoding='utf-8') as file:
        file.write(json.dumps(head)[:-1])
        for key, items in (
            ('images', images()),
            ('annotations', annotations()),
        ):
            file.write(f',\n"{key}": [')
            for i, item in enumerate(items):
                file.write((',\n' if i else '\n') + json.dumps(item))
            file.write('\n]')
        file.write('}\n')
