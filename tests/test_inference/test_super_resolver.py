"""The contract of the resolver, on the bundled weights."""

import copy

import cv2
import numpy as np
import pytest
import torch
from inference_cases import noise, pipe
from mmengine.config import Config
from PIL import Image
from tool_runs import run_each
from torch import nn

from mmdsr.errors import CheckpointError
from mmdsr.inference import SuperResolver
from mmdsr.io.checkpoint import save_weights
from mmdsr.registry import MODELS
from mmdsr.weights import load_published

NANO = 'dsrnet_student'
#: Since torch 2.3.
WIDE = [
    getattr(torch, name)
    for name in ('uint16', 'uint32', 'uint64')
    if hasattr(torch, name)
]
TINY = dict(
    type='mmdsr.DSRNet',
    channels=4,
    encoder_blocks=(1, 1, 1),
    decoder_blocks=(1, 1, 1, 1, 1, 1),
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
)


@pytest.fixture(scope='module')
def nano():
    return SuperResolver(weights=NANO, backend='torch')


@pytest.mark.parametrize('interpolation', ['nearest', 'bicubic'])
def test_scale_1_changes_nothing(interpolation):
    image = torch.rand(3, 5, 7) * 300 - 20
    resolver = SuperResolver(interpolation=interpolation, scale=1)
    assert torch.equal(resolver([image])[0], image)


def test_interpolations_are_those_of_the_usual_libraries():
    image = noise(9, 7)
    pixels = image.permute(1, 2, 0).numpy()

    def enlarge(name, scale):
        resolver = SuperResolver(interpolation=name, scale=scale)
        return resolver([image])[0].permute(1, 2, 0).numpy()

    np.testing.assert_array_equal(
        enlarge('nearest', 3), pixels.repeat(3, 0).repeat(3, 1)
    )
    linear = cv2.resize(
        pixels.astype(np.float32), (14, 18), interpolation=cv2.INTER_LINEAR
    )
    assert abs(enlarge('bilinear', 2) - linear).max() <= 0.51
    cubic = np.stack(
        [
            Image.fromarray(pixels[..., c].astype(np.float32), 'F').resize(
                (28, 36), Image.Resampling.BICUBIC
            )
            for c in range(3)
        ],
        axis=2,
    )
    found = enlarge('bicubic', 4)
    assert abs(found - cubic.clip(0, 255)).max() <= 0.51
    assert SuperResolver(interpolation='bicubic').scale == 4


def test_network_gets_rgb_in_0_1_and_a_replaced_reference(nano):
    image = pipe(20, 35)
    image[0] = image[0] // 2  # blue
    network = load_published(NANO)
    rgb = image.flip(0)[None].float() / 255
    with torch.no_grad():
        paper = (network(rgb, rgb)[0] * 255).clamp(0, 255).round().flip(0)
        # Pillow's cubic enlargement, as of a file.
        large = SuperResolver(interpolation='bicubic')([image])[0]
        ref = large.flip(0)[None] / 255
        expected = (network(rgb, ref)[0] * 255).clamp(0, 255).round().flip(0)
    resolver = SuperResolver(weights=NANO, reference='self', backend='torch')
    own = resolver([image])[0]
    assert torch.equal(own, paper)
    found = nano([image])[0]
    assert found.dtype == torch.float32
    assert found.shape == (3, 80, 140)
    assert torch.equal(found, expected)
    # Blue stays blue.
    small = found.reshape(3, 20, 4, 35, 4).mean((2, 4))
    assert (small - image).abs().mean() < 4


def test_output_has_the_format_of_the_input(nano):
    images = torch.stack([pipe(16, 16), noise(16, 16)])
    batch = nano(images)
    singles = nano(list(images.float()))
    assert isinstance(batch, torch.Tensor)
    assert isinstance(singles, list)
    assert (batch - torch.stack(singles)).abs().max() <= 1
    assert nano(images[:0]).shape == (0, 3, 64, 64)
    assert nano([]) == []
    with pytest.raises(ValueError, match='2 images but 1 samples'):
        nano(images, [{}])


def test_company_does_not_matter(nano):
    images = [pipe(32, 48, seed) for seed in range(5)] + [noise(17, 40)]
    together = nano(images)
    for image, result in zip(images, together, strict=True):
        difference = (nano([image])[0] - result).abs()
        assert difference.max() <= 1
        assert (difference > 0).float().mean() < 1e-4


