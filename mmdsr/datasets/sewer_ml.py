"""Sewer-ML for mmpretrain."""

import logging
import os
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import MultiLabelDataset

from mmdsr.datasets.sewer_ml_csv import LABEL_SETS, read_rows
from mmdsr.io.listing import missing_files, some
from mmdsr.registry import DATASETS


@DATASETS.register_module()
class SewerMLDataset(MultiLabelDataset):
    """The multi-label sewer defects of Sewer-ML, or data of that format.

    Reads the official CSV table (see :mod:`mmdsr.datasets.sewer_ml_csv`). Each
    item has ``img_path`` and ``gt_label``, the indices of the classes that are
    present; an image without any has an empty list, which stands for the
    implicit class "normal" of the benchmark.

    Args:
        ann_file: The CSV file.
        label_set: ``'17'``: all classes of the benchmark. ``'15'``: those of
            the DSRNet paper, without PB and OS; an image that shows only these
            two then has no class. ``'defect'``: one class, whether there is
            any defect.
        only_defective: Use only the images with ``Defect = 1``, on which the
            second stage of a two-stage classifier is trained.
        missing: What to do about listed images that do not exist: ``'error'``
            raises an error, ``'skip'`` leaves them out with a warning, so that
            a part of the official archives can be used.
        **kwargs: See mmpretrain's ``MultiLabelDataset``; mainly ``data_root``,
            ``data_prefix`` (the folder of the images) and ``pipeline``. The
            classes come from ``label_set``.

    Raises:
        ValueError: If an argument or the table does not fit, or no image is
            left.
        FileNotFoundError: If the table, the folder or an image is missing.
    """

    def __init__(
        self,
        ann_file: str,
        label_set: str = '17',
        only_defective: bool = False,
        missing: str = 'error',
        **kwargs: object,
    ) -> None:
        if label_set not in LABEL_SETS:
            raise ValueError(
                f'label_set must be one of {tuple(LABEL_SETS)}, not '
                f'{label_set!r}.'
            )
        if missing not in ('error', 'skip'):
            raise ValueError(
                f"missing must be 'error' or 'skip', not {missing!r}."
            )
        if 'classes' in kwargs:
            raise ValueError('Use label_set instead of classes.')
        self.label_set = label_set
        self.only_defective = only_defective
        self.missing = missing
        super().__init__(ann_file, classes=LABEL_SETS[label_set], **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images.

        Returns:
            ``img_path`` and ``gt_label`` of each.
        """
        codes = LABEL_SETS[self.label_set]
        labels = {
            row['Filename']: [i for i, c in enumerate(codes) if row[c] == '1']
            for row in read_rows(self.ann_file)
            if row['Defect'] == '1' or not self.only_defective
        }
        lost = missing_files(self.img_prefix, labels)
        if lost:
            text = (
                f'{self.img_prefix} lacks {len(lost)} of the {len(labels)} '
                f'images of {self.ann_file}: {some(lost)}.'
            )
            if self.missing == 'error':
                raise FileNotFoundError(
                    f"{text} Set data_prefix, or use missing='skip' to use "
                    'only existing images.'
                )
            print_log(f'{text} They are skipped.', 'current', logging.WARNING)
            for name in lost:
                del labels[name]
        if not labels:
            raise ValueError(
                f'{self.ann_file} lists no usable image in {self.img_prefix}.'
            )
        return [
            {
                # As strings, because a million Path objects would take much
                # memory.
                'img_path': os.path.join(self.img_prefix, name),  # noqa: PTH118
                'gt_label': label,
            }
            for name, label in labels.items()
        ]
