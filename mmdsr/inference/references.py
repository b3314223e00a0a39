"""Find the reference of an image."""

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmdsr.io.frames import SUFFIXES, read_rgb
from mmdsr.io.listing import natural_order

#: A data sample or its metainfo.
Sample: TypeAlias = BaseDataElement | dict[str, Any]

POLICIES = ('upscaled', 'self', 'file', 'neighbor')
#: Support of the cubic filter beyond a cut, in pixels of LR.
_HALO = 4
_FLIPS = {'horizontal': [-1], 'vertical': [-2], 'diagonal': [-2, -1]}


class References:
    """Finds the reference of an image by one of four policies.

    Two of them need no second image. ``'upscaled'``: the image itself,
    enlarged by Pillow's bicubic filter; networks are trained with references
    of that size, and this replacement was the best of those compared
    (docs/results.md). ``'self'``: the image itself, as in the paper
    (section 5.3).

    ``'file'``: the file ``ref_path`` of the metainfo; like ``img_path``, it
    is absolute or relative to the working directory.
    ``'neighbor'``: the previous frame of the same folder, or the next one
    for the first; frames are in natural order of their names, and those
    whose names end in a number belong together only if the names agree
    before it (``run1_0007`` and ``run1_0008``). A lone frame has no
    neighbor: it is treated as with ``'upscaled'``, with a single warning.

    A reference from a file is flipped if the metainfo (``flip``,
    ``flip_direction``) says that the image was. It may have any size; see
    :func:`at_full_size` for one that is no larger than the image. It is not
    cropped like the image: a crop whose file has a reference is enlarged with
    the whole of it, with a single warning.

    Args:
        policy: One of :data:`POLICIES`.

    Raises:
        ValueError: If there is no such policy.
    """

    def __init__(self, policy: str = 'upscaled') -> None:
        if policy not in POLICIES:
            raise ValueError(
                f'reference must be one of {POLICIES}, not {policy!r}.'
            )
        self.policy = policy
        self._folders: dict[Path, dict[str | None, list[str]]] = {}
        self._warned: set[str] = set()

    def refresh(self) -> None:
        """Forget the listed folders: frames may have been added or removed."""
        self._folders.clear()

    def find(self, sample: Sample | None) -> Tensor | None:
        """Return the reference of a sample.

        Args:
            sample: Data sample or its metainfo.

        Returns:
            The reference (3, Hr, Wr), BGR uint8, or ``None``.

        Raises:
            ValueError: If the metainfo lacks what the policy needs, or the
                file cannot be read.
            FileNotFoundError: If the file does not exist.
        """
        info = metainfo_of(sample)
        path = self.path(info)
        if path is None:
            return None
        if _is_cropped(info):
            self._warn(
                'crop',
                f'{info.get("img_path", "An image")} seems to be cropped, but '
                f'its reference {path.name} is used whole and shows the scene '
                'elsewhere: enlarge before the crop, with mmdsr.SuperResolve '
                'or tools/super_resolve.py.',
            )
        try:
            pixels, _ = read_rgb(path)
        except ValueError as error:
            raise ValueError(
                f'The reference {path} cannot be used: {error}.'
            ) from error
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).flip(0)
        return image.flip(_flips(info))

    def path(self, info: Mapping[str, Any]) -> Path | None:
        """Return the file of the reference of a sample.

        Args:
            info: Metainfo of the sample.

        Returns:
            The file; ``None`` if there is no reference.

        Raises:
            ValueError: If the metainfo lacks what the policy needs.
            FileNotFoundError: If the file does not exist.
        """
        if self.policy == 'file':
            return self._file(info)
        if self.policy == 'neighbor':
            return self._neighbor(info)
        return None

    def _file(self, info: Mapping[str, Any]) -> Path:
        path = _path(info, 'ref_path', self.policy)
        if not path.is_file():
            raise FileNotFoundError(
                f'The reference {path} (ref_path) of '
                f'{info.get("img_path", "an image")} does not exist (relative '
                f'to {Path.cwd()}).'
            )
        return path

    def _neighbor(self, info: Mapping[str, Any]) -> Path | None:
        path = _path(info, 'img_path', self.policy)
        frames = self._frames(path)
        if path.name not in frames:
            # It may have been added after the folder was listed.
            self._folders.pop(path.parent, None)
            frames = self._frames(path)
        if path.name not in frames:
            raise FileNotFoundError(
                f'{path} (img_path) is not an image in its folder (relative '
                f"to {Path.cwd()}), so reference='neighbor' finds no frame "
                'next to it.'
            )
        if len(frames) == 1:
            self._warn(
                'lone',
                f'{path} has no neighbor: like other single frames, it is '
                'enlarged without a reference.',
            )
            return None
        index = frames.index(path.name)
        return path.with_name(frames[index - 1 if index else 1])

    def _warn(self, kind: str, message: str) -> None:
        """Warn of the first of a kind."""
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(message, stacklevel=3)

    def _frames(self, path: Path) -> list[str]:
        """Return the names of a frame's sequence in natural order."""
        folder = path.parent
        if folder not in self._folders:
            self._folders[folder] = _list_sequences(folder)
        return self._folders[folder].get(sequence_of(path.stem), [])