@pytest.mark.parametrize('size', [(1, 1), (5, 40), (15, 15)])
def test_very_small_images(nano, size):
    image = pipe(*size)
    found = nano([image])[0]
    assert found.shape == (3, 4 * size[0], 4 * size[1])
    grown = image[:, : max(size[0], 16), :]
    grown = torch.from_numpy(
        cv2.copyMakeBorder(
            grown.permute(1, 2, 0).numpy(),
            0,
            max(0, 16 - size[0]),
            0,
            max(0, 16 - size[1]),
            cv2.BORDER_REPLICATE,
        )
    ).permute(2, 0, 1)
    whole = nano([grown])[0]
    assert torch.equal(found, whole[:, : 4 * size[0], : 4 * size[1]])


@pytest.mark.parametrize(
    'images',
    [
        torch.zeros(3, 8, 8),
        [torch.zeros(1, 8, 8)],
        [torch.zeros(3, 8, 8, dtype=torch.bool)],
        [np.zeros((8, 8, 3), np.uint8)],
        [torch.zeros(3, 0, 8)],
    ],
)
def test_refuses_inputs_other_than_images(nano, images):
    with pytest.raises(ValueError, match=r'3, H, W|integers or floats'):
        nano(images)


def test_whole_numbers_of_any_type_are_images(nano):
    image = pipe(16, 20)
    for kind in (torch.int16, torch.int64, *WIDE):
        assert torch.equal(nano([image.to(kind)])[0], nano([image])[0])
    for value in (-1, 256):
        wrong = image.long()
        wrong[1, 2, 3] = value
        with pytest.raises(ValueError, match=f'value {value} at row 2, colu'):
            nano([wrong])
    wrong = torch.full((3, 4, 4), 60000)
    for kind in (torch.int32, *WIDE):
        with pytest.raises(ValueError, match='value 60000 at row 0, column 0'):
            SuperResolver(interpolation='bicubic')([wrong.to(kind)])


@pytest.mark.parametrize(
    ('reference', 'reason'),
    [
        (torch.full((3, 64, 80), 60000, dtype=torch.int32), 'value 60000'),
        (torch.full((2, 3, 64, 80), torch.nan), 'value nan'),
        (torch.zeros(1, 64, 80), 'BGR tensor'),
        (torch.zeros(0, 3, 64, 80), 'none'),
        (np.zeros((64, 80, 3), np.uint8), 'BGR tensor'),
    ],
)
def test_refuses_references_other_than_images(nano, reference, reason):
    with pytest.raises(ValueError, match=f'of a.png.*{reason}'):
        nano.explain_pixels(
            [pipe(16, 20)], [dict(img_path='a.png')], [reference]
        )


def test_references_of_any_type_of_whole_numbers(nano):
    ref = pipe(64, 80)
    refs = [ref, *(ref.to(kind) for kind in (torch.int64, *WIDE[:1]))]
    images = [pipe(16, 20)] * len(refs)
    one, *others = nano.explain_pixels(images, references=refs)
    for other in others:
        assert torch.equal(one.pixels, other.pixels)


def test_a_value_that_is_no_number_is_named(nano):
    image = pipe(16, 20).float()
    image[2, 5, 7] = torch.nan
    with pytest.raises(ValueError, match=r'a.png has.*nan at row 5, column 7'):
        nano([image], [dict(img_path='a.png')])


def test_a_result_that_is_no_image_is_refused():
    resolver = SuperResolver(weights=NANO, backend='torch')
    next(resolver._network.module.decoder.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match=r'values for a.png that are not col'):
        resolver([pipe(16, 20)], [dict(img_path='a.png')])


def test_belongs_to_no_model(nano):
    model = nn.Conv2d(3, 3, 1)
    model.resolver = nano
    assert set(model.state_dict()) == {'weight', 'bias'}
    model.train()
    assert not nano._network.module.training
    assert copy.deepcopy(model).resolver is nano
    # Its result can be trained on: it is no tensor of inference mode.
    model(nano([pipe(16, 16)])[0]).mean().backward()
    assert model.weight.grad.abs().sum() > 0


