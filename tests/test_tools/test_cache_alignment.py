"""The alignment cache as a user makes it."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from tool_runs import call

from mmdsr.datasets.alignment_cache import alignment_path, read_alignment
from mmdsr.registry import MODELS

TOOL = 'dataset_converters/cache_alignment.py'
FLOWNET = dict(
    type='mmdsr.FlowNet',
    channels=[4, 8],
    widths=[8, 8],
    radii=[1, 1],
    repeats=[1, 1],
)


@pytest.fixture
def root(tmp_path, refsr_root):
    shutil.copytree(refsr_root, tmp_path / 'data')
    return tmp_path / 'data'


def run(*args):
    """Run the tool in this process: exit code, output and message."""
    done = call(TOOL, *args)
    return done.returncode, done.stdout, done.stderr.rpartition('error: ')[2]


def test_dis_resume_and_overwrite(root):
    _, out, _ = run(root, '--name', 'dis')
    assert 'train: 4 samples aligned' in out
    assert 'test: 2 samples aligned' in out
    stem = 'train0_0000'
    flow, confidence = read_alignment(root, 'train', 'dis', stem)
    assert flow.shape == (48, 64, 2)
    assert confidence.shape == (48, 64, 1)
    # The reference is HR moved by 8 pixels.
    assert abs(np.median(flow[..., 0]) - 2) < 0.25
    assert abs(np.median(flow[..., 1])) < 0.25
    path = alignment_path(root, 'train', 'dis', stem)
    content = path.read_bytes()
    path.unlink()
    other = alignment_path(root, 'train', 'dis', 'train1_0000')
    other.write_bytes(b'kept')
    _, out, _ = run(root, '--name', 'dis')
    assert 'train: 1 samples aligned' in out
    assert 'test: 0 samples aligned' in out
    assert path.read_bytes() == content
    assert other.read_bytes() == b'kept'
    _, out, _ = run(root, '--name', 'dis', '--overwrite', '--splits', 'train')
    assert 'train: 4 samples aligned' in out
    assert '/test:' not in out
    assert other.read_bytes() != b'kept'


def test_a_trained_aligner(root, tmp_path):
    torch.manual_seed(0)
    net = MODELS.build(dict(FLOWNET))
    state = net.state_dict()
    folder = tmp_path / 'work'
    folder.mkdir()
    torch.save(
        {f'generator.{k}': v for k, v in state.items()},
        folder / 'best_Match@1_iter_3.pth',
    )
    config = tmp_path / 'flow.py'
    config.write_text(
        f"model = dict(type='mmdsr.FlowEditor', generator=dict({FLOWNET}))\n"
    )
    args = '--config', config, '--checkpoint', folder
    _, out, _ = run(root, '--name', 'mine', *args)
    assert 'test: 2 samples aligned' in out
    flow, _ = read_alignment(root, 'test', 'mine', 'test0_0000')
    assert np.isfinite(flow).all()
    config.write_text(
        config.read_text().replace("'channels': [4, 8]", "'channels': [4, 9]")
    )
    code, _, text = run(root, '--name', 'other', *args)
    assert code == 2
    assert text.count('\n') == 1
    assert not (root / 'test/align-other').exists()


def test_a_cache_holds_the_results_of_one_aligner(root, tmp_path):
    config = tmp_path / 'flow.py'
    for seed in range(2):
        torch.manual_seed(seed)
        net = MODELS.build(dict(FLOWNET))
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        state = {f'generator.{k}': v for k, v in net.state_dict().items()}
        torch.save(state, tmp_path / f'{seed}.pth')
    text = "model = dict(type='mmdsr.FlowEditor', generator=dict({}))\n"
    config.write_text(text.format(FLOWNET))
    args = [root, '--name', 'mine', '--config', config, '--checkpoint']
    shutil.copy(tmp_path / '0.pth', tmp_path / 'same.pth')
    run(*args, tmp_path / 'same.pth')
    path = alignment_path(root, 'train', 'mine', 'train0_0000')
    content = path.read_bytes()
    # The same weights in another file are the same aligner.
    _, out, _ = run(*args, tmp_path / '0.pth')
    assert 'train: 0 samples aligned' in out
    code, _, message = run(*args, tmp_path / '1.pth')
    assert code == 2
    assert 'align-mine was made with other settings (weights was' in message
    assert message.count('\n') == 1
    assert path.read_bytes() == content
    # Half of the old results, half of the new ones: never.
    other = alignment_path(root, 'train', 'mine', 'train1_0000')
    other.write_bytes(b'old')
    image = root / 'train/lr/train0_0000.png'
    good = image.read_bytes()
    image.write_bytes(b'no picture')
    code, *_ = run(*args, tmp_path / '1.pth', '--overwrite')
    assert code == 2
    assert not other.exists()
    image.write_bytes(good)
    _, out, _ = run(*args, tmp_path / '1.pth', '--splits', 'train')
    assert 'train: 4 samples aligned' in out
    assert path.read_bytes() != content
    # Made by nobody knows whom.
    (path.parent / 'settings.json').unlink()
    code, _, message = run(*args, tmp_path / '1.pth')
    assert code == 2
    assert 'contains files but no settings.json' in message


def test_an_aligner_that_takes_depth(root, tmp_path):
    torch.manual_seed(0)
    flownet = dict(FLOWNET, depth_input=True)
    net = MODELS.build(dict(flownet))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    state = {f'generator.{k}': v for k, v in net.state_dict().items()}
    torch.save(state, tmp_path / 'weights.pth')
    config = tmp_path / 'flow.py'
    text = f"""
