"""Versions of a data set: new images and links to everything else."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from mmdsr.engine.sr_input import INTERPOLATED
from mmdsr.errors import CheckpointError, UsageError
from mmdsr.inference import SuperResolver
from mmdsr.io.checkpoint import find_checkpoint
from mmdsr.io.checksums import digest
from mmdsr.io.folder_job import FolderJob, open_all
from mmdsr.io.frames import SUFFIXES, read_rgb
from mmdsr.io.identity import identify_images
from mmdsr.io.images import downscale, encode_png, write_png
from mmdsr.io.listing import natural_order
from mmdsr.models.networks.padding import SCALE
from mmdsr.weights.index import weight_path
from mmdsr.weights.load import SUFFIXES as WEIGHT_SUFFIXES

_NOTE = 'version.json'
#: Files that describe the HR images.
_NOT_LINKED = {'manifest.json', 'SHA256SUMS'}
_SMALL = 'small'
_DIGITS = re.compile(r'-[0-9a-f]{8}$')
#: Suffix of a model whose reference is the previous frame.
_NEIGHBOR = '+neighbor'


@dataclass
class Version:
    """A version of the images.

    Args:
        name: Name of its folder.
        label: Name in the table.
        resolver: Arguments of :class:`mmdsr.inference.SuperResolver` on the
            small images; ``None`` for the HR images as they are.
        identity: What distinguishes networks.
    """

    name: str
    label: str
    resolver: dict[str, Any] | None = None
    identity: str = field(default='', repr=False)

    @property
    def is_sr(self) -> bool:
        """Whether the images are made by a network."""
        return bool(self.resolver and 'interpolation' not in self.resolver)


LR = Version('lr', 'LR', INTERPOLATED['lr'])
BICUBIC = Version('bicubic', 'bicubic', INTERPOLATED['bicubic'])
HR = Version('hr', 'HR')


def parse_sr(text: str) -> Version:
    """Parse one super-resolution model of the command line.

    Args:
        text: Name or file of published weights, or ``CONFIG:CHECKPOINT``. A
            label and ``=`` may precede it. With ``+neighbor`` after it, the
            reference is the small image of the previous frame, or of the next
            one for the first frame.

    Returns:
        The version made by the model.

    Raises:
        UsageError: If it does not exist.
    """
    model = text.removesuffix(_NEIGHBOR)
    label, _, source = model.rpartition('=')
    config, colon, checkpoint = source.rpartition(':')
    try:
        if colon and config.endswith('.py'):
            if not Path(config).is_file():
                raise UsageError(f'--sr: the config {config} does not exist.')
            file = find_checkpoint(checkpoint).resolve()
            # The network depends on the config, too.
            identity = f'{digest(config)} {digest(file)}'
            resolver = dict(
                config=str(Path(config).resolve()), checkpoint=str(file)
            )
            label = label or Path(config).stem
        else:
            file = Path(source)
            if file.suffix not in WEIGHT_SUFFIXES:
                file = weight_path(source)
            elif not file.is_file():
                raise UsageError(f'--sr: {file} does not exist.')
            identity = digest(file)
            resolver = dict(weights=str(file.resolve()))
            label = label or _DIGITS.sub('', Path(source).stem)
    except (CheckpointError, FileNotFoundError) as error:
        raise UsageError(f'--sr {text}: {error}') from error
    if model != text:
        resolver['reference'] = 'neighbor'
        identity = f'{identity} neighbor'
        label = f'{label}, neighbor'
    name = re.sub(r'[^a-z0-9_.]+', '-', label.lower()).strip('-.')
    return Version(f'sr-{name}', f'SR({label})', resolver, identity)


def make_versions(models: Sequence[str]) -> list[Version]:
    """Return all versions in the order of the table.

    Args:
        models: Results of :func:`parse_sr`.

    Returns:
        LR, bicubic, one per model, HR.

    Raises:
        UsageError: If two models would share a folder, or there is none.
    """
    found: dict[str, Version] = {}
    for text in models:
        version = parse_sr(text)
        other = found.setdefault(version.name, version)
        if other.identity != version.identity:
            raise UsageError(
                f'--sr: two models are called {version.label}: use '
                'LABEL=MODEL.'
            )
    if not found:
        raise UsageError('--sr needs at least one model.')
    return [LR, BICUBIC, *found.values(), HR]


def list_images(folder: Path) -> list[Path]:
    """List the images below a folder.

    Args:
        folder: The folder.

    Returns:
        Paths relative to it.

    Raises:
        UsageError: If there is none.
    """
    if not folder.is_dir():
        raise UsageError(
            f'There is no folder {folder}: set --data-root, or the data_root '
            'and data_prefix of the config.'
        )
    found = natural_order(
        path.relative_to(folder)
        for path in folder.rglob('*')
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not found:
        raise UsageError(f'{folder} has no images.')
    return found


def read_image(path: Path) -> np.ndarray:
    """Read an image.

    Args:
        path: The file.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: If it cannot be read.
    """
    try:
        return read_rgb(path)[0]
    except ValueError as error:
        raise UsageError(f'{path}: {error}.') from error


def shrink(image: np.ndarray, scale: int = SCALE) -> np.ndarray:
    """Reduce an image, padding its edge if a side is not a multiple.

    Args:
        image: (H, W, 3) uint8.
        scale: Factor. Defaults to 4.

    Returns:
        (ceil(H / scale), ceil(W / scale), 3) uint8.
    """
    rest = [-side % scale for side in image.shape[:2]]
    padded = np.pad(image, ((0, rest[0]), (0, rest[1]), (0, 0)), mode='edge')
    return downscale(padded, scale)


def link_rest(source: Path, target: Path, folders: set[Path]) -> None:
    """Link everything in a data set except its images.

    Args:
        source: The data set.
        target: Its version.
        folders: Absolute paths of the image folders; other files in them are
            linked, too.
    """
    for entry in sorted(source.iterdir()):
        inside = any(
            folder == entry or folder in entry.parents for folder in folders
        )
        above = any(entry in folder.parents for folder in folders)
        place = target / entry.name
        if entry.is_dir() and (inside or above):
            link_rest(entry, place, folders)
        elif inside and entry.suffix.lower() in SUFFIXES:
            continue
        elif not place.exists() and entry.name not in _NOT_LINKED:
            _link(entry.resolve(), place)


def _link(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(source, target_is_directory=source.is_dir())
    # Links need a privilege (Windows) or are not supported.
    except OSError:
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copy2(source, place)


def version_roots(
    root: Path, out: Path, versions: Sequence[Version]
) -> dict[str, str]:
    """Return where the versions of a data set are or will be.

    Args:
        root: The data set.
        out: Folder for the versions of all data sets.
        versions: The versions.

    Returns:
        Root of each version by its name.
    """
    return {
        version.name: str(
            (out / root.name / version.name).absolute()
            if version.resolver
            else root
        )
        for version in versions
    }


def export(
    root: Path,
    folders: Sequence[str],
    versions: Sequence[Version],
    out: Path,
    console: Console,
    others: Sequence[str] = (),
    batch: int = 4,
) -> None:
    """Create the missing images of all versions of a data set.

    Files are written completely or not at all, so that an interrupted export
    can continue. They keep their names, which annotations refer to, but their
    content is always PNG, because lossy compression would affect the measured
    results.

    Args:
        root: The data set.
        folders: Its folders of images to be recreated.
        versions: The versions.
        out: Folder for the versions of all data sets.
        console: Console for the progress.
        others: Folders of images that no version needs.
        batch: Number of images processed at a time.

    Raises:
        OtherSettingsError: If a folder holds another version.
        UsageError: If an image cannot be read.
    """
    base = out / root.name
    roots = version_roots(root, out, versions)
    made = [version for version in versions if version.resolver]
    jobs = _folder_jobs(root, base, made)
    open_all(jobs.values())
    link = base / HR.name
    if not os.path.lexists(link):
        _link(root, link)
    names = [
        Path(folder) / name
        for folder in folders
        for name in list_images(root / folder)
    ]
    left = track(
        names,
        description=f'{root.name}: small images',
        console=console,
        transient=True,
    )
    small = jobs[_SMALL].root
    jobs[_SMALL].run(
        ((name, root / name) for name in left),
        lambda path: encode_png(shrink(read_image(path))),
    )
    every = {root / folder for folder in (*folders, *others)}
    for version in made:
        target = Path(roots[version.name])
        link_rest(root, target, every)
        left = jobs[version.name].missing(names)
        if not left:
            continue
        resolver = SuperResolver(**(version.resolver or {}))
        for start in track(
            range(0, len(left), batch),
            description=f'{root.name}: {version.label}',
            console=console,
            transient=True,
        ):
            _enlarge(resolver, root, small, target, left[start:][:batch])


def _enlarge(
    resolver: SuperResolver,
    root: Path,
    small: Path,
    target: Path,
    names: Sequence[Path],
) -> None:
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    images = [
        torch.from_numpy(read_image(small / name)[..., ::-1].copy())
        .permute(2, 0, 1)
        .to(device)
        for name in names
    ]
    # Neighbors, too, are available only as small images.
    samples = [dict(img_path=str(small / name)) for name in names]
    for name, result in zip(names, resolver(images, samples), strict=True):
        height, width = read_image(root / name).shape[:2]
        image = result.cpu().permute(1, 2, 0).numpy().astype(np.uint8)
        # Remove the padding of shrink().
        write_png(target / name, image[:height, :width, ::-1].copy())


def _folder_jobs(
    root: Path, base: Path, versions: Sequence[Version]
) -> dict[str, FolderJob]:
    """Return the folders of the small images and of all versions."""
    origins = {_SMALL: _origin(root, _SMALL)}
    origins |= {version.name: origin_of(root, version) for version in versions}
    return {
        name: FolderJob(
            base / name,
            origin,
            _NOTE,
            'choose another --out, or remove that folder',
        )
        for name, origin in origins.items()
    }


def origin_of(root: Path, version: Version) -> dict[str, str]:
    """Return what the images of a version depend on.

    Args:
        root: The data set.
        version: The version.

    Returns:
        The data set, what identifies it, and what makes the images.
    """
    interpolation = (version.resolver or {}).get('interpolation')
    return _origin(root, interpolation or version.identity)


def _origin(root: Path, maker: str) -> dict[str, str]:
    return dict(root=str(root), **identify_images(root), made_by=maker)
