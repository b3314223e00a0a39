"""Samples for viewing: from a data set on disk, or rendered on the fly."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.datasets.sewer_ml_csv import CLASSES, read_rows
from mmdsr.io.frames import SUFFIXES, read_pixels, walk_folders
from mmdsr.io.images import read_depth
from mmdsr.io.manifest import FORMAT, MANIFEST, read_manifest
from mmdsr.sim.data.export import LAYOUTS
from mmdsr.sim.data.labels import find_instances, water_percent
from mmdsr.sim.pipe_run import PipeRun
from mmdsr.sim.preview.contact_sheet import Mark, Row


class _Label(NamedTuple):
    """A label of a sample in a data set.

    Attributes:
        name: The class.
        number: Its id in the masks, if there are any.
        box: ``(x, y, width, height)`` in pixels, if there are masks.
    """

    name: str
    number: int = 0
    box: tuple[int, int, int, int] = (0, 0, 0, 0)


def spread(items: Sequence, number: int) -> list:
    """Return an evenly spread selection.

    Args:
        items: What to select from.
        number: Maximum number of items.

    Returns:
        Items in order.
    """
    take = min(number, len(items))
    return [items[i * len(items) // take] for i in range(take)]


def read_rows_of(
    root: str | Path,
    split: str = 'test',
    number: int = 8,
    kinds: Sequence[str] = (),
) -> list[Row]:
    """Read samples of a data set on disk.

    Args:
        root: Root of a data set of any of the three layouts.
        split: ``'train'`` or ``'test'``.
        number: Number of samples, evenly spread.
        kinds: Return only samples with a label of these classes; all samples
            if empty.

    Returns:
        The samples.

    Raises:
        FileNotFoundError: If an image of the data set is missing.
        ValueError: If the folder is not such a data set, has no such sample,
            or an image is damaged.
    """
    root = Path(root)
    formats = tuple(layout.format for layout in LAYOUTS.values())
    manifest = read_manifest(root, formats)
    if manifest is None:
        raise ValueError(f'{root} has no {MANIFEST}: it is not a data set')
    stems, layout = manifest['splits'][split], manifest['format']
    labels: dict[str, list[_Label]] = {}
    read: Callable[[Path, str, str, Sequence[_Label]], Row]
    if layout == LAYOUTS['pipe'].format:
        labels, read = _coco_labels(root, split), _read_pipe
    elif layout != FORMAT:
        labels, read = _table_labels(root, split), _read_multilabel
    elif kinds:
        raise ValueError(f'{root} has no labels to select by')
    if kinds:
        stems = [
            stem
            for stem in stems
            if set(kinds) & {label.name for label in labels.get(stem, ())}
        ]
    if not stems:
        wanted = f' with {", ".join(kinds)}' if kinds else ''
        raise ValueError(f'{root} has no {split} samples{wanted}')
    if layout == FORMAT:
        return _read_refsr(root, split, number)
    return [
        read(root, split, stem, labels.get(stem, ()))
        for stem in spread(stems, number)
    ]


def render_rows(
    seed: int,
    runs: Sequence[int],
    frame: int = 8,
    size: tuple[int, int] = (448, 320),
    kinds: Sequence[str] | None = None,
    overlay: bool = False,
    camera: Callable[..., PipeRun] = PipeRun,
) -> list[Row]:
    """Render a frame of each of some runs.

    Args:
        seed: Seed of the data set.
        runs: Numbers of the runs.
        frame: Number of the frame.
        size: Width and height.
        kinds: Run i has one defect, of kind i modulo their number; None lets
            the runs draw their own.
        overlay: Whether text is burned in.
        camera: Factory of a run.

    Returns:
        The samples; the marks carry the simulator's kinds.
    """
    rows = []
    for i, number in enumerate(runs):
        defects = (kinds[i % len(kinds)],) if kinds else None
        run = camera(seed, number, size, defects=defects, overlay=overlay)
        shown, ref = run.frame(frame), run.frame(frame + 1)
        marks = [Mark(*one) for one in find_instances(shown, run.defects)]
        there = ' '.join(one.kind for one in run.defects) or 'no defects'
        scene = run.scene
        rows.append(
            Row(
                f'seed {seed} run {number} frame {frame}: '
                f'{scene.material.name}, {scene.section}, {scene.motion}, '
                f'radius {scene.radius:.2f} m, water '
                f'{water_percent(scene)} %; in the run: {there}',
                shown.image,
                shown.depth,
                marks,
                None,
                ref.image,
            )
        )
    return rows


def place_beside(rows: Sequence[Row], folder: str | Path) -> list[Row]:
    """Give each sample an image of a folder for comparison.

    Args:
        rows: The samples.
        folder: Searched recursively; an evenly spread selection of its images
            is cropped to each sample's aspect ratio and resized to its size.

    Returns:
        The samples with it.

    Raises:
        ValueError: If there is no image in the folder, or it cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f'there is no folder {folder}')
    paths = sorted(
        path
        for part in walk_folders(folder)
        for path in part.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith('.')
    )
    if not paths:
        raise ValueError(f'{folder} contains no images')
    chosen = spread(paths, len(rows))
    return [
        row._replace(beside=_cover(read_pixels(path), row.image.shape))
        for row, path in zip(rows, chosen, strict=False)
    ] + list(rows[len(chosen) :])


