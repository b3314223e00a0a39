"""DSRNet-D as a trainable model: distillation from a frozen teacher."""

from pathlib import Path
from typing import Any

import torch
from mmagic.structures import DataSample
from torch import Tensor, nn

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import find_checkpoint, load_generator
from mmdsr.models.editors.common import run_network
from mmdsr.models.editors.dsr import DSR
from mmdsr.models.hidden import Hidden
from mmdsr.models.networks import DSROutput
from mmdsr.registry import MODELS


def load_teacher(
    teacher: dict[str, Any] | None, checkpoint: Path | str | None
) -> nn.Module:
    """Build a teacher and load its weights.

    Args:
        teacher: Config of the network.
        checkpoint: Training checkpoint, plain weights, or the working
            directory of the teacher's training, of which the best checkpoint
            is used.

    Returns:
        The network.

    Raises:
        CheckpointError: If there is no checkpoint, or it does not fit: the
            student would learn from random weights.
    """
    if not teacher or not checkpoint:
        missing = 'teacher' if not teacher else 'teacher_checkpoint'
        raise CheckpointError(
            f'Distillation needs a trained teacher, but {missing} is not '
            'set. Train one (e.g. configs/dsrnet/teacher_plus.py) and set '
            'model.teacher_checkpoint to its checkpoint or working '
            'directory.'
        )
    network = MODELS.build(teacher)
    try:
        load_generator(network, find_checkpoint(checkpoint))
    except FileNotFoundError as error:
        raise CheckpointError(
            f'The teacher cannot be loaded: {error} Train it first, or set '
            'model.teacher_checkpoint to its checkpoint or working '
            'directory.'
        ) from error
    except CheckpointError as error:
        raise CheckpointError(
            f'The teacher cannot be loaded: {error} Its config is '
            'model.teacher.'
        ) from error
    return network


