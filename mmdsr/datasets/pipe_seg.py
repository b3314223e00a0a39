"""The Pipe data set (Pan et al. 2020) for mmsegmentation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmseg.datasets import BaseSegDataset

from mmdsr.datasets.pipe_labels import IGNORED
from mmdsr.io.listing import missing_files, some
from mmdsr.registry import DATASETS


@DATASETS.register_module()
class PipeSegDataset(BaseSegDataset):
    """Defect masks of joint offset, intruding lateral and infiltration.

    Images and masks are in two folders and have equal stems. A mask contains
    the class id of each pixel: 0 background, 1 joint offset (JO), 2 intruding
    lateral (IL), 3 infiltration (IN), 255 ignored.

    Args:
        source_classes: Names of the ids in the masks, if they are not the four
            above in that order; the masks of the authors have five. Pixels of
            any other class are treated as ``other`` says.
        other: ``'background'`` or ``'ignore'``.
        **kwargs: See mmseg's ``BaseSegDataset``; mainly ``data_root`` and
            ``data_prefix=dict(img_path=..., seg_map_path=...)``. Both suffixes
            are ``'.png'`` unless given.

    Masks with three channels need ``mmdsr.LoadPipeMask`` in place of
    ``LoadAnnotations``.

    Raises:
        ValueError: If the arguments do not fit, or a link goes in circles.
        FileNotFoundError: If a folder or mask is missing, or there is no
            image.
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(
        classes=(
            'background',
            'joint offset',
            'intruding lateral',
            'infiltration',
        ),
        codes=('', 'JO', 'IL', 'IN'),
        palette=[[0, 0, 0], [230, 159, 0], [0, 158, 115], [86, 180, 233]],
    )

    def __init__(
        self,
        img_suffix: str = '.png',
        seg_map_suffix: str = '.png',
        source_classes: Sequence[str] | None = None,
        other: str = 'background',
        lazy_init: bool = False,
        **kwargs: object,
    ) -> None:
        if other not in ('background', 'ignore'):
            raise ValueError(
                f"other must be 'background' or 'ignore', not {other!r}."
            )
        if kwargs.get('reduce_zero_label'):
            raise ValueError(
                'reduce_zero_label would ignore the background, which is a '
                'class here: leave it out, or give the ids of the masks in '
                'source_classes.'
            )
        super().__init__(
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            lazy_init=True,
            **kwargs,
        )
        self.label_map = self._label_map(source_classes, other)
        self._metainfo['label_map'] = self.label_map
        if not lazy_init:
            self.full_init()

    def _label_map(
        self, source_classes: Sequence[str] | None, other: str
    ) -> dict[int, int] | None:
        """Map the ids in the masks to the labels; None if they are equal."""
        classes = tuple(self._metainfo['classes'])
        source = tuple(source_classes or self.METAINFO['classes'])
        lacking = [name for name in classes if name not in source]
        if lacking or len(set(source)) != len(source):
            raise ValueError(
                f'source_classes {source} must list each id once and contain '
                f'each of {classes}.'
            )
        rest = IGNORED
        if other == 'background' and 'background' in classes:
            rest = classes.index('background')
        # With a subset of the classes in ``metainfo``, mmseg maps the other
        # classes to the ignored value.
        own = self.METAINFO['classes']
        ids = {
            i: classes.index(name)
            if name in classes
            else (IGNORED if name in own else rest)
            for i, name in enumerate(source)
        }
        return None if source == classes else ids

    def load_data_list(self) -> list[dict[str, Any]]:
        """List images and masks.

        Returns:
            See ``BaseSegDataset.load_data_list``.
        """
        folder = self.data_prefix.get('img_path')
        if not folder or not Path(folder).is_dir():
            raise FileNotFoundError(
                f'There is no folder {folder}: set data_root and '
                'data_prefix=dict(img_path=..., seg_map_path=...).'
            )
        try:
            samples = super().load_data_list()
        except OSError as error:
            raise ValueError(
                f'{folder} cannot be listed: {error.strerror}. Remove links '
                'that lead back to a folder above them.'
            ) from error
        if not samples:
            raise FileNotFoundError(
                f'{folder} has no images *{self.img_suffix}: set img_suffix.'
            )
        masks = self.data_prefix.get('seg_map_path')
        if masks is not None:
            names = [
                str(Path(sample['seg_map_path']).relative_to(masks))
                for sample in samples
            ]
            lost = missing_files(masks, names)
            if lost:
                raise FileNotFoundError(
                    f'{masks} lacks masks for {len(lost)} of the {len(names)} '
                    f'images of {folder}: {some(lost)}. A mask must have the '
                    'stem of its image.'
                )
        return samples
