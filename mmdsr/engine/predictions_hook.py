"""Predictions of a test in files, whatever the host."""

import json
from pathlib import Path

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from PIL import Image

from mmdsr.io.files import write_bytes
from mmdsr.io.images import write_png
from mmdsr.registry import HOOKS

LIST = 'predictions.json'


@HOOKS.register_module()
class SavePredictionsHook(Hook):
    """Saves what a test predicts for some of its images, and the truth.

    Writes ``predictions.json`` with ``classes``, ``palette`` and a list
    ``images``, each with ``img_path``, ``pred`` and ``truth``. These have
    what the host's samples have:

    - ``mask``: name of a PNG of class ids (segmentation),
    - ``boxes``, ``labels``, ``scores``: in pixels of the file (detection),
    - ``classes``: ids of the classes that are present (classification).

    Args:
        out (str): Folder.
        images (int): How many images, evenly spread. Defaults to 40.
        min_score (float): Boxes below are left out. Defaults to 0.3.
    """

    def __init__(self, out, images=40, min_score=0.3):
        self.out = Path(out)
        self.images = images
        self.min_score = min_score
        self._found = []

    def before_test_epoch(self, runner):
        """Choose the images."""
        self._found = []
        total = len(runner.test_dataloader.dataset)
        count = min(self.images, total)
        self._chosen = set(np.linspace(0, total - 1, count, dtype=int))
        self._seen = 0

    def after_test_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        """Take the outputs of one batch."""
        for sample in outputs or []:
            number, self._seen = self._seen, self._seen + 1
            # On several ranks the order is another; the first has enough.
            if number in self._chosen and is_main_process():
                self._found.append(self._describe(sample))

    def after_test_epoch(self, runner, metrics=None):
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

    def _describe(self, sample):
        path = sample.get('img_path')
        item = dict(img_path=str(path))
        for kind, prefix in (('pred', 'pred'), ('truth', 'gt')):
            item[kind] = part = {}
            mask = sample.get(f'{prefix}_sem_seg')
            if mask is not None:
                name = f'{len(self._found):04d}_{kind}.png'
                ids = mask.data.squeeze(0).cpu().numpy().astype(np.uint8)
                write_png(self.out / name, ids)
                part['mask'] = name
            found = sample.get(f'{prefix}_instances')
            if found is not None and 'bboxes' in found:
                part.update(self._boxes(found))
            # As in the annotation file, whatever the pipeline has made of
            # "gt_instances" since.
            listed = sample.get('instances')
            if kind == 'truth' and listed is not None:
                part['boxes'] = [list(box['bbox']) for box in listed]
                part['labels'] = [int(box['bbox_label']) for box in listed]
            label = sample.get(f'{prefix}_label')
            if label is not None:
                part['classes'] = label.flatten().tolist()
        return item

    def _boxes(self, found):
        boxes = found.bboxes
        boxes = getattr(boxes, 'tensor', boxes).cpu()
        part = dict(boxes=boxes.tolist(), labels=found.labels.tolist())
        if 'scores' in found:
            keep = (found.scores >= self.min_score).cpu()
            part['boxes'] = boxes[keep].tolist()
            part['labels'] = found.labels.cpu()[keep].tolist()
            part['scores'] = found.scores.cpu()[keep].tolist()
        return part


def read_predictions(folder):
    """Read what the hook wrote.

    Args:
        folder (str or Path): Its folder.

    Returns:
        dict: As written, masks as arrays (H, W) uint8.

    Raises:
        FileNotFoundError: If there is none.
    """
    folder = Path(folder)
    content = json.loads((folder / LIST).read_text(encoding='utf-8'))
    for item in content['images']:
        for kind in ('pred', 'truth'):
            if 'mask' in item[kind]:
                with Image.open(folder / item[kind]['mask']) as image:
                    item[kind]['mask'] = np.asarray(image)
    return content
