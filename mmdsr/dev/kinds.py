"""The kinds of files that are mutated, and their readers.

A kind makes whole files once, changes one of them by a seed, and hands it to
the same functions that the tools call. Each input is in its own folder; its
reader writes to ``out`` beside it.
"""

import io
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from mmdsr.dev import mutate
from mmdsr.dev.case import NAME, Case, encode, picture
from mmdsr.dev.kinds_recordings import recordings
from mmdsr.dev.kinds_weights import checkpoints, weights


def _frames(path: Path) -> Path:
    """Add further frames to a frame, or to its depth, for a data set."""
    folder = path.parent / 'frames'
    folder.mkdir()
    for number in range(2):
        Image.fromarray(picture(number)).save(folder / f'good_{number}.png')
    return folder


def _read_frame(path: Path, out: Path) -> None:
    from mmdsr.converters.frames_to_refsr import frames_to_refsr

    folder = _frames(path)
    path.rename(folder / path.name)
    frames_to_refsr(folder, out, holdout=(0,))


def _read_depth(path: Path, out: Path) -> None:
    from mmdsr.converters.frames_to_refsr import frames_to_refsr

    folder = _frames(path)
    depth = path.parent / 'depth'
    depth.mkdir()
    (folder / 'good_0.png').rename(folder / f'{path.stem}.png')
    path.rename(depth / path.name)
    frames_to_refsr(folder, out, depth=depth, holdout=(0,))


def images() -> list[Case]:
    """Return the frames of the formats that are read."""
    rgb = Image.fromarray(picture())
    deep = Image.fromarray(picture()[..., 0].astype(np.uint16) * 257)
    both = (mutate.mutate_bytes,)
    return [
        Case(
            'input.png', encode(rgb), (*both, mutate.mutate_png), _read_frame
        ),
        Case(
            'input.png',
            encode(rgb.quantize(16)),
            (mutate.mutate_png,),
            _read_frame,
        ),
        Case('input.png', encode(deep), (mutate.mutate_png,), _read_frame),
        *(
            Case(f'input.{suffix}', encode(rgb, kind), both, _read_frame)
            for suffix, kind in (
                ('jpg', 'JPEG'),
                ('tif', 'TIFF'),
                ('bmp', 'BMP'),
                ('webp', 'WEBP'),
            )
        ),
        Case(
            'input.tif',
            encode(rgb, 'TIFF', compression='tiff_lzw'),
            both,
            _read_frame,
        ),
    ]


def depth() -> list[Case]:
    """Return the depth maps, as PNG files and as arrays."""
    from mmdsr.io.layout import encode_depth

    meters = 0.5 + picture()[..., 0].astype(np.float32) / 100
    array = io.BytesIO()
    np.save(array, meters)
    png = encode(Image.fromarray(encode_depth(meters)))
    return [
        Case(
            'input.npy',
            array.getvalue(),
            (mutate.mutate_bytes, mutate.mutate_npy),
            _read_depth,
        ),
        Case(
            'input.png',
            png,
            (mutate.mutate_bytes, mutate.mutate_png),
            _read_depth,
        ),
    ]


@cache
def _dataset() -> TemporaryDirectory[str]:
    """A data set of four samples: its folder, removed at exit."""
    import tempfile

    from mmdsr.io.layout import RefSRWriter

    # Cached for the lifetime of the process.
    holder = tempfile.TemporaryDirectory()
    with RefSRWriter(Path(holder.name, 'set')) as writer:
        for number, split in enumerate(('train', 'train', 'test', 'test')):
            image = picture(number)
            writer.add(split, f'{split}0_{number}', image, image)
    return holder


def _read_manifest(path: Path, out: Path) -> None:
    from mmdsr.datasets.packed import pack
    from mmdsr.datasets.refsr_dataset import RefSRDataset

    root = path.parent / NAME
    shutil.copytree(Path(_dataset().name, 'set'), root)
    path.replace(root / 'manifest.json')
    for split in ('train', 'test'):
        dataset = RefSRDataset(root, split)
        dataset.get_data_info(len(dataset) - 1)
    pack(root, out)


def manifests() -> list[Case]:
    """Manifests of data sets."""
    data = Path(_dataset().name, 'set', 'manifest.json').read_bytes()
    mutators = (mutate.mutate_bytes, mutate.mutate_json)
    return [Case('manifest.json', data, mutators, _read_manifest)]


def _read_table(path: Path, out: Path) -> None:
    from mmdsr.converters.sewer_ml_subset import make_subset

    make_subset(path, out.with_suffix('.csv'), per_class=2, normal=2)


def tables() -> list[Case]:
    """Tables of the form of Sewer-ML's."""
    from mmdsr.datasets.sewer_ml_csv import CLASSES, HEADER

    lines = [','.join(HEADER)]
    for number in range(12):
        labels = [int(number % 6 == i % 6) for i in range(len(CLASSES))]
        row = (f'{number:08d}.png', 0, 0, *labels, 0, 1)
        lines.append(','.join(map(str, row)))
    data = '\n'.join(lines).encode()
    mutators = (mutate.mutate_bytes, mutate.mutate_csv)
    return [Case('input.csv', data, mutators, _read_table)]


