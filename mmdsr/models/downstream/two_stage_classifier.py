"""Classification in two stages: first normal or defective, then which."""

from typing import Any

import torch
from mmengine.structures import BaseDataElement
from mmpretrain.models import BaseClassifier
from mmpretrain.structures import DataSample, label_to_onehot
from torch import Tensor, nn

from mmdsr.registry import MODELS

STRATEGIES = ('replace', 'multiply')


def combine_scores(
    defective: Tensor,
    scores: Tensor,
    strategy: str = 'replace',
    threshold: float = 0.5,
) -> Tensor:
    """Combine the scores of both levels into scores of the classes.

    Args:
        defective: ``(N,)``, level 1: the probability of a defect.
        scores: ``(N, K)``, level 2: the probabilities of the classes.
        strategy: ``'replace'``: an image below the threshold gets its level 1
            score for all classes, so that no class is found in it; the others
            keep their scores of level 2. ``'multiply'``: level 2 times level
            1, which keeps the order of the classes in every image.
        threshold: Threshold of ``'replace'``.

    Returns:
        Scores ``(N, K)`` in [0, 1].
    """
    defective = defective[:, None]
    if strategy == 'multiply':
        return defective * scores
    return torch.where(defective < threshold, defective, scores)


@MODELS.register_module()
class TwoStageClassifier(BaseClassifier):
    """Two networks: is there a defect, and if so, which ones.

    Level 1 is trained on all images with one target, whether an image has any
    of the classes; level 2 on the images that have at least one. They share
    neither weights nor gradients, so that training them in one run equals
    training them one by one, except that the number of images of level 2
    varies from batch to batch. (Do not clip the norm of all gradients
    together, which would couple them.)

    A test follows the rule of the Sewer-ML benchmark, see
    :func:`combine_scores`.

    Args:
        level1: Config of a multi-label ``ImageClassifier`` with one class.
        level2: Config of one with the classes of the data set.
        strategy: ``'replace'`` (the benchmark) or ``'multiply'``.
        threshold: Score from which an image counts as defective, and a class
            as found.
        data_preprocessor: Config of the preprocessor of both levels;
            mmpretrain's ``ClsDataPreprocessor`` unless it has a type.
        train_cfg: Batch augmentations, see mmpretrain's ``ImageClassifier``.
        init_cfg: See mmengine's ``BaseModule``.

    Raises:
        ValueError: If the strategy is unknown, or level 1 does not have one
            class.
    """

    def __init__(
        self,
        level1: dict[str, Any],
        level2: dict[str, Any],
        strategy: str = 'replace',
        threshold: float = 0.5,
        data_preprocessor: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(
                f'strategy must be one of {STRATEGIES}, not {strategy!r}.'
            )
        # The config itself is not changed.
        data_preprocessor = dict(data_preprocessor or {})
        data_preprocessor.setdefault('type', 'ClsDataPreprocessor')
        data_preprocessor.setdefault('batch_augments', train_cfg)
        super().__init__(init_cfg, data_preprocessor)
        self.level1 = MODELS.build(level1)
        self.level2 = MODELS.build(level2)
        if getattr(self.level1.head, 'num_classes', 1) != 1:
            raise ValueError(
                'level1 separates defective from normal images: set its '
                f'num_classes=1, not {self.level1.head.num_classes}.'
            )
        self.strategy = strategy
        self.threshold = threshold

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> tuple[Tensor, Tensor] | dict[str, Tensor] | list[DataSample]:
        """Run both levels.

        Args:
            inputs: ``(N, 3, H, W)``, preprocessed.
            data_samples: Their labels.
            mode: ``'tensor'``, ``'loss'`` or ``'predict'``.

        Returns:
            The logits of level 1 ``(N, 1)`` and level 2 ``(N, K)``, the
            losses, or the samples with ``pred_score`` and ``pred_label``.

        Raises:
            RuntimeError: If the mode is unknown.
            ValueError: If there are no labels for a loss.
        """
        if mode == 'tensor':
            return self.level1(inputs), self.level2(inputs)
        if mode == 'loss':
            if data_samples is None:
                raise ValueError("mode='loss' needs labels in data_samples.")
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise RuntimeError(
            f"mode must be 'tensor', 'loss' or 'predict', not {mode!r}."
        )

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses of both levels.

        Args:
            inputs: ``(N, 3, H, W)``, preprocessed.
            data_samples: Their labels.

        Returns:
            ``level1.loss``, ``level2.loss`` and any further losses of the
            heads. If no image of the batch is defective, that of level 2 is
            zero and has zero gradients.
        """
        truth = self._truth(data_samples)
        defective = truth.amax(1) > 0
        losses = self._named('level1', inputs, truth.amax(1, keepdim=True))
        if defective.any():
            return losses | self._named(
                'level2', inputs[defective], truth[defective]
            )
        # DistributedDataParallel waits for a gradient of every parameter.
        zero = sum(p.sum() for p in self.level2.parameters()) * 0
        return losses | {'level2.loss': zero}

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Find the defects.

        Args:
            inputs: ``(N, 3, H, W)``, preprocessed.
            data_samples: Samples that get the results.

        Returns:
            The samples with ``pred_score`` ``(K,)`` and ``pred_label``.
        """
        first, second = self(inputs)
        scores = combine_scores(
            first.sigmoid()[:, 0],
            second.sigmoid(),
            self.strategy,
            self.threshold,
        )
        if data_samples is None:
            data_samples = [DataSample() for _ in scores]
        for sample, score in zip(data_samples, scores, strict=True):
            sample.set_pred_score(score)
            sample.set_pred_label(torch.where(score >= self.threshold)[0])
        return data_samples

    def loss_targets(self, labels: Tensor) -> list[tuple[nn.Module, Tensor]]:
        """Return the training targets of each level.

        :class:`mmdsr.engine.PosWeightHook` calls this.

        Args:
            labels: ``(N, K)``, 1 where a class is present, of the images of
                the training split.

        Returns:
            Head and targets, ``(M, 1)`` and ``(M, K)``, of both levels.
        """
        defective = labels.amax(1, keepdim=True)
        return [
            (self.level1.head, defective),
            (self.level2.head, labels[defective[:, 0] > 0]),
        ]

    def _truth(self, data_samples: list[DataSample]) -> Tensor:
        """Return the targets ``(N, K)``, which batch augmentations may mix."""
        if 'gt_score' in data_samples[0]:
            return torch.stack([s.gt_score.float() for s in data_samples])
        classes = self.level2.head.num_classes
        return torch.stack(
            [label_to_onehot(s.gt_label, classes) for s in data_samples]
        ).float()

    def _named(
        self, name: str, inputs: Tensor, targets: Tensor
    ) -> dict[str, Tensor]:
        """Return the losses of a level, prefixed with its name."""
        samples: list[BaseDataElement] = [
            DataSample().set_gt_score(target) for target in targets
        ]
        losses = getattr(self, name).loss(inputs, samples)
        return {f'{name}.{key}': value for key, value in losses.items()}
