"""Test-time augmentation and the inference functions of the hosts.

All of them end in ``model.test_step``, so they pass the stage. Again the
host's own enlargement is what the results are compared with.
"""

import copy

import cv2
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from stage_cases import (
    HOSTS,
    NANO,
    NEAREST,
    SIZE,
    assert_same,
    build,
    config,
    recorded,
    resize,
    sample,
    scope,
    write_files,
)

TTA = dict(
    mmseg=dict(type='SegTTAModel'),
    mmdet=dict(
        type='DetTTAModel',
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=9),
    ),
    mmpretrain=dict(type='AverageClsScoreTTA'),
)
PACK = dict(
    mmseg=dict(type='PackSegInputs'),
    mmdet=dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'flip',
            'flip_direction',
        ),
    ),
    mmpretrain=dict(type='PackInputs'),
)


def _views(host, folder, *steps):
    """One image, plain and flipped, as TestTimeAug packs it."""
    flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
    load = [
        dict(type='LoadImageFromFile'),
        *steps,
        dict(type='TestTimeAug', transforms=[flips, [PACK[host]]]),
    ]
    # TestTimeAug packs by itself.
    from mmengine.dataset import Compose
    from stage_cases import raw_sample

    with scope(host):
        packed = Compose(load)(raw_sample(host, folder))
    return dict(
        inputs=[[view] for view in packed['inputs']],
        data_samples=[[view] for view in packed['data_samples']],
    )


@pytest.mark.parametrize('host', HOSTS)
def test_flipped_views(tmp_path, host):
    """Enlarged once for each view, and merged in the frame of the file."""
    results = []
    for sr, steps in ((None, [resize(host)]), (NEAREST, [])):
        inner = build(host, sr).eval()
        if host == 'mmdet':
            # DetTTAModel merges boxes only.
            inner.roi_head.mask_head = None
        with scope(host):
            model = MODELS.build(
                ConfigDict(
                    **TTA[host],
                    module=config(host, sr),
                )
            )
        model.module = inner
        data = _views(host, tmp_path, *steps)
        if sr is None:
            results.append(model.test_step(data))
            continue
        with recorded(inner.data_preprocessor.sr) as calls:
            results.append(model.test_step(data))
    assert len(calls) == 2
    plain, flipped = (images[0] for images, _ in calls)
    assert torch.equal(plain, flipped.flip(-1))
    expected, found = (_predictions(result) for result in results)
    assert_same(expected, found)
    if host == 'mmseg':
        assert found[0]['pred_sem_seg'].shape == SIZE


def _predictions(results):
    return [
        {k: v for k, v in result.items() if k.startswith('pred_')}
        for result in results
    ]


def _host_config(host, folder, sr, *steps):
    """A config and a checkpoint as a user has them."""
    pipeline = [dict(type='LoadImageFromFile'), *steps, PACK[host]]
    model = config(host, sr)
    content = dict(
        default_scope=host,
        model=model,
        test_pipeline=pipeline,
        test_dataloader=dict(
            dataset=dict(type='BaseDataset', pipeline=pipeline)
        ),
        test_cfg=dict(),
        visualizer=dict(
            mmseg=dict(type='SegLocalVisualizer', vis_backends=None),
            mmdet=dict(type='DetLocalVisualizer', vis_backends=None),
            mmpretrain=dict(type='UniversalVisualizer', vis_backends=None),
        )[host],
    )
    if host == 'mmpretrain':
        content['data_preprocessor'] = model.pop('data_preprocessor')
    path = folder / f'{"plain" if sr is None else "sr"}.py'
    Config(content).dump(path)
    weights = folder / 'weights.pth'
    meta = dict(classes=list('abcd'), palette=[[i, 0, 0] for i in range(4)])
    torch.save(
        dict(
            state_dict=build(host).state_dict(), meta=dict(dataset_meta=meta)
        ),
        weights,
    )
    return str(path), str(weights)


@pytest.mark.parametrize('host', HOSTS)
def test_inference_functions(tmp_path, host):
    image, _ = write_files(tmp_path)
    results = [
        _infer(host, *_host_config(host, tmp_path, None, resize(host)), image),
        _infer(host, *_host_config(host, tmp_path, NEAREST), image),
    ]
    assert_same(*results)
    # The stage is there: the network behind it makes a difference.
    third = _infer(host, *_host_config(host, tmp_path, NANO), image)
    with pytest.raises(AssertionError):
        assert_same(results[0], third)


def _infer(host, cfg, weights, image):
    if host == 'mmseg':
        from mmseg.apis import MMSegInferencer, inference_model, init_model

        model = init_model(cfg, weights, device='cpu')
        result = inference_model(model, image)
        assert result.pred_sem_seg.shape == SIZE
        again = inference_model(model, cv2.imread(image))
        assert torch.equal(again.seg_logits.data, result.seg_logits.data)
        inferencer = MMSegInferencer(cfg, weights, device='cpu')
        shown = inferencer(image)['predictions']
        assert (shown == result.pred_sem_seg.data[0].numpy()).all()
        return result.seg_logits
    if host == 'mmdet':
        from mmdet.apis import DetInferencer, inference_detector, init_detector

        model = init_detector(cfg, weights, palette='coco', device='cpu')
        result = inference_detector(model, image).pred_instances
        assert result.masks.shape[1:] == SIZE
        inferencer = DetInferencer(
            cfg, weights, palette='random', device='cpu', show_progress=False
        )
        shown = inferencer(image, no_save_vis=True)['predictions'][0]
        assert torch.allclose(torch.tensor(shown['bboxes']), result.bboxes)
        return result
    from mmpretrain import ImageClassificationInferencer

    # It has no scope of its own; alone in a process none is set.
    with scope(host):
        inferencer = ImageClassificationInferencer(
            cfg, pretrained=weights, device='cpu'
        )
        result = inferencer(image)[0]
    return torch.as_tensor(result['pred_scores'])


def test_views_of_several_sizes_are_resized_before_the_stage(tmp_path):
    """Multi-scale augmentation works on the LR image."""
    half = dict(type='Resize', scale=(16, 12), keep_ratio=True)
    one = sample('mmseg', tmp_path, half)
    model = build('mmseg', NANO).eval()
    data = dict(
        inputs=[one['inputs']],
        data_samples=[copy.deepcopy(one['data_samples'])],
    )
    with recorded(model.data_preprocessor.sr) as calls:
        result = model.test_step(data)[0]
    assert calls[0][0][0].shape == (3, 12, 16)
    assert result.pred_sem_seg.shape == SIZE
