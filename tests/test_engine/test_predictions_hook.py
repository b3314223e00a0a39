"""Predictions in files, from the samples of all three hosts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from mmdsr.engine.predictions_hook import read_predictions
from mmdsr.registry import HOOKS


def run(folder, batches, meta, **kwargs):
    """Run the hook over batches as a test does; return what is read back."""
    hook = HOOKS.build(
        dict(type='mmdsr.SavePredictionsHook', out=str(folder), **kwargs)
    )
    samples = [sample for batch in batches for sample in batch]

    class Sized:
        metainfo = meta

        def __len__(self):
            return len(samples)

    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=Sized()))
    hook.before_test_epoch(runner)
    for number, batch in enumerate(batches):
        hook.after_test_iter(runner, number, None, batch)
    hook.after_test_epoch(runner)
    return read_predictions(folder)


def test_masks(tmp_path):
    sample = BaseDataElement(metainfo=dict(img_path='a/x.png'))
    truth = torch.tensor([[[0, 255, 3]]])
    sample.gt_sem_seg = PixelData(data=truth)
    sample.pred_sem_seg = PixelData(data=torch.tensor([[[0, 1, 3]]]))
    meta = dict(
        classes=('background', 'a', 'b', 'c'),
        codes=('', 'A', 'B', 'C'),
        palette=[[1, 2, 3]],
    )
    found = run(tmp_path, [[sample]], meta)
    # A code where there is one.
    assert found['classes'] == ['background', 'A', 'B', 'C']
    assert found['palette'] == [[1, 2, 3]]
    (item,) = found['images']
    assert item['img_path'] == 'a/x.png'
    assert np.array_equal(item['truth']['mask'], [[0, 255, 3]])
    assert np.array_equal(item['pred']['mask'], [[0, 1, 3]])


def test_boxes(tmp_path):
    sample = BaseDataElement(metainfo=dict(img_path='x.png'))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]]),
        labels=torch.tensor([2, 1]),
        scores=torch.tensor([0.9, 0.2]),
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[10.0, 20, 30, 40]]), labels=torch.tensor([0])
    )
    meta = dict(classes=('JO', 'IL', 'IN'))
    (item,) = run(tmp_path / 'a', [[sample]], meta)['images']
    # What is hardly believed is not drawn.
    assert item['pred']['boxes'] == [[1, 2, 3, 4]]
    assert item['pred']['labels'] == [2]
    assert item['pred']['scores'] == [pytest.approx(0.9)]
    assert item['truth'] == dict(boxes=[[10, 20, 30, 40]], labels=[0])
    # The annotation file's own, if the sample has them.
    listed = [dict(bbox=[1, 2, 3, 4], bbox_label=1)]
    sample.set_metainfo(dict(instances=listed))
    (item,) = run(tmp_path / 'b', [[sample]], meta)['images']
    assert item['truth'] == dict(boxes=[[1, 2, 3, 4]], labels=[1])


def test_classes_and_selected_images(tmp_path):
    samples = []
    for number in range(7):
        sample = BaseDataElement(metainfo=dict(img_path=f'{number}.png'))
        sample.gt_label = torch.tensor([number])
        sample.pred_label = torch.tensor([], dtype=torch.int64)
        samples.append(sample)
    found = run(
        tmp_path,
        [samples[:3], samples[3:6], samples[6:]],
        dict(classes=list('abcdefg')),
        images=3,
    )
    # Evenly spread, whatever the batches.
    assert [item['img_path'] for item in found['images']] == [
        '0.png', '3.png', '6.png',
    ]  # fmt: skip
    assert found['images'][1]['truth'] == dict(classes=[3])
    assert found['images'][1]['pred'] == dict(classes=[])
    assert found['palette'] == []
