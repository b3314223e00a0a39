import shutil

import numpy as np
import pytest
from PIL import Image

from mmdsr.depth import build_provider
from mmdsr.depth.frames import frames_depth
from mmdsr.depth.pretrained import from_inverse
from mmdsr.io.images import encode_depth


def picture(height=48, width=64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ('name', 'options', 'word'),
    [
        ('pip', {}, 'file, pipe, transformers'),
        ('pipe', {'raduis': 1}, 'no option raduis'),
        ('pipe', {'folder': 'x'}, 'radius, hfov, far, water'),
        ('file', {}, 'needs folder'),
        ('transformers', {}, 'needs checkpoint'),
        ('transformers', {'checkpoint': 'x', 'output': 'x'}, 'output'),
        ('transformers', {'checkpoint': 'x', 'near': 0}, 'near'),
    ],
)
def test_wrong_names_and_options_are_named(name, options, word):
    with pytest.raises(ValueError, match=word):
        build_provider(name, **options)


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        [[1]],
    ],
)
def test_takes_rgb_only(image):
    with pytest.raises(ValueError, match='uint8'):
        build_provider('pipe')(image)


class TestFile:
    def test_finds_the_map_by_name(self, tmp_path):
        depth = np.linspace(0.5, 9, 12).reshape(3, 4)
        depth[1, 1] = np.nan
        Image.fromarray(encode_depth(depth)).save(tmp_path / 'a.png')
        np.save(tmp_path / 'b.npy', depth)
        provider = build_provider('file', folder=tmp_path)
        for name in ('a.jpg', 'b.tiff'):
            found = provider(picture(3, 4), tmp_path / 'elsewhere' / name)
            assert found.kind == 'metric'
            np.testing.assert_allclose(found.depth, depth, atol=6e-4)

    def test_follows_the_folders_of_the_frames(self, tmp_path):
        np.save(tmp_path / 'f.npy', np.ones((2, 2)))
        (tmp_path / 'run').mkdir()
        np.save(tmp_path / 'run/f.npy', np.full((2, 2), 7.0))
        provider = build_provider(
            'file', folder=tmp_path, frames='in', kind='relative'
        )
        assert provider(picture(2, 2), 'in/run/f.png').depth.max() == 7
        assert provider(picture(2, 2), 'in/f.png').depth.max() == 1
        assert provider(picture(2, 2), 'in/f.png').kind == 'relative'

    def test_error_message_names_the_cause(self, tmp_path):
        provider = build_provider('file', folder=tmp_path)
        with pytest.raises(ValueError, match='path'):
            provider(picture())
        with pytest.raises(ValueError, match=r'no depth map of x.png'):
            provider(picture(), 'x.png')
        np.save(tmp_path / 'x.npy', np.ones((5, 6)))
        with pytest.raises(ValueError, match='6x5, not 64x48'):
            provider(picture(), 'x.png')
        with pytest.raises(FileNotFoundError, match='nowhere'):
            build_provider('file', folder=tmp_path / 'nowhere')


def test_inverse_depth_is_scaled_by_its_98th_percentile():
    inverse = np.concatenate([np.linspace(-1, 4, 500), [np.nan]])
    depth = from_inverse(inverse, near=0.25, far=30)
    top = np.quantile(inverse[:-1], 0.98)
    assert np.isnan(depth[-1])
    for i in range(500):
        wanted = 30 if inverse[i] <= 0 else min(0.25 * top / inverse[i], 30)
        assert depth[i] == pytest.approx(wanted, rel=1e-5)
    # The scale and nothing but the scale of the network is lost.
    np.testing.assert_allclose(
        from_inverse(5 * inverse, 0.25, 30), depth, rtol=1e-5
    )
    assert np.isnan(from_inverse(np.zeros((2, 2)), 0.25, 30)).all()
    assert np.isnan(from_inverse(np.full((2, 2), np.nan), 0.25, 30)).all()


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    """Tiny networks with random weights, as save_pretrained leaves them."""
    transformers = pytest.importorskip('transformers')
    import torch

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp('checkpoints')
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        out_indices=[1, 2],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    small = {
        'backbone_config': backbone,
        'reassemble_hidden_size': 16,
        'reassemble_factors': [1, 0.5],
        'neck_hidden_sizes': [8, 8],
        'fusion_hidden_size': 8,
        'head_hidden_size': 8,
    }
    processor = transformers.DPTImageProcessor(
        size={'height': 56, 'width': 56}, ensure_multiple_of=14
    )
    for name, options in (
        ('relative', {}),
        ('metric', {'depth_estimation_type': 'metric', 'max_depth': 20}),
    ):
        config = transformers.DepthAnythingConfig(**small, **options)
        model = transformers.DepthAnythingForDepthEstimation(config)
        # Random weights alone may leave nothing above zero.
        torch.nn.init.constant_(model.head.conv3.bias, 0.7)
        model.save_pretrained(root / name)
        processor.save_pretrained(root / name)
    config = transformers.DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        is_hybrid=False,
    )
    transformers.DPTForDepthEstimation(config).save_pretrained(root / 'dpt')
    transformers.DPTImageProcessor(
        size={'height': 32, 'width': 32}
    ).save_pretrained(root / 'dpt')
    return root


