import logging
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import nn

from mmdsr.engine.pos_weight_hook import label_matrix, positive_weights
from mmdsr.registry import HOOKS

LABELS = [[0], [0, 1], [], [], [0]]


class Labeled:
    metainfo: ClassVar = dict(classes=('RB', 'OB', 'PF'))

    def __len__(self):
        return len(LABELS)

    def get_data_info(self, index):
        return dict(gt_label=LABELS[index])


def run(model, **options):
    hook = HOOKS.build(dict(type='mmdsr.PosWeightHook', **options))
    hook.before_train(
        SimpleNamespace(
            model=model,
            train_dataloader=SimpleNamespace(dataset=Labeled()),
            logger=logging.getLogger('test'),
        )
    )


def head(kind='CrossEntropyLoss', **options):
    mmpretrain = pytest.importorskip('mmpretrain.models')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return mmpretrain.MultiLabelClsHead(
            loss=dict(type=kind, use_sigmoid=True, **options)
        )


def test_weights_worked_by_hand():
    # RB 3 of 5, OB 1 of 5, PF none; a class in all images.
    labels = label_matrix(Labeled(), 3)
    assert labels.tolist() == [
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 0],
        [0, 0, 0],
        [1, 0, 0],
    ]
    weights = positive_weights(labels)
    assert weights.tolist() == pytest.approx([2 / 3, 4, 1])
    assert positive_weights(torch.ones(4, 1)).tolist() == [1]


def test_the_loss_of_the_host_uses_them():
    model = nn.Module()
    model.head = head()
    run(model)
    logits = torch.randn(5, 3)
    labels = label_matrix(Labeled(), 3)
    expected = nn.BCEWithLogitsLoss(
        pos_weight=torch.tensor([2 / 3, 4, 1]), reduction='sum'
    )(logits, labels)
    found = model.head.loss_module(logits, labels, avg_factor=5)
    torch.testing.assert_close(found, expected / 5)
    assert 'pos_weight' not in ''.join(model.state_dict())


def test_levels_get_those_of_their_own_images():
    model = nn.Module()
    first, second = head(), head()
    defective = torch.tensor([True, True, False, False, True])
    model.loss_targets = lambda labels: [
        (first, labels.amax(1, keepdim=True)),
        (second, labels[defective]),
    ]
    run(model)
    assert first.loss_module.pos_weight == pytest.approx([2 / 3])
    # RB in all three defective images, OB in one.
    assert second.loss_module.pos_weight == pytest.approx([1, 2, 1])


def test_two_stage_classifier_gives_the_labels_of_its_levels():
    pytest.importorskip('mmpretrain')
    from mmdsr.models.downstream.two_stage_classifier import TwoStageClassifier

    model = nn.Module()
    model.level1, model.level2 = nn.Module(), nn.Module()
    model.level1.head, model.level2.head = head(), head()
    labels = label_matrix(Labeled(), 3)
    (head1, binary), (head2, classes) = TwoStageClassifier.loss_targets(
        model, labels
    )
    assert head1 is model.level1.head
    assert head2 is model.level2.head
    assert binary.tolist() == [[1], [1], [0], [0], [1]]
    assert classes.tolist() == labels[[0, 1, 4]].tolist()


def test_another_loss_is_refused():
    model = nn.Module()
    model.head = nn.Module()
    model.head.loss_module = nn.CrossEntropyLoss()
    with pytest.raises(TypeError, match='use_sigmoid=True'):
        run(model)
