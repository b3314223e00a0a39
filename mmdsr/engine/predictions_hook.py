"""Write the predictions of a test to files, for any host."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image

from mmdsr.io.files import write_bytes
from mmdsr.io.images import write_png
from mmdsr.registry import HOOKS

LIST = 'predictions.json'


@HOOKS.register_module()
class SavePredictionsHook(Hook):
    """Save predictions and truth of some images of a test.

    Writes ``predictions.json`` with ``classes``, ``palette`` and a list
    ``images``, each with ``img_path``, ``pred`` and ``truth``. These contain
    those of the following that the samples of the host have:

    - ``mask``: name of a PNG of class ids (segmentation),
    - ``boxes``, ``labels``, ``scores``: in pixels of the file (detection),
    - ``classes``: ids of the classes that are present (classification).

    Args:
        out: Folder to write to.
        images: Number of images, evenly spread over the data set.
        min_score: Boxes with a lower score are left out.
    """

    def __init__(
        self, out: str, images: int = 40, min_score: float = 0.3
    ) -> None:
        self.out = Path(out)
        self.images = images
        self.min_score = min_score
        self._found: list[dict[str, Any]] = []

    def before_test_epoch(self, runner: Runner) -> None:
        """Choose the images."""
        self._found = []
        total = len(runner.test_dataloader.dataset)
        count = min(self.images, total)
        self._chosen = set(np.linspace(0, total - 1, count, dtype=int))
        self._seen = 0

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Store the outputs of one batch."""
        for sample in outputs or []:
            number, self._seen = self._seen, self._seen + 1
            # Several ranks have another order; the first rank is sufficient.
            if number in self._chosen and is_main_process():
                self._found.append(self._describe(sample))

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Write the list."""
        if not is_main_process():
            return
        meta = runner.test_dataloader.dataset.metainfo
        names = meta.get('classes') or []
        codes = meta.get('codes') or names
        content = dict(
            classes=[str(c or n) for c, n in zip(codes, names, strict=False)],
            palette=[list(map(int, c)) for c in meta.get('palette') or []],
            images=self._found,
        )
        write_bytes(self.out / LIST, json.dumps(content).encode())

    def _describe(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        path = sample.get('img_path')
        item: dict[str, Any] = dict(img_path=str(path))
        for kind, prefix in (('pred', 'pred'), ('truth', 'gt')):
            part: dict[str, Any] = {}
            item[kind] = part
            mask = sample.get(f'{prefix}_sem_seg')
            if mask is not None:
                name = f'{len(self._found):04d}_{kind}.png'
                ids = mask.data.squeeze(0).cpu().numpy().astype(np.uint8)
                write_png(self.out / name, ids)
                part['mask'] = name
            found = sample.get(f'{prefix}_instances')
            if found is not None and 'bboxes' in found:
                part.update(self._boxes(found))
            # As in the annotation file; the pipeline may have changed
            # "gt_instances".
            listed = sample.get('instances')
            if kind == 'truth' and listed is not None:
                part['boxes'] = [list(box['bbox']) for box in listed]
                part['labels'] = [int(box['bbox_label']) for box in listed]
            label = sample.get(f'{prefix}_label')
            if label is not None:
                part['classes'] = label.flatten().tolist()
        return item

    def _boxes(self, found: InstanceData) -> dict[str, list[Any]]:
        boxes = found.bboxes
        boxes = getattr(boxes, 'tensor', boxes).cpu()
        part = dict(boxes=boxes.tolist(), labels=found.labels.tolist())
        if 'scores' in found:
            keep = (found.scores >= self.min_score).cpu()
            part['boxes'] = boxes[keep].tolist()
            part['labels'] = found.labels.cpu()[keep].tolist()
            part['scores'] = found.scores.cpu()[keep].tolist()
        return part


def read_predictions(folder: Path | str) -> dict[str, Any]:
    """Read the files that :class:`SavePredictionsHook` wrote.

    Args:
        folder: Folder of the files.

    Returns:
        The content of ``predictions.json``, with masks as arrays (H, W) uint8.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    folder = Path(folder)
    content = json.loads((folder / LIST).read_text(encoding='utf-8'))
    for item in content['images']:
        for kind in ('pred', 'truth'):
            if 'mask' in item[kind]:
                with Image.open(folder / item[kind]['mask']) as image:
                    item[kind]['mask'] = np.asarray(image)
    return content