@MODELS.register_module()
class DSRDistiller(DSR):
    """A student with the losses of :class:`mmdsr.DSR` and of a teacher.

    ``L = lambda_rec L_rec + lambda_kd L_kd + lambda_ad L_ad + lambda_dep
    L_dep`` (Eq. 9 and 16 to 23, weights of Section 5.1). The student is
    ``generator``, so that its checkpoint fits the student's own config. The
    teacher runs in evaluation mode without a graph and is in neither
    ``parameters()`` nor ``state_dict()``. The weights of ADM are trained with
    the student and stored for resuming under ``adm_encoder`` and
    ``adm_depth``; the student does not need them.

    The paper does not mention ``L_dep`` for the student (Section 4), but its
    depth network needs this term.

    Args:
        generator: The student, e.g. ``mmdsr.DSRNet``.
        pixel_loss: ``L_rec`` (Eq. 22).
        teacher: The teacher; width and blocks may differ from the student's.
        teacher_checkpoint: Weights of the teacher, see :func:`load_teacher`.
        kd_loss: ``L_kd`` (Eq. 23), a loss of the student's and the teacher's
            image.
        adm: ``L_ad`` (Eq. 21): ``mmdsr.ADM`` or ``mmdsr.FAKD`` without the
            numbers of channels. One is built for the encoders and one for the
            depth encoders, if both networks have them; the loss is their
            mean. Without this and ``kd_loss`` no teacher is loaded.
        feature_level: Features of the LR image and its depth to distill:
            ``'scale'``, the three levels of the encoders, or ``'block'``, the
            output of every residual block. Not in the paper; the authors' code
            uses the levels.
        **kwargs: ``depth_loss`` and further arguments of :class:`mmdsr.DSR`.

    Raises:
        CheckpointError: If the teacher's weights are missing or do not fit.
        ValueError: If the networks do not fit each other.
    """

    def __init__(
        self,
        generator: dict[str, Any],
        pixel_loss: dict[str, Any],
        teacher: dict[str, Any] | None = None,
        teacher_checkpoint: str | None = None,
        kd_loss: dict[str, Any] | None = None,
        adm: dict[str, Any] | None = None,
        feature_level: str = 'scale',
        **kwargs: Any,  # noqa: ANN401 (those of DSR)
    ) -> None:
        super().__init__(generator, pixel_loss, **kwargs)
        self.feature_level = feature_level
        self.kd_loss = MODELS.build(kd_loss) if kd_loss else None
        self.adm_encoder: nn.Module | None = None
        self.adm_depth: nn.Module | None = None
        self._teacher: Hidden[nn.Module] | None = None
        if not kd_loss and not adm:
            return
        # The student is already built: it starts from the same weights with
        # and without a teacher.
        network = load_teacher(teacher, teacher_checkpoint)
        if network.scale != self.scale:
            raise ValueError(
                f'The teacher enlarges by {network.scale}, but the student by '
                f'{self.scale}.'
            )
        self._teacher = Hidden(network)
        if adm:
            self._build_adm(adm, network)

    def _build_adm(self, adm: dict[str, Any], teacher: nn.Module) -> None:
        """Build L_ad for the features that both networks have."""
        image, depth = self._widths(teacher)
        own_image, own_depth = self._widths(self.generator)
        self.adm_encoder = self._build_pair(adm, image, own_image)
        if depth is not None and own_depth is not None:
            self.adm_depth = self._build_pair(adm, depth, own_depth)

    def _widths(
        self, network: nn.Module
    ) -> tuple[list[int], list[int] | None]:
        """Return the widths of the features of encoder and depth encoder."""
        if not hasattr(network, 'feature_channels'):
            raise ValueError(
                'adm needs networks with feature_channels(), such as '
                f'mmdsr.DSRNet: {type(network).__name__} has none.'
            )
        # nn.Module does not declare the methods of its subclasses.
        known: Any = network
        return known.feature_channels(self.feature_level)

    @staticmethod
    def _build_pair(
        adm: dict[str, Any],
        teacher_channels: list[int],
        student_channels: list[int],
    ) -> nn.Module:
        """Build the loss between two lists of features."""
        return MODELS.build(
            dict(
                adm,
                teacher_channels=teacher_channels,
                student_channels=student_channels,
            )
        )

    @torch.no_grad()
    def run_teacher(
        self, inputs: dict[str, Any], data_samples: DataSample | None = None
    ) -> DSROutput:
        """Run the teacher, with the given depth maps if it predicts none.

        Args:
            inputs: ``img`` and ``ref``, RGB in [0, 1].
            data_samples: Stacked samples.

        Returns:
            Output without a graph.

        Raises:
            RuntimeError: If there is no teacher.
        """
        if self._teacher is None:
            raise RuntimeError('The teacher is not used: set kd_loss or adm.')
        teacher = self._teacher.to(inputs['img'])
        depth = 'given' if teacher.needs_depth else 'predicted'
        return run_network(
            teacher,
            inputs,
            data_samples,
            depth,
            self.scale,
            self.feature_level,
            aligned=hasattr(teacher, 'align'),
        )

    def feature_loss(self, teacher: DSROutput, student: DSROutput) -> Tensor:
        """Return L_ad, the mean over both encoders (Eq. 21).

        Args:
            teacher: Output of the teacher.
            student: Output of the student.

        Returns:
            Scalar.
        """
        losses = [
            adm(teacher_feats, student_feats)
            for adm, teacher_feats, student_feats in (
                (self.adm_encoder, teacher.feats, student.feats),
                (self.adm_depth, teacher.depth_feats, student.depth_feats),
            )
            if adm is not None
        ]
        return torch.stack(losses).mean()

    def forward_train(
        self, inputs: dict[str, Any], data_samples: DataSample
    ) -> dict[str, Tensor]:
        """Return the losses of a batch.

        Args:
            inputs: ``img`` and ``ref``, RGB in [0, 1].
            data_samples: ``gt_img`` in [0, 1], optionally ``depth_lr`` and
                ``depth_ref`` with NaN where unknown; ``flow`` and
                ``confidence`` are passed to both networks.

        Returns:
            ``loss_rec`` and, as configured, ``loss_dep``, ``loss_match``,
            ``loss_kd`` and ``loss_ad``.
        """
        output = self.run_generator(
            inputs,
            data_samples,
            feature_level=self.feature_level,
            aligned=self.takes_flow,
        )
        losses = self.base_losses(output, data_samples)
        if self._teacher is None:
            return losses
        target = self.run_teacher(inputs, data_samples)
        if self.kd_loss is not None:
            losses['loss_kd'] = self.kd_loss(output.sr, target.sr)
        if self.adm_encoder is not None:
            losses['loss_ad'] = self.feature_loss(target, output)
        return losses
