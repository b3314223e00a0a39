import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from mmdsr.evaluation import psnr, ssim
from mmdsr.evaluation.metrics import PSNR, SSIM, to_rgb_array
from mmdsr.registry import METRICS


def images(seed):
    rng = np.random.default_rng(seed)
    hr = rng.integers(0, 256, (16, 20, 3), dtype=np.uint8)
    sr = np.clip(hr + rng.normal(0, 9, hr.shape), 0, 255)
    return sr.astype(np.float32), hr


def tensor(image, order):
    if order == 'BGR':
        image = image[..., ::-1]
    return torch.from_numpy(image.transpose(2, 0, 1).copy())


@pytest.mark.parametrize('mode', ['Y', 'RGB'])
@pytest.mark.parametrize('function', [psnr, ssim])
@pytest.mark.parametrize(
    ('sr_order', 'hr_order', 'notes'),
    [
        ('BGR', 'BGR', {}),
        ('RGB', 'RGB', {}),
        # Loaded as RGB and not converted by the preprocessor.
        ('BGR', 'RGB', {'gt_channel_order': 'rgb'}),
        # Loaded as RGB and converted, as mmagic does in evaluation.
        (
            'BGR',
            'BGR',
            {
                'gt_channel_order': 'rgb',
                'gt_img_output_channel_order': 'BGR',
            },
        ),
    ],
)
def test_the_order_of_the_channels(function, mode, sr_order, hr_order, notes):
    metric = METRICS.build(
        dict(
            type=f'mmdsr.{function.__name__.upper()}',
            mode=mode,
            channel_order=sr_order,
        )
    )
    pairs = [images(seed) for seed in range(3)]
    for sr, hr in pairs:
        sample = {
            'output': {'pred_img': tensor(sr, sr_order)},
            'gt_img': tensor(hr, hr_order),
            **notes,
        }
        metric.process({}, [sample])
    expected = np.mean([function(sr, hr, mode) for sr, hr in pairs])
    name = f'{function.__name__.upper()}-{mode}'
    result = metric.evaluate(3)
    assert list(result) == [name]
    np.testing.assert_allclose(result[name], expected)


def test_several_metrics_in_mmengines_evaluator():
    evaluator = Evaluator(
        [
            dict(type='mmdsr.PSNR', mode='Y'),
            dict(type='mmdsr.SSIM', mode='Y'),
            dict(type='mmdsr.PSNR', mode='RGB', prefix='real'),
        ]
    )
    sr, hr = images(0)
    sample = {
        'output': {'pred_img': tensor(sr, 'BGR')},
        'gt_img': tensor(hr, 'BGR'),
    }
    evaluator.process([sample], {})
    result = evaluator.evaluate(1)
    assert set(result) == {'PSNR-Y', 'SSIM-Y', 'real/PSNR-RGB'}
    np.testing.assert_allclose(result['SSIM-Y'], ssim(sr, hr))


def test_padding_of_the_last_batch_is_dropped():
    # The size is that of the data set, the last sample a repetition.
    metric = PSNR()
    for seed in (0, 1, 0):
        sr, hr = images(seed)
        sample = {
            'output': {'pred_img': tensor(sr, 'BGR')},
            'gt_img': tensor(hr, 'BGR'),
        }
        metric.process({}, [sample])
    expected = np.mean([psnr(*images(seed)) for seed in (0, 1)])
    np.testing.assert_allclose(metric.evaluate(2)['PSNR-Y'], expected)


def test_refuses():
    with pytest.raises(ValueError, match='mode'):
        PSNR(mode='y')
    with pytest.raises(ValueError, match='channel_order'):
        SSIM(channel_order='rgb')
    metric = PSNR()
    with pytest.raises(KeyError, match='truth'):
        metric.process({}, [{'output': {}}])
    with pytest.raises(ValueError, match='size of the data set'):
        metric.evaluate()
    with pytest.raises(ValueError, match='no sample'):
        metric.evaluate(3)
    with pytest.raises(ValueError, match=r'must be \(3, H, W\)'):
        to_rgb_array(torch.zeros(1, 4, 4), 'BGR')


def test_half_precision_and_batch_of_one():
    array = to_rgb_array(torch.full((1, 3, 2, 2), 7.5).half(), 'BGR')
    assert array.shape == (2, 2, 3) and array.dtype == np.float32
