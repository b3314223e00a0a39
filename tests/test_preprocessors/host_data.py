"""Tiny data sets and configs of the hosts, as a user would write them."""

import json

import cv2
import numpy as np
from mmengine.config import Config
from stage_cases import NANO, config

COUNT = 4


def make_data(folder, size=(24, 32)):
    """Write images with masks, boxes and labels.

    Args:
        folder (Path): Where to.
        size (Sequence[int]): Height and width.

    Returns:
        Path: The folder.
    """
    rng = np.random.default_rng(0)
    height, width = size
    for name in ('images', 'masks'):
        (folder / name).mkdir(parents=True)
    coco = dict(images=[], annotations=[], categories=[])
    coco['categories'] = [dict(id=i, name=n) for i, n in enumerate('ab')]
    lines = []
    for number in range(COUNT):
        name = f'{number}.png'
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        mask = np.zeros(size, np.uint8)
        x, y, w, h = width // 4, height // 4, width // 2, height // 2
        mask[y : y + h, x : x + w] = number
        cv2.imwrite(str(folder / 'images' / name), image)
        cv2.imwrite(str(folder / 'masks' / name), mask)
        coco['images'].append(
            dict(id=number, file_name=name, height=height, width=width)
        )
        corners = [x, y, x + w, y, x + w, y + h, x, y + h]
        coco['annotations'].append(
            dict(
                id=number + 1,
                image_id=number,
                category_id=number % 2,
                bbox=[x, y, w, h],
                area=w * h,
                iscrowd=0,
                segmentation=[corners],
            )
        )
        lines.append(f'{name} {number % 3}')
    (folder / 'coco.json').write_text(json.dumps(coco))
    (folder / 'labels.txt').write_text('\n'.join(lines) + '\n')
    return folder


def _loaders(host, root, steps):
    load = [dict(type='LoadImageFromFile')]
    flip = [dict(type='RandomFlip', prob=0.5)]
    if host == 'mmseg':
        truth = [dict(type='LoadAnnotations')]
        pack = [dict(type='PackSegInputs')]
        dataset = dict(
            type='mmdsr.PipeSegDataset',
            data_prefix=dict(img_path='images', seg_map_path='masks'),
        )
        metric = dict(type='IoUMetric', iou_metrics=['mIoU'])
    elif host == 'mmdet':
        truth = [dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]
        pack = [dict(type='PackDetInputs')]
        dataset = dict(
            type='CocoDataset',
            ann_file='coco.json',
            data_prefix=dict(img='images/'),
            metainfo=dict(classes=('a', 'b')),
        )
        metric = dict(
            type='CocoMetric',
            ann_file=f'{root}/coco.json',
            metric=['bbox', 'segm'],
        )
    else:
        truth, pack = [], [dict(type='PackInputs')]
        dataset = dict(
            type='CustomDataset', ann_file='labels.txt', data_prefix='images'
        )
        metric = dict(type='Accuracy', topk=(1,))
    if host == 'mmdet':
        # Sizes of the tests' network are not those of its pre-training.
        steps = [dict(type='Resize', scale_factor=1.0), *steps]
    loaders = []
    for training in (True, False):
        pipeline = [*load, *truth, *(flip * training), *steps, *pack]
        loaders.append(
            dict(
                batch_size=2 if training else 1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=training),
                dataset=dict(
                    **dataset,
                    data_root=str(root),
                    pipeline=pipeline,
                    test_mode=not training,
                ),
            )
        )
    return *loaders, metric


def write_config(host, path, root, sr=NANO, steps=(), iters=2, **more):
    """Write a config of a host, with or without the stage.

    Args:
        host (str): Name of the host.
        path (Path): File to write.
        root (Path): Result of :func:`make_data`.
        sr (dict, optional): Arguments of the super-resolver.
        steps (Sequence[dict]): Transforms before Pack.
        iters (int): Length of the training.
        **more: Further keys of the config.

    Returns:
        Path: ``path``.
    """
    train, test, metric = _loaders(host, root, list(steps))
    Config(
        dict(
            default_scope=host,
            model=config(host, sr),
            train_dataloader=train,
            val_dataloader=test,
            test_dataloader=test,
            val_evaluator=metric,
            test_evaluator=metric,
            train_cfg=dict(
                type='IterBasedTrainLoop', max_iters=iters, val_interval=iters
            ),
            val_cfg=dict(type='ValLoop'),
            test_cfg=dict(type='TestLoop'),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001)
            ),
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook', interval=1, by_epoch=False
                ),
                logger=dict(type='LoggerHook', interval=1),
            ),
            log_level='WARNING',
            **more,
        )
    ).dump(path)
    return path