class TestTransformers:
    def test_relative(self, checkpoints):
        provider = build_provider(
            'transformers', checkpoint=checkpoints / 'relative', near=0.5
        )
        found = provider(picture())
        assert found.kind == 'relative'
        assert found.depth.shape == (48, 64)
        assert found.depth.dtype == np.float32
        # The definition of the scale.
        inverse = 1 / found.depth
        assert np.quantile(inverse, 0.98) == pytest.approx(2, rel=1e-3)
        again = provider(picture())
        np.testing.assert_array_equal(found.depth, again.depth)
        assert provider.describe()['checkpoint'] == 'relative'

    def test_a_checkpoint_that_was_trained_again(self, checkpoints, tmp_path):
        import transformers

        folder = shutil.copytree(checkpoints / 'dpt', tmp_path / 'dpt')
        frames, out = tmp_path / 'in', tmp_path / 'out'
        frames.mkdir()
        Image.fromarray(picture()).save(frames / '0.png')

        def make(place):
            provider = build_provider('transformers', checkpoint=place)
            return frames_depth(frames, out, provider)

        assert make(folder).written == 1
        assert make(checkpoints / 'dpt').kept == 1
        model = transformers.DPTForDepthEstimation.from_pretrained(folder)
        for parameter in model.parameters():
            parameter.data += 0.01
        model.save_pretrained(folder)
        with pytest.raises(FileExistsError, match='another source of depth'):
            make(folder)

    def test_metric_is_kept(self, checkpoints):
        import torch
        from transformers import AutoImageProcessor
        from transformers import DepthAnythingForDepthEstimation as Model

        folder = checkpoints / 'metric'
        found = build_provider('transformers', checkpoint=folder)(picture())
        assert found.kind == 'metric'
        inputs = AutoImageProcessor.from_pretrained(folder)(
            images=picture(), return_tensors='pt'
        )
        with torch.no_grad():
            meters = Model.from_pretrained(folder)(**inputs).predicted_depth
        assert found.depth.mean() == pytest.approx(
            float(meters.mean()), rel=0.02
        )

    def test_output_kind_of_a_provider(self, checkpoints):
        folder = checkpoints / 'dpt'
        provider = build_provider('transformers', checkpoint=folder)
        assert provider.output == 'inverse'
        other = build_provider(
            'transformers', checkpoint=folder, output='metric'
        )
        assert other(picture()).kind == 'metric'

    @pytest.mark.parametrize(
        'name',
        ['config.json', 'preprocessor_config.json', 'model.safetensors'],
    )
    def test_incomplete(self, checkpoints, tmp_path, name):
        for path in (checkpoints / 'dpt').iterdir():
            if path.name != name:
                (tmp_path / path.name).write_bytes(path.read_bytes())
        with pytest.raises(FileNotFoundError, match=name):
            build_provider('transformers', checkpoint=tmp_path)

    def test_damaged(self, checkpoints, tmp_path):
        for path in (checkpoints / 'dpt').iterdir():
            data = path.read_bytes()
            if path.suffix == '.safetensors':
                data = data[: len(data) // 2]
            (tmp_path / path.name).write_bytes(data)
        with pytest.raises(ValueError, match='cannot be loaded'):
            build_provider('transformers', checkpoint=tmp_path)

    def test_no_connection(self, monkeypatch):
        from transformers import AutoImageProcessor

        def refuse(*args, **kwargs):
            raise OSError("We couldn't connect to the hub\nand more")

        monkeypatch.setattr(AutoImageProcessor, 'from_pretrained', refuse)
        with pytest.raises(ValueError, match='cannot be loaded') as caught:
            build_provider(
                'transformers', checkpoint='some/model', allow_download=True
            )
        text = str(caught.value)
        assert "couldn't connect" in text
        assert '\n' not in text
        assert 'copy https://huggingface.co/some/model to a folder' in text

    def test_missing_weights_are_not_random(self, checkpoints, tmp_path):
        from safetensors.torch import load_file, save_file

        for path in (checkpoints / 'dpt').iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        weights = load_file(tmp_path / 'model.safetensors')
        del weights['head.head.0.weight']
        save_file(weights, tmp_path / 'model.safetensors', {'format': 'pt'})
        with pytest.raises(ValueError, match=r'head.head.0.weight'):
            build_provider('transformers', checkpoint=tmp_path)

    def test_another_kind_of_model(self, tmp_path):
        from transformers import BertConfig, BertModel, DPTImageProcessor

        config = BertConfig(
            vocab_size=9,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=8,
        )
        BertModel(config).save_pretrained(tmp_path)
        DPTImageProcessor().save_pretrained(tmp_path)
        with pytest.raises(ValueError, match='depth-estimation'):
            build_provider('transformers', checkpoint=tmp_path)

    def test_a_device_that_is_not_there(self, checkpoints):
        with pytest.raises(ValueError, match="'nowhere' cannot be used"):
            build_provider(
                'transformers',
                checkpoint=checkpoints / 'dpt',
                device='nowhere',
            )

    def test_never_downloads_unless_asked(self, monkeypatch):
        import socket

        def connect(*args, **kwargs):
            raise AssertionError('the network was used')

        monkeypatch.setattr(socket.socket, 'connect', connect)
        with pytest.raises(FileNotFoundError, match='--allow-download'):
            build_provider('transformers', checkpoint='some/model')

    def test_without_the_package(self, checkpoints, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, 'transformers', None)
        with pytest.raises(ImportError, match='pip install'):
            build_provider('transformers', checkpoint=checkpoints / 'dpt')
