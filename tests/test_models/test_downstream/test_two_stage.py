import copy

import pytest
import torch
from mmengine.registry import DefaultScope

from mmdsr.registry import MODELS

pytest.importorskip('mmpretrain')

from mmpretrain.structures import DataSample

from mmdsr.models.downstream.two_stage_classifier import (
    combine_scores,
)

SMALL = dict(type='mmdsr.XieNet', channels=(4, 6, 6), hidden=(16, 8), grid=2)
CLASSES = 3


def level(classes, **backbone):
    return dict(
        type='ImageClassifier',
        backbone={**SMALL, **backbone},
        head=dict(
            type='MultiLabelLinearClsHead',
            num_classes=classes,
            in_channels=8,
            loss=dict(type='CrossEntropyLoss', use_sigmoid=True),
        ),
    )


def build(config):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(copy.deepcopy(config))


def two_stages(**options):
    torch.manual_seed(0)
    config = dict(
        type='mmdsr.TwoStageClassifier',
        level1=level(1, dropout=0),
        level2=level(CLASSES, dropout=0),
        **options,
    )
    return build(config)


def samples(*labels):
    return [DataSample().set_gt_label(list(label)) for label in labels]


def images(number):
    return torch.rand(
        number, 3, 40, 32, generator=torch.Generator().manual_seed(number)
    )


def gradients(module):
    return [p.grad for p in module.parameters() if p.grad is not None]


@pytest.mark.parametrize(
    ('classes', 'parameters'), [(1, 9_159_681), (17, 9_167_889)]
)
def test_parameters_are_those_of_the_benchmark(classes, parameters):
    config = level(classes)
    config['backbone'] = dict(type='mmdsr.XieNet')
    config['head']['in_channels'] = 512
    model = build(config)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize('size', [(22, 40), (224, 224), (288, 352)])
def test_xie_takes_any_size(size):
    net = build(SMALL).eval()
    (features,) = net(torch.rand(2, 3, *size))
    assert features.shape == (2, 8)


def test_xie_has_the_layers_of_the_table():
    net = build(dict(type='mmdsr.XieNet', channels=(2, 4, 4)))
    shapes = []
    x = torch.rand(1, 3, 224, 224)
    for layer in net.convs:
        x = layer(x)
        if not isinstance(layer, torch.nn.ReLU):
            shapes.append(tuple(x.shape[1:]))
    sides = [224, 112, 56, 28, 14, 7, 8]
    channels = [2, 2, 4, 4, 4, 4, 4]
    assert shapes == [(c, s, s) for c, s in zip(channels, sides, strict=True)]
    kinds = [type(layer).__name__ for layer in net.hidden]
    assert kinds == ['Linear', 'ReLU', 'Dropout'] * 2
    assert {m.p for m in net.hidden if hasattr(m, 'p')} == {0.6}


def test_scores_replace_and_multiply():
    defective = torch.tensor([0.4, 0.5, 0.9])
    scores = torch.tensor([[0.9, 0.1], [0.6, 0.2], [0.3, 0.4]])
    torch.testing.assert_close(
        combine_scores(defective, scores),
        torch.tensor([[0.4, 0.4], [0.6, 0.2], [0.3, 0.4]]),
    )
    torch.testing.assert_close(
        combine_scores(defective, scores, threshold=0.95),
        defective[:, None].expand(3, 2),
    )
    torch.testing.assert_close(
        combine_scores(defective, scores, 'multiply'),
        torch.tensor([[0.36, 0.04], [0.3, 0.1], [0.27, 0.36]]),
    )


@pytest.mark.parametrize('strategy', ['replace', 'multiply'])
def test_predictions_follow_the_rule(strategy):
    model = two_stages(strategy=strategy).eval()
    x = images(6)
    with torch.no_grad():
        first, second = model(x)
        # Otherwise all first scores may be on one side.
        model.level1.head.fc.bias -= first.median()
        first = model.level1(x)
        found = model(x, samples(*[[]] * 6), mode='predict')
    expected = combine_scores(
        first.sigmoid()[:, 0], second.sigmoid(), strategy
    )
    assert 0 < int((first < 0).sum()) < 6
    for sample, score in zip(found, expected, strict=True):
        torch.testing.assert_close(sample.pred_score, score)
        assert sample.pred_label.tolist() == [
            i for i in range(CLASSES) if score[i] >= 0.5
        ]
        assert sample.gt_label.tolist() == []
    assert len(model(x, mode='predict')) == 6


def test_each_level_is_trained_as_if_alone():
    """Their losses are those of the parts on their own data."""
    model = two_stages()
    x, labels = images(5), samples([0], [], [1, 2], [], [2])
    losses = model(x, labels, mode='loss')
    binary = samples([0], [], [0], [], [0])
    alone1 = model.level1(x, binary, mode='loss')
    alone2 = model.level2(x[[0, 2, 4]], samples([0], [1, 2], [2]), mode='loss')
    assert set(losses) == {'level1.loss', 'level2.loss'}
    torch.testing.assert_close(losses['level1.loss'], alone1['loss'])
    torch.testing.assert_close(losses['level2.loss'], alone2['loss'])


@pytest.mark.parametrize('trained', ['level1', 'level2'])
def test_no_gradient_goes_to_the_other_level(trained):
    model = two_stages()
    losses = model(images(3), samples([0], [], [1, 2]), mode='loss')
    losses[f'{trained}.loss'].backward()
    other = {'level1': model.level2, 'level2': model.level1}[trained]
    assert not gradients(other)
    assert any(g.abs().max() > 0 for g in gradients(getattr(model, trained)))


def test_a_normal_image_does_not_reach_level_2():
    model = two_stages()
    x = images(3).requires_grad_()
    losses = model(x, samples([0], [], [1, 2]), mode='loss')
    losses['level2.loss'].backward()
    reached = x.grad.abs().amax((1, 2, 3)) > 0
    assert reached.tolist() == [True, False, True]


def test_a_batch_of_normal_images():
    model = two_stages()
    losses = model(images(2), samples([], []), mode='loss')
    assert losses['level2.loss'].item() == 0
    sum(losses.values()).backward()
    # Zero, not none: distributed training waits for every one.
    level2 = gradients(model.level2)
    assert len(level2) == len(list(model.level2.parameters()))
    assert all((g == 0).all() for g in level2)
    assert any(g.abs().max() > 0 for g in gradients(model.level1))


def test_both_levels_learn():
    """A bright image is defective, and its brightest channel the class."""
    model = two_stages()
    x = torch.full((8, 3, 32, 32), -1.0)
    labels = [[], [], [0], [0], [1], [1], [2], [2]]
    for i, label in enumerate(labels):
        for c in label:
            x[i, c] = 1
    data = dict(inputs=x, data_samples=samples(*labels))
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(90):
        batch = model.data_preprocessor(data, True)
        loss = sum(model(**batch, mode='loss').values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = model.eval().test_step(data)
    assert [sample.pred_label.tolist() for sample in found] == labels


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='strategy'):
        two_stages(strategy='add')
    with pytest.raises(ValueError, match='num_classes=1'):
        build(
            dict(
                type='mmdsr.TwoStageClassifier',
                level1=level(2),
                level2=level(2),
            )
        )
