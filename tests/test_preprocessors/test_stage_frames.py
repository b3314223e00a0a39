"""The stage against the hosts' own way of enlarging, and HR annotations."""

import copy
from pathlib import Path

import cv2
import pytest
import torch
from stage_cases import (
    HEIGHT,
    HOSTS,
    NANO,
    NEAREST,
    SIZE,
    WIDTH,
    assert_same,
    batch,
    build,
    optim_wrapper,
    plain,
    recorded,
    resize,
    sample,
    stage,
    write_files,
)

from mmdsr.errors import FrameError, StageError

FLIP = dict(type='RandomFlip', prob=1.0)
PREPROCESSORS = dict(
    mmseg=dict(size=(128, 160), test_cfg=dict(size_divisor=64)),
    mmdet=dict(pad_size_divisor=64, pad_mask=True),
    mmpretrain=dict(pad_size_divisor=64),
)


@pytest.mark.parametrize('training', [True, False], ids=['train', 'test'])
@pytest.mark.parametrize('host', HOSTS)
def test_same_as_the_hosts_resize(tmp_path, host, training):
    """Images, boxes, masks, maps and metainfo, flipped ones included."""
    steps = [FLIP] if host != 'mmseg' else [dict(FLIP, direction='vertical')]
    if host != 'mmpretrain':
        # Annotations of a test belong to the file, so nothing resizes them.
        steps = [] if not training else steps
    a = batch(sample(host, tmp_path, resize(host), *steps))
    b = batch(sample(host, tmp_path, *steps))
    if not training:
        a['data_samples'] = [_without_truth(s) for s in a['data_samples']]
        b['data_samples'] = [_without_truth(s) for s in b['data_samples']]
    arguments = PREPROCESSORS[host]
    given = copy.deepcopy(b)
    expected = plain(host, **arguments)(a, training)
    found = stage(host, NEAREST, **arguments)(b, training)
    assert_same(expected, found)
    assert found['data_samples'][0].ori_shape == SIZE
    if host != 'mmpretrain':  # which writes labels into its samples
        # The data may come again, for instance once for each view.
        assert_same(given, b)


def _without_truth(data_sample):
    for name in ('gt_sem_seg', 'gt_instances', 'ignored_instances'):
        if name in data_sample:
            delattr(data_sample, name)
    return data_sample


def test_polygons(tmp_path):
    load = [
        dict(type='LoadImageFromFile'),
        dict(
            type='LoadAnnotations',
            with_bbox=True,
            with_mask=True,
            poly2mask=False,
        ),
    ]
    a = batch(sample('mmdet', tmp_path, resize('mmdet'), load=load))
    b = batch(sample('mmdet', tmp_path, load=load))
    assert_same(
        plain('mmdet')(a, True), stage('mmdet', NEAREST)(b, True), tolerance=0
    )


def test_padding_of_the_pipeline(tmp_path):
    """mmcv's Pad leaves sizes that mmseg prefers to that of the input."""
    pad = dict(type='Pad', size=(40, 32))
    data = batch(sample('mmseg', tmp_path, pad))
    size = (32, 40)
    assert data['data_samples'][0].pad_shape[:2] == size
    out = stage('mmseg', NEAREST)(data)
    info = out['data_samples'][0].metainfo
    assert info['pad_shape'][:2] == info['img_shape'] == (128, 160)
    assert info['ori_shape'] == SIZE


@pytest.mark.parametrize('host', HOSTS)
def test_losses_and_predictions(tmp_path, host):
    a = sample(host, tmp_path, resize(host))
    b = sample(host, tmp_path)
    models = build(host), build(host, NEAREST)
    _assert_same_behaviour(models, a, b)
    losses = []
    for model, part in zip(models, (a, b), strict=True):
        model.train()
        torch.manual_seed(0)
        losses.append(
            model.train_step(batch(part, part), optim_wrapper(model))
        )
    assert_same(*losses)
    assert all(torch.isfinite(value).all() for value in losses[0].values())
    # One step further they still agree: the gradients were the same.
    _assert_same_behaviour(models, a, b)


def _assert_same_behaviour(models, a, b):
    predictions = []
    for model, part in zip(models, (a, b), strict=True):
        model.eval()
        for step in (model.val_step, model.test_step):
            predictions.append(_predictions(step(batch(part))))
    for other in predictions[1:]:
        assert_same(predictions[0], other)


def _predictions(results):
    return [
        {
            key: value
            for key, value in result.items()
            if key.startswith(('pred_', 'seg_logits'))
        }
        for result in results
    ]


def test_segmentation_has_the_size_of_the_file(tmp_path):
    model = build('mmseg', NANO).eval()
    result = model.test_step(batch(sample('mmseg', tmp_path)))[0]
    assert result.pred_sem_seg.shape == SIZE
    assert result.seg_logits.data.shape == (4, *SIZE)


def test_boxes_and_masks_come_back_at_the_size_of_the_file(tmp_path):
    model = build('mmdet', NANO).eval()
    result = model.test_step(batch(sample('mmdet', tmp_path)))[0]
    found = result.pred_instances
    assert len(found)
    assert found.masks.shape[1:] == SIZE
    assert found.bboxes[:, 0::2].max() <= WIDTH
    assert found.bboxes[:, 1::2].max() <= HEIGHT
    # Stale sizes would clip them into a quarter of the image.
    assert found.bboxes[:, 2].max() > WIDTH / 2


