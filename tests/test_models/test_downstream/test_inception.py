import pytest
import torch
from mmengine.registry import DefaultScope

from mmdsr.registry import MODELS

pytest.importorskip('mmpretrain')

from mmpretrain.structures import DataSample


def build(**config):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(config)


def slim(width, **options):
    return build(
        type='mmdsr.SlimInceptionV3', width=width, num_classes=5, **options
    )


def test_every_layer_is_kept_and_narrower():
    whole = build(type='InceptionV3', num_classes=5, aux_logits=True)
    state = whole.state_dict()
    half = slim(1 / 2, aux_logits=True).state_dict()
    assert list(half) == list(state)
    for name, value in state.items():
        if value.ndim == 0:
            continue
        last = name in ('fc.weight', 'AuxLogits.fc.weight')
        fixed = last or name.endswith('fc.bias')
        assert half[name].shape[0] == value.shape[0] // (1 if fixed else 2)
        if value.ndim > 1 and value.shape[1] != 3:
            assert half[name].shape[1] == value.shape[1] // 2
    same = slim(1.0, aux_logits=True)
    assert [p.shape for p in same.parameters()] == [
        p.shape for p in whole.parameters()
    ]


def test_a_slim_network_has_the_same_grid():
    net = slim(1 / 16)
    net.eval()
    seen = {}
    net.Mixed_7c.register_forward_hook(
        lambda module, args, out: seen.update(shape=out.shape)
    )
    aux, logits = net(torch.rand(1, 3, 299, 299))
    assert aux is None
    assert logits.shape == (1, 5)
    assert seen['shape'] == (1, 128, 8, 8)


@pytest.mark.parametrize('width', [0, 0.3, -1])
def test_a_width_must_divide_the_channels(width):
    with pytest.raises(ValueError, match='1/16'):
        slim(width)


def model(aux_logits, **head):
    return build(
        type='ImageClassifier',
        backbone=dict(
            type='mmdsr.SlimInceptionV3',
            width=1 / 16,
            num_classes=5,
            aux_logits=aux_logits,
        ),
        head=dict(type='mmdsr.AuxMultiLabelClsHead', **head),
    )


def test_the_branch_is_trained_with_its_weight():
    net = model(True)
    x = torch.rand(2, 3, 299, 299)
    samples = [DataSample().set_gt_label(label) for label in ([0, 3], [])]
    target = torch.tensor([[1.0, 0, 0, 1, 0], [0.0] * 5])
    feats = net.extract_feat(x)
    losses = net.head.loss(feats, samples)
    bce = torch.nn.BCEWithLogitsLoss(reduction='sum')
    torch.testing.assert_close(losses['loss'], bce(feats[1], target) / 2)
    torch.testing.assert_close(
        losses['loss_aux'], 0.4 * bce(feats[0], target) / 2
    )
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in net.parameters())
    # A test uses the end only.
    score = net.eval().predict(x)[0].pred_score
    torch.testing.assert_close(score, net.backbone(x)[1][0].sigmoid())


def test_without_a_branch_there_is_one_loss():
    net = model(False)
    samples = [DataSample().set_gt_label([1]), DataSample().set_gt_label([])]
    losses = net(torch.rand(2, 3, 96, 96), samples, mode='loss')
    assert set(losses) == {'loss'}