def sequence_of(stem: str) -> str | None:
    """Return the common part of the names of a sequence.

    Args:
        stem: File name without suffix.

    Returns:
        The part before the number at the end; None without a number.
    """
    found = re.fullmatch(r'(.*?)\d+', stem)
    return None if found is None else found[1]


def _list_sequences(folder: Path) -> dict[str | None, list[str]]:
    """List a folder: names in natural order per sequence."""
    names = [
        path.name
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith('.')
    ]
    sequences: dict[str | None, list[str]] = {}
    for name in natural_order(names):
        sequences.setdefault(sequence_of(Path(name).stem), []).append(name)
    return sequences


def metainfo_of(sample: Sample | None) -> dict[str, Any]:
    """Return the metainfo of a sample.

    Args:
        sample: Data sample or its metainfo.

    Returns:
        The metainfo, or an empty dictionary.
    """
    info = getattr(sample, 'metainfo', sample)
    return info if isinstance(info, dict) else {}


def at_full_size(reference: Tensor, image: Tensor, scale: int) -> Tensor:
    """Enlarge a reference that has no more pixels than the image.

    It is another frame of the same recording. Networks are trained with
    references that show the scene ``scale`` times as large, and do not
    benefit from one that shows it as small as LR (docs/results.md).

    Args:
        reference: (3, Hr, Wr) in 0..255.
        image: LR image (3, H, W).
        scale: Factor by which rows and columns increase.

    Returns:
        The reference; if neither side is longer than the image's, enlarged by
        Pillow's bicubic filter.
    """
    size = reference.shape[-2:]
    if any(
        own > other for own, other in zip(size, image.shape[-2:], strict=True)
    ):
        return reference
    window = [(0, side * scale) for side in size]
    return enlarged(reference, window, scale)


def enlarged(
    image: Tensor, window: Sequence[tuple[int, int]], scale: int
) -> Tensor:
    """Enlarge a part of an image, as a stand-in for its reference.

    Args:
        image: LR image (3, H, W) in 0..255.
        window: The part, in pixels of the enlarged image.
        scale: Factor by which rows and columns increase.

    Returns:
        That part of the image enlarged by Pillow's bicubic filter, (3, h, w)
        float32 with integer values in 0..255.
    """
    spans, cuts = [], []
    for (start, stop), length in zip(window, image.shape[-2:], strict=True):
        first = max(0, start // scale - _HALO)
        last = min(length, -(-stop // scale) + _HALO)
        spans.append(slice(first, last))
        cuts.append(slice(start - first * scale, stop - first * scale))
    large = F.interpolate(
        image[:, spans[0], spans[1]][None].float(),
        scale_factor=scale,
        mode='bicubic',
        align_corners=False,
        # With it, torch uses Pillow's cubic kernel.
        antialias=True,
    )
    return large[0][:, cuts[0], cuts[1]].clamp(0, 255).round()


def _path(info: Mapping[str, Any], key: str, policy: str) -> Path:
    if not info.get(key):
        raise ValueError(
            f"reference={policy!r} needs {key} in each sample's metainfo: "
            f"return it from the data set, and add '{key}' to the meta_keys "
            'of the Pack... transform.'
        )
    return Path(info[key])


def _is_cropped(info: Mapping[str, Any]) -> bool:
    """Tell whether an image shows only a part of its file."""
    if not ('ori_shape' in info and 'img_shape' in info):
        return False
    factor = info.get('scale_factor')
    factor = np.ravel(1.0 if factor is None else factor)
    # Width and height; older hosts repeat them.
    wide, high = factor[:2] if len(factor) > 1 else (factor[0],) * 2
    whole = info['ori_shape'][0] * high, info['ori_shape'][1] * wide
    # Resizing rounds.
    return any(
        side < full - 1
        for side, full in zip(info['img_shape'][:2], whole, strict=True)
    )


def _flips(info: Mapping[str, Any]) -> list[int]:
    if not info.get('flip'):
        return []
    direction = info.get('flip_direction') or 'horizontal'
    if direction not in _FLIPS:
        raise ValueError(
            f'flip_direction must be one of {tuple(_FLIPS)}, not '
            f'{direction!r}.'
        )
    return _FLIPS[direction]