def test_classifier_sees_the_large_image(tmp_path):
    model = build('mmpretrain', NANO).eval()
    seen = []
    model.backbone.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].shape)
    )
    result = model.test_step(batch(sample('mmpretrain', tmp_path)))[0]
    assert seen == [(1, 3, 4 * HEIGHT, 4 * WIDTH)]
    assert result.pred_score.shape == (3,)


@pytest.mark.parametrize('host', HOSTS)
def test_hr_files(tmp_path, host):
    """Pipeline on HR files, image made small at the end: HR annotations."""
    size = (4 * HEIGHT, 4 * WIDTH)
    down = dict(type='mmdsr.Downsample', scale=1 / 4)
    steps = [FLIP] if host != 'mmseg' else [dict(FLIP, direction='vertical')]
    a = batch(sample(host, tmp_path, *steps, size=size))
    b = batch(sample(host, tmp_path, *steps, down, size=size))
    assert b['inputs'][0].shape == (3, *SIZE)
    preprocessor = stage(host, NANO, **PREPROCESSORS[host])
    with recorded(preprocessor.sr) as calls:
        found = preprocessor(b, True)
    expected = plain(host, **PREPROCESSORS[host])(a, True)
    assert [i.shape for i in calls[0][0]] == [(3, *SIZE)]
    assert_same(expected['data_samples'], found['data_samples'])
    assert found['inputs'].shape == expected['inputs'].shape


@pytest.mark.parametrize('host', ['mmseg', 'mmdet'])
def test_neither_frame_is_refused(tmp_path, host):
    """An image that some transform reduced without a word."""
    data = batch(sample(host, tmp_path))
    data['inputs'] = [data['inputs'][0][:, ::2, ::2]]
    for training in (True, False):
        preprocessor = stage(host, NEAREST, **PREPROCESSORS[host])
        with pytest.raises(FrameError, match=r'16x12.*32x24.*Downsample'):
            preprocessor(copy.deepcopy(data), training)


def test_classification_has_no_frame(tmp_path):
    """Transforms of torchvision leave a stale img_shape behind."""
    data = batch(sample('mmpretrain', tmp_path))
    data['inputs'] = [data['inputs'][0][:, ::2, ::2]]
    found = stage('mmpretrain', NEAREST)(data, True)
    assert found['inputs'].shape == (1, 3, 2 * HEIGHT, 2 * WIDTH)


def test_hr_masks_on_lr_files_are_refused(tmp_path):
    data = batch(sample('mmseg', tmp_path))
    small = batch(sample('mmseg', tmp_path, size=(6, 8)))
    small['data_samples'][0].gt_sem_seg = data['data_samples'][0].gt_sem_seg
    with pytest.raises(FrameError, match=r'super_resolve\.py'):
        stage('mmseg', NEAREST, size=(64, 64))(small, True)


def test_same_pixels_as_an_exported_file(tmp_path):
    """Trained on exported images, a model may be tested with the stage."""
    from mmdsr.inference import SuperResolver, export_folder

    source = tmp_path / 'in'
    source.mkdir()
    _, labels = write_files(source)
    Path(labels).unlink()
    export_folder(SuperResolver(**NANO), source, tmp_path / 'out')
    exported = cv2.imread(str(tmp_path / 'out/image.png'))
    one = sample('mmseg', tmp_path)
    found = stage('mmseg', NANO)(batch(one))['inputs']
    expected = plain('mmseg')(
        dict(inputs=[torch.from_numpy(exported).permute(2, 0, 1)])
    )['inputs']
    assert_same(expected, found)


FILE = dict(NANO, reference='file')


def test_reference_policy_file(tmp_path):
    """The path travels in the metainfo, through meta_keys of Pack."""
    folder = tmp_path / 'ref'
    folder.mkdir()
    ref, _ = write_files(folder, seed=7)
    keys = ('img_path', 'ori_shape', 'img_shape', 'ref_path')
    one = sample('mmseg', tmp_path, pack=dict(meta_keys=keys), ref_path=ref)
    # No larger than the image, its own file is enlarged.
    itself = stage('mmseg', NANO)(batch(one))['inputs']
    other = stage('mmseg', FILE)(batch(one))['inputs']
    assert not torch.equal(itself, other)
    one['data_samples'].set_metainfo(
        dict(ref_path=one['data_samples'].img_path)
    )
    assert torch.equal(itself, stage('mmseg', FILE)(batch(one))['inputs'])


@pytest.mark.parametrize('host', HOSTS)
def test_error_for_missing_reference_path_gives_advice(tmp_path, host):
    model = build(host, FILE).eval()
    with pytest.raises(StageError, match=r'ref_path.*meta_keys.*Pack'):
        model.test_step(batch(sample(host, tmp_path)))


def test_neighbor_needs_the_path_of_the_image(tmp_path):
    preprocessor = stage('mmseg', dict(NANO, reference='neighbor'))
    one = sample('mmseg', tmp_path, pack=dict(meta_keys=('img_shape',)))
    with pytest.raises(StageError, match='img_path'):
        preprocessor(batch(one))