def _cover(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Crop an image to the aspect ratio of a shape, then resize it."""
    height, width = shape[:2]
    rows, cols = image.shape[:2]
    zoom = max(height / rows, width / cols)
    cut_h = max(1, min(rows, round(height / zoom)))
    cut_w = max(1, min(cols, round(width / zoom)))
    top, left = (rows - cut_h) // 2, (cols - cut_w) // 2
    part = image[top : top + cut_h, left : left + cut_w]
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return cv2.resize(part, (width, height), interpolation=how)


def _read_refsr(root: Path, split: str, number: int) -> list[Row]:
    # Imported here because it imports torch, which nothing else here needs.
    from mmdsr.datasets.refsr_dataset import RefSRDataset

    dataset = RefSRDataset(root, split, max_samples=number)
    rows = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        lr, hr, ref = (
            read_pixels(Path(info[f'{key}_path']))
            for key in ('img', 'gt', 'ref')
        )
        depth = info['depth_lr_path']
        rows.append(
            Row(
                f'{split} {info["stem"]}',
                hr,
                None if depth is None else read_depth(depth),
                None,
                None,
                ref,
                lr,
            )
        )
    return rows


def _read_labelled(
    root: Path,
    split: str,
    stem: str,
    text: str,
    marks: list[Mark] | None,
    labels: list[str] | None,
) -> Row:
    image, ref, depth = (
        root / folder / split / f'{stem}.png'
        for folder in ('images', 'ref', 'depth')
    )
    return Row(
        f'{split} {stem}: {text or "no defect"}',
        read_pixels(image),
        read_depth(depth),
        marks,
        labels,
        read_pixels(ref),
    )


def _read_pipe(
    root: Path, split: str, stem: str, labels: Sequence[_Label]
) -> Row:
    # The colors come from the PNG mask and the boxes from the COCO file, so
    # that any disagreement is visible.
    mask = cv2.imread(
        str(root / 'masks' / split / f'{stem}.png'), cv2.IMREAD_UNCHANGED
    )
    if mask is None or mask.ndim != 2:
        raise ValueError(f'{root}: the mask of {stem} cannot be read')
    marks = []
    for name, number, box in labels:
        part = np.zeros(mask.shape, bool)
        x, y, width, height = box
        inside = np.s_[y : y + height, x : x + width]
        part[inside] = mask[inside] == number
        marks.append(Mark(name, part, box))
    text = ', '.join(label.name for label in labels)
    return _read_labelled(root, split, stem, text, marks, None)


def _read_multilabel(
    root: Path, split: str, stem: str, labels: Sequence[_Label]
) -> Row:
    names = [f'{label.name}: {CLASSES[label.name]}' for label in labels]
    text = ', '.join(label.name for label in labels)
    return _read_labelled(root, split, stem, text, None, names)


def _coco_labels(root: Path, split: str) -> dict[str, list[_Label]]:
    """Map each stem to its instances."""
    path = root / 'annotations' / f'{split}.json'
    try:
        coco = json.loads(path.read_text(encoding='utf-8'))
        names = {c['id']: str(c['name']) for c in coco['categories']}
        stems = {i['id']: Path(i['file_name']).stem for i in coco['images']}
        labels: dict[str, list[_Label]] = {stem: [] for stem in stems.values()}
        for one in coco['annotations']:
            number = one['category_id']
            box = [int(value) for value in one['bbox']]
            if len(box) != 4 or min(box) < 0:
                raise ValueError(f'a box is {box}')
            x, y, width, height = box
            labels[stems[one['image_id']]].append(
                _Label(names[number], number, (x, y, width, height))
            )
    # Not JSON, or JSON of another structure.
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        raise ValueError(
            f'{path} cannot be read as a COCO file '
            f'({type(error).__name__}: {str(error)[:200]}).'
        ) from error
    return labels


def _table_labels(root: Path, split: str) -> dict[str, list[_Label]]:
    """Map each stem to its labels."""
    return {
        Path(row['Filename']).stem: [
            _Label(code) for code in CLASSES if row[code] == '1'
        ]
        for row in read_rows(root / f'{split}.csv')
    }
