"""The base data config, metrics and strips in real evaluation loops."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmdsr.engine import StripVisualizationHook
from mmdsr.evaluation import make_strip, psnr, ssim
from mmdsr.io.layout import RefSRWriter, downscale
from mmdsr.transforms import inverse_depth

pytest.importorskip('mmagic.models')

BASE = 'configs/_base_/datasets/refsr.py'
STEMS = ['run1_0000', 'run1_0001', 'run2_0000']


class Nearest(torch.nn.Module):
    """Four times as large, without interpolation."""

    def forward(self, lr):
        return lr.repeat_interleave(4, -1).repeat_interleave(4, -2)


def colorful(seed):
    """A smooth image, red in the main, so that the order matters."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(small).resize((96, 64)))
    return (large * np.array([1, 0.6, 0.2])).astype(np.uint8)


@pytest.fixture
def images():
    return {
        stem: (colorful(i), colorful(10 + i), 0.5 + i)
        for i, stem in enumerate(['run0_0000', *STEMS])
    }


@pytest.fixture
def config(tmp_path, images, request):
    with RefSRWriter(tmp_path / 'set') as writer:
        for stem, (hr, ref, meters) in images.items():
            split = 'train' if stem.startswith('run0') else 'test'
            depth = np.full(hr.shape[:2], meters)
            writer.add(split, stem, hr, ref, depth, depth)
    config = Config.fromfile(request.config.rootpath / BASE)
    for name in ('train', 'val', 'test'):
        loader = config[f'{name}_dataloader']
        loader.num_workers = 0
        loader.dataset.data_root = str(tmp_path / 'set')
    config.val_dataloader.batch_size = 2  # 2 + 1 samples
    return config


def build(config, tmp_path, hook, loop='MultiValLoop'):
    from mmengine.registry import init_default_scope

    init_default_scope('mmagic')
    import mmagic.engine
    import mmagic.models  # noqa: F401
    from mmagic.models import BaseEditModel

    model = BaseEditModel(
        generator=dict(type=Nearest),
        pixel_loss=dict(type='L1Loss'),
        data_preprocessor=dict(
            type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3
        ),
    )
    if loop == 'ValLoop':
        # mmengine's own loop takes mmengine's own evaluator.
        config.val_evaluator = list(config.val_evaluator.metrics)
    return Runner(
        model=model,
        work_dir=str(tmp_path / 'work'),
        val_dataloader=config.val_dataloader,
        val_evaluator=config.val_evaluator,
        val_cfg=dict(type=loop),
        test_dataloader=config.test_dataloader,
        test_evaluator=config.test_evaluator,
        test_cfg=dict(type='MultiTestLoop'),
        default_scope='mmagic',
        custom_hooks=[hook],
        log_processor=dict(type='LogProcessor', by_epoch=False)
        if loop == 'MultiValLoop'
        else None,
        log_level='ERROR',
        experiment_name=f'{tmp_path.name}-{loop}',
    )


def expected_strip(hr, ref, meters):
    lr = downscale(hr)
    depth = inverse_depth(np.full(lr.shape[:2], meters))
    return make_strip(
        lr, ref, lr.repeat(4, 0).repeat(4, 1), hr, depth_true=depth
    )


def expected_metrics(images):
    values = {}
    for mode in ('Y', 'RGB'):
        for function in (psnr, ssim):
            values[f'{function.__name__.upper()}-{mode}'] = np.mean(
                [
                    function(downscale(hr).repeat(4, 0).repeat(4, 1), hr, mode)
                    for hr, _, _ in (images[stem] for stem in STEMS)
                ]
            )
    return values


@pytest.mark.parametrize('loop', ['MultiValLoop', 'ValLoop'])
def test_validation(config, tmp_path, images, loop):
    hook = dict(type='mmdsr.StripVisualizationHook')
    runner = build(config, tmp_path, hook, loop)
    found = {}
    runner.register_hook(
        type(
            'Catch',
            (StripVisualizationHook,),
            {
                'after_val_iter': lambda *_, **__: None,
                'after_val_epoch': lambda _, runner, metrics: found.update(
                    metrics
                ),
            },
        )()
    )
    runner.val()
    wanted = expected_metrics(images)
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        # The truth is colorful: a swap of channels would be seen.
        assert found[name] == pytest.approx(value, rel=1e-6), name
    folder = tmp_path / 'work' / 'vis_strips' / 'iter_0'
    assert sorted(path.stem for path in folder.iterdir()) == STEMS
    for stem in STEMS:
        strip = np.asarray(Image.open(folder / f'{stem}.png'))
        np.testing.assert_array_equal(strip, expected_strip(*images[stem]))


def test_testing_and_limits(config, tmp_path):
    out = tmp_path / 'elsewhere'
    hook = dict(
        type='mmdsr.StripVisualizationHook',
        interval=2,
        max_images=1,
        out_dir=str(out),
    )
    runner = build(config, tmp_path, hook)
    for _ in range(2):  # the count begins anew
        runner.test()
        assert [path.name for path in out.rglob('*.png')] == ['run1_0000.png']
        (out / 'test' / 'run1_0000.png').unlink()
    assert not (tmp_path / 'work' / 'vis_strips').exists()


def test_predicted_depth_is_shown(tmp_path):
    hook = StripVisualizationHook()
    lr, sr = torch.zeros(3, 8, 8), torch.zeros(3, 32, 32)
    depth = torch.rand(1, 8, 8)
    strip = hook._compose(
        {'input': lr, 'output': {'pred_img': sr, 'pred_depth': depth}}, None
    )
    expected = make_strip(
        np.zeros((8, 8, 3)),
        None,
        np.zeros((32, 32, 3)),
        depth=depth[0].numpy(),
    )
    np.testing.assert_array_equal(strip, expected)


@pytest.mark.parametrize('wrong', [{'interval': 0}, {'max_images': 0}])
def test_arguments_are_checked(wrong):
    with pytest.raises(ValueError, match='>= 1'):
        StripVisualizationHook(**wrong)


@pytest.mark.parametrize('batch_size', [1, 2])
def test_training_batches(config, batch_size, tmp_path):
    """The train pipeline gives what the editors are told to expect."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmagic')
    import mmagic.datasets
    import mmagic.models  # noqa: F401
    from mmagic.registry import MODELS

    loader = config.train_dataloader
    loader.dataset.split = 'test'
    loader.batch_size = batch_size
    crop = dict(type='mmdsr.PairedRefCrop', lr_size=(8, 8), ref_margin=2)
    steps = loader.dataset.pipeline
    loader.dataset.pipeline = [*steps[:5], crop, *steps[5:]]
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    preprocessor = MODELS.build(
        dict(type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3)
    )
    data = preprocessor(batch, training=True)
    inputs, samples = data['inputs'], data['data_samples']
    assert inputs['img'].shape == (batch_size, 3, 8, 8)
    assert inputs['ref'].shape == (batch_size, 3, 48, 48)
    assert samples.gt_img.shape == (batch_size, 3, 32, 32)
    assert samples.depth_lr.shape == (batch_size, 1, 8, 8)
    assert samples.depth_ref.shape == (batch_size, 1, 12, 12)
    assert samples.depth_lr.dtype == torch.float32
    # RGB in [0, 1] for both, truth included: red is the strongest.
    for image in (inputs['img'], inputs['ref'], samples.gt_img):
        red, _, blue = image.mean(dim=(0, 2, 3))
        assert blue < red <= 1
        assert image.max() <= 1