model = dict(type='mmdsr.FlowEditor', generator=dict({flownet}))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='mmdsr.LoadDepth', key='depth_lr', near=NEAR),
    dict(type='mmdsr.LoadDepth', key='depth_ref', image_key='ref', scale=4),
]))
"""
    flows = []
    for near in (0.25, 1.0):
        config.write_text(text.replace('NEAR', str(near)))
        args = '--config', config, '--checkpoint', tmp_path / 'weights.pth'
        _, out, _ = run(root, '--name', f'near{near:.0f}', *args)
        assert 'train: 4 samples aligned' in out
        flows.append(
            read_alignment(root, 'train', f'near{near:.0f}', 'train0_0000')[0]
        )
    assert np.isfinite(flows).all()
    assert not np.array_equal(*flows)
    (changed,) = (root / 'train').glob('depth_lr/train1_0000.*')
    changed.touch()
    _, out, _ = run(root, '--name', 'near1', *args)
    assert 'train: 1 samples aligned' in out


def test_refuses(root, tmp_path):
    def message(*args):
        code, _, text = run(*args)
        assert code == 2
        return text

    assert '"dis"' in message(root, '--name', 'flownet')
    assert 'together' in message(root, '--name', 'a', '--config', 'x.py')
    both = '--config', 'none.py', '--checkpoint', 'x'
    assert 'choose another name' in message(root, '--name', 'dis', *both)
    assert 'none.py does not exist' in message(root, '--name', 'a', *both)
    assert 'may only consist of' in message(root, '--name', '../a', *both)
    assert 'not a data set' in message(tmp_path / 'none', '--name', 'dis')
    shutil.rmtree(root / 'test/ref')
    assert 'ref' in message(root, '--name', 'dis', '--splits', 'test')
    first = root / 'train/lr/train0_0000.png'
    first.write_bytes(b'no picture')
    assert 'train0_0000.png' in message(root, '--name', 'dis')


def test_images_of_16_bits_are_those_of_training(root):
    small = root / 'train/lr/train0_0000.png'
    large = root / 'train/ref/train0_0000.png'
    for path in (small, large):
        gray = np.asarray(Image.open(path).convert('L'))
        Image.fromarray(gray).save(path)
    run(root, '--name', 'dis', '--splits', 'train')
    stem = 'train0_0000'
    expected = read_alignment(root, 'train', 'dis', stem)
    assert abs(np.median(expected[0][..., 0]) - 2) < 0.25
    for path in (small, large):
        gray = np.asarray(Image.open(path)).astype(np.uint16) * 257
        Image.fromarray(gray).save(path)
    run(root, '--name', 'dis', '--splits', 'train', '--overwrite')
    for one, other in zip(
        read_alignment(root, 'train', 'dis', stem), expected, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_changed_images_are_aligned_again(root):
    args = root, '--name', 'dis', '--splits', 'train'
    run(*args)
    stem = 'train0_0000'
    before = read_alignment(root, 'train', 'dis', stem)[0]
    path = root / f'train/ref/{stem}.png'
    moved = np.roll(np.asarray(Image.open(path)), 8, axis=1)
    Image.fromarray(moved).save(path)
    _, out, _ = run(*args)
    assert 'train: 1 samples aligned' in out
    after = read_alignment(root, 'train', 'dis', stem)[0]
    assert abs(np.median(after[..., 0] - before[..., 0]) - 2) < 0.25
    _, out, _ = run(*args)
    assert 'train: 0 samples aligned' in out


def test_the_config_of_a_network_is_no_aligners(root, tmp_path):
    torch.save({}, tmp_path / 'x.pth')
    code, _, message = run(
        root, '--name', 'mine', '--config', 'configs/dsrnet_x/x.py',
        '--checkpoint', tmp_path / 'x.pth',
    )  # fmt: skip
    assert code == 2
    assert 'does not train an aligner' in message
    assert not (root / 'train/align-mine').exists()
