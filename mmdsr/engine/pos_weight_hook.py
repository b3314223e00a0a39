"""Weights of rare classes, computed from the training split."""

import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from mmdsr.registry import HOOKS


def positive_weights(labels: Tensor) -> Tensor:
    """Return weights of the positives that balance each class.

    With N images, of which N_c show class c, the benchmark of Sewer-ML
    multiplies the loss of positives by (N - N_c) / N_c.

    Args:
        labels: ``(N, K)``, 1 where a class is present.

    Returns:
        Weights ``(K,)``: 1 for a class without positives, whose weight has no
        effect, and for a class without negatives, whose weight would be 0.
    """
    number, positive = len(labels), labels.double().sum(0)
    weights = (number - positive) / positive
    weights[(positive == 0) | (positive == number)] = 1
    return weights


def label_matrix(dataset: BaseDataset, classes: int) -> Tensor:
    """Return the labels of a multi-label data set without reading images.

    Args:
        dataset: An mmengine ``BaseDataset`` or a wrapper around it,
            with ``gt_label``.
        classes: Number of classes, K.

    Returns:
        ``(N, K)``, 1 where a class is present, otherwise 0.
    """
    labels = torch.zeros(len(dataset), classes)
    for index in range(len(dataset)):
        labels[index, dataset.get_data_info(index)['gt_label']] = 1
    return labels


@HOOKS.register_module()
class PosWeightHook(Hook):
    """Set ``pos_weight`` of a binary cross entropy before training.

    The weights are those of :func:`positive_weights` for the training split
    that the runner uses, so that a config also fits a subset of a data set.
    They are not part of a checkpoint and are computed again when a run is
    resumed. A classifier with several heads has a method ``loss_targets`` that
    returns the targets of each head; otherwise the loss of ``head`` gets the
    weights.
    """

    def before_train(self, runner: Runner) -> None:
        """Count the labels and set the weights.

        Args:
            runner: The runner.

        Raises:
            TypeError: If a head has no loss with ``pos_weight``.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        dataset = runner.train_dataloader.dataset
        labels = label_matrix(dataset, len(dataset.metainfo['classes']))
        if hasattr(model, 'loss_targets'):
            targets = model.loss_targets(labels)
        else:
            targets = [(model.head, labels)]
        for head, target in targets:
            loss = getattr(head, 'loss_module', None)
            if loss is None or not getattr(loss, 'use_sigmoid', False):
                raise TypeError(
                    'PosWeightHook needs heads with the loss '
                    "dict(type='CrossEntropyLoss', use_sigmoid=True), not "
                    f'{type(loss).__name__} of {type(head).__name__}.'
                )
            loss.pos_weight = positive_weights(target).tolist()
            shown = ', '.join(f'{weight:.3g}' for weight in loss.pos_weight)
            runner.logger.info(
                f'Weights of positives from {len(target)} training images: '
                f'{shown}'
            )