def test_precision_is_its_own(nano):
    image = pipe(32, 32)
    exact = nano([image])[0]
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(nano([image])[0], exact)
    low = SuperResolver(weights=NANO, precision='bf16')([image])[0]
    assert low.dtype == torch.float32
    assert 0 < (low - exact).abs().mean() < 1
    half = SuperResolver(weights=NANO, precision='fp16', backend='torch')
    with pytest.raises(ValueError, match=r"fp16.*use 'fp32' or 'bf16'"):
        half([image])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({}, 'exactly one of config.*not none'),
        (dict(weights=NANO, interpolation='nearest'), 'weights, interpol'),
        (
            dict(weights=NANO, checkpoint='x.pth'),
            r'The checkpoint x\.pth needs the config.* set config',
        ),
        (dict(weights=NANO, scale=2), 'enlarges by 4'),
        (dict(weights=NANO, precision='int4'), 'precision must be one of'),
        (dict(weights=NANO, reference='other'), 'reference must be one of'),
        (dict(weights=NANO, max_batch=0), 'max_batch'),
        (dict(weights=NANO, tile=20), 'at least 32'),
        (dict(weights=NANO, tile=64, overlap=-1), 'overlap must be'),
        (dict(weights=NANO, tile=96.5), 'tile must be a whole number'),
        (dict(interpolation='nearest', tile=0), 'tile must be a whole'),
        (dict(interpolation='nearest', tile='foo'), "'auto' or None"),
        (dict(weights=NANO, overlap=8.5), 'overlap must be a whole'),
        (dict(interpolation='nearest', overlap=None), 'overlap must be'),
        (dict(weights=NANO, max_batch=1.5), 'max_batch must be a whole'),
        (dict(interpolation='nearest', max_batch=True), 'max_batch must'),
        (dict(interpolation='nearest', backend='x'), 'backend must be one'),
        (dict(weights='unknown'), 'Available: dsrnet_student'),
        (dict(interpolation='cubic'), 'interpolation must be one of'),
        (dict(interpolation='nearest', scale=9), 'from 1 to 8'),
        (dict(interpolation='nearest', scale=1.5), 'from 1 to 8'),
        (dict(config=dict(model=dict(backbone=1))), 'no model.generator'),
    ],
)
def test_refuses_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        SuperResolver(**options)


@pytest.fixture
def trained(tmp_path):
    """Make the config and the working directory of a training."""
    config = tmp_path / 'tiny.py'
    config.write_text(
        f'custom_imports = dict(imports=["no_such_host"])\n'
        f'model = dict(type="mmdsr.DSR", generator={TINY})\n'
    )
    network = MODELS.build(TINY)
    state = {f'generator.{k}': v for k, v in network.state_dict().items()}
    save_weights(state, tmp_path / 'work' / 'iter_9.pth')
    return config, tmp_path / 'work', network.eval()


def test_from_a_training(trained):
    config, work_dir, network = trained
    image = pipe(16, 20)
    rgb = image.flip(0)[None].float() / 255
    with torch.no_grad():
        expected = (network(rgb, rgb)[0] * 255).clamp(0, 255).round().flip(0)
    for checkpoint in (work_dir, work_dir / 'iter_9.pth'):
        resolver = SuperResolver(
            config=config, checkpoint=checkpoint, reference='self'
        )
        assert torch.equal(resolver([image])[0], expected)
    parsed = Config(dict(model=dict(generator=TINY)))
    resolver = SuperResolver(
        config=parsed, checkpoint=work_dir, reference='self'
    )
    assert torch.equal(resolver([image])[0], expected)
    assert resolver.describe() != SuperResolver(weights=NANO).describe()


def test_error_without_weights_gives_advice(trained, tmp_path):
    config, work_dir, _ = trained
    with pytest.raises(ValueError, match=r'no weights.*set checkpoint'):
        SuperResolver(config=config)
    with pytest.raises(FileNotFoundError, match=r'no/where.*tools/train.py'):
        SuperResolver(config=config, checkpoint='no/where')
    with pytest.raises(FileNotFoundError, match=r'no config no/config\.py'):
        SuperResolver(config='no/config.py', checkpoint=work_dir)
    released = dict(model=dict(generator={**TINY, 'variant': 'released'}))
    released['model']['generator']['depth_net'] = None
    with pytest.raises(CheckpointError, match='does not fit'):
        SuperResolver(config=released, checkpoint=work_dir)


def test_refuses_a_network_that_needs_depth(tmp_path):
    config = {**TINY, 'depth_net': None}
    save_weights(MODELS.build(config).state_dict(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='needs depth maps as inputs'):
        SuperResolver(
            config=dict(model=dict(generator=config)),
            checkpoint=tmp_path / 'a.pth',
        )


def test_needs_no_host(trained):
    config, work_dir, _ = trained
    no_host = (
        'import sys\n'
        'for name in ("mmagic", "mmseg", "mmdet", "mmpretrain", "mmcv"):\n'
        '    sys.modules[name] = None\n'
    )
    code = (
        'import torch\n'
        'from mmdsr.inference import SuperResolver\n'
        f'resolver = SuperResolver({str(config)!r}, {str(work_dir)!r})\n'
        'print(resolver([torch.zeros(3, 16, 16)])[0].shape[1])\n'
    )
    assert run_each(no_host, [code]) == ['64']


@pytest.mark.parametrize('reference', ['file', 'neighbor'])
def test_an_interpolation_looks_for_no_reference(reference):
    image = np.full((8, 9, 3), 7, np.uint8)
    resolver = SuperResolver(interpolation='bicubic', reference=reference)
    assert resolver.enhance(image).shape == (32, 36, 3)