def _read_mask(path: Path, out: Path) -> None:
    from mmdsr.converters.masks_to_coco import masks_to_coco

    pictures, masks = path.parent / 'images', path.parent / 'masks'
    pictures.mkdir()
    masks.mkdir()
    Image.fromarray(picture()).save(pictures / f'{path.stem}.png')
    path.rename(masks / path.name)
    masks_to_coco(pictures, masks, out.with_suffix('.json'))


def _read_coco(path: Path, out: Path) -> None:
    from mmdsr.io.layout import encode_depth
    from mmdsr.io.manifest import write_manifest
    from mmdsr.sim.data.export import LAYOUTS
    from mmdsr.sim.preview.browse import read_rows_of

    root, stems = path.parent / NAME, ['run0_0', 'run0_1']
    mask = (picture()[..., 0] < 40).astype(np.uint8)
    files = dict(
        images=picture(),
        ref=picture(1),
        masks=mask,
        depth=encode_depth(1.0 + mask),
    )
    for folder, content in files.items():
        (root / folder / 'train').mkdir(parents=True)
        for stem in stems:
            image = Image.fromarray(content)
            image.save(root / folder / 'train' / f'{stem}.png')
    (root / 'annotations').mkdir()
    path.rename(root / 'annotations' / 'train.json')
    write_manifest(
        root, dict(train=stems), scale=None, format=LAYOUTS['pipe'].format
    )
    read_rows_of(root, 'train')


def coco() -> list[Case]:
    """Masks, and the COCO files made of them."""
    import json

    mask = np.zeros((64, 72), np.uint8)
    mask[8:20, 8:30] = 1
    mask[40:60, 8:70] = 2
    content = dict(
        images=[
            dict(id=n, file_name=f'run0_{n}.jpg', width=72, height=64)
            for n in range(2)
        ],
        categories=[dict(id=1, name='crack'), dict(id=2, name='roots')],
        annotations=[
            dict(id=n, image_id=n % 2, category_id=1, bbox=[8, 8, 9, 9])
            for n in range(3)
        ],
    )
    png = encode(Image.fromarray(mask))
    return [
        Case(
            'input.png',
            png,
            (mutate.mutate_bytes, mutate.mutate_png),
            _read_mask,
        ),
        Case(
            'train.json',
            json.dumps(content).encode(),
            (mutate.mutate_bytes, mutate.mutate_json),
            _read_coco,
        ),
    ]


def _read_video(path: Path, out: Path) -> None:
    from mmdsr.converters.video_to_refsr import video_to_refsr

    try:
        summary = video_to_refsr([path], out, holdout=(0,))
    except ValueError as error:
        # With a single file, the tool need not name it.
        raise ValueError(f'{path.name}: {error}') from error
    shutil.rmtree(out)
    if summary.problems:
        raise ValueError(f'{path.name}: {summary.problems[0][-1]}')


def videos() -> list[Case]:
    """Short recordings of the usual containers and codecs."""
    import tempfile

    import av

    files = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, codec in (
            ('mp4', 'mpeg4'),
            ('avi', 'mjpeg'),
            ('mpg', 'mpeg2video'),
            ('mkv', 'libx264'),
            ('mov', 'libx264'),
            ('ts', 'mpeg2video'),
        ):
            path = Path(folder, f'{NAME}.{suffix}')
            with av.open(str(path), 'w') as container:
                # By name, PyAV's hints know nothing of the kind of stream.
                stream: Any = container.add_stream(codec, rate=25)
                stream.width, stream.height = 96, 80
                stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
                surface = np.asarray(
                    Image.fromarray(picture(0, 20, 24)).resize((192, 160), 3)
                )
                for number in range(15):
                    view = surface[number : number + 80, number : number + 96]
                    frame = av.VideoFrame.from_ndarray(
                        np.ascontiguousarray(view), 'rgb24'
                    )
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            files.append((path.name, path.read_bytes()))
    mutators = (mutate.mutate_bytes,)
    return [Case(name, data, mutators, _read_video) for name, data in files]


def _read_record(path: Path, out: Path) -> None:
    from mmdsr.evidence.sidecar import read_sidecar

    read_sidecar(path)


def records() -> list[Case]:
    """Side-cars that say how a result was made."""
    from mmdsr.evidence.record import (
        Frame,
        NamedFile,
        Output,
        Record,
        Reference,
        Source,
        to_json,
    )

    record = Record(
        '2026-01-31T12:00:00Z',
        Source('a.jpg', 'a' * 64),
        NamedFile('x.safetensors', 'b' * 64),
        {'mmdsr': '0.1.0'},
        {'scale': 4, 'tile': 'auto'},
        None,
        Output('a.png', 'image', 64, 48, 'c' * 64, 'd' * 64),
        (Frame(0, None, Reference('b.jpg', 'e' * 64, ''), 0.3, 0.6),),
    )
    mutators = (mutate.mutate_bytes, mutate.mutate_json)
    data = to_json(record).encode()
    return [Case('input.png.json', data, mutators, _read_record)]


#: Makers of the cases by the name of the kind.
KINDS = {
    'images': images,
    'depth': depth,
    'checkpoints': checkpoints,
    'weights': weights,
    'manifests': manifests,
    'records': records,
    'csv': tables,
    'coco': coco,
    'videos': videos,
    'recordings': recordings,
}
