"""DSRNet+ as a trainable model: ``L_rec`` and ``L_dep``."""

from typing import Any

from mmagic.models.base_models import BaseEditModel
from mmagic.structures import DataSample
from mmengine.model import is_model_wrapper
from torch import Tensor

from mmdsr.io.checkpoint import find_checkpoint, load_generator
from mmdsr.models.editors.common import (
    DATA_PREPROCESSOR,
    RefSRMixin,
)
from mmdsr.models.networks import DSROutput
from mmdsr.models.networks.refsr_net import RefSRNet
from mmdsr.registry import MODELS


@MODELS.register_module()
class DSR(RefSRMixin, BaseEditModel):
    """Depth-aware, reference-based super-resolution without a GAN.

    ``L = lambda_rec L_rec + lambda_dep L_dep`` (Eq. 9, 10 and 15 without the
    perceptual and adversarial terms): the paper's DSRNet+ and DSRNet-S, and
    with a generator without depth network MASA-rec and rows 1 and 2 of Table
    10. Samples without depth maps skip ``L_dep``. The term ``lambda_match
    L_match``, which is not in the paper, teaches the match where the true
    correspondence is known.

    Args:
        generator: ``mmdsr.DSRNet``, ``mmdsr.MASASRNet`` or ``mmdsr.DSRNetX``.
        pixel_loss: ``L_rec``, e.g. ``dict(type='mmagic.L1Loss')``; its
            ``loss_weight`` is ``lambda_rec``.
        depth_loss: ``mmdsr.DepthLoss``; its ``loss_weight`` is ``lambda_dep``.
        train_cfg: Not used; the runner needs it.
        test_cfg: ``depth``: source of the depth maps in evaluation,
            ``'predicted'``, ``'given'`` (by the samples) or ``'zero'``.
            Defaults to the depth network if there is one, otherwise to the
            samples.
        init_cfg: Initialization.
        data_preprocessor: Defaults to mmagic's with RGB in [0, 1].
        match_loss: ``mmdsr.MatchLoss``, for a generator that matches blocks.
            The samples need ``flow`` and ``visible`` of
            :class:`mmdsr.LoadFlow`.
        aligner_checkpoint: Weights for the ``aligner`` of a ``mmdsr.DSRNetX``:
            a checkpoint of ``mmdsr.FlowEditor`` or its working directory, read
            when a training starts. They are frozen.
        depth_checkpoint: Weights to start the depth network from: a checkpoint
            of ``mmdsr.DepthEditor`` or its working directory. Training
            continues from them.

    Raises:
        ValueError: If ``depth_loss``, ``match_loss`` or ``test_cfg`` does
            not fit the generator.
    """

    def __init__(
        self,
        generator: dict[str, Any],
        pixel_loss: dict[str, Any],
        depth_loss: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        match_loss: dict[str, Any] | None = None,
        aligner_checkpoint: str | None = None,
        depth_checkpoint: str | None = None,
    ) -> None:
        super().__init__(
            generator=generator,
            pixel_loss=pixel_loss,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
            data_preprocessor=data_preprocessor or DATA_PREPROCESSOR,
        )
        self.depth_loss = MODELS.build(depth_loss) if depth_loss else None
        self._setup_refsr(depth_loss)
        self.match_loss = MODELS.build(match_loss) if match_loss else None
        if match_loss and not isinstance(self.generator, RefSRNet):
            raise ValueError(
                'match_loss is set, but the generator '
                f'{type(self.generator).__name__} does not match blocks: '
                'remove match_loss or use mmdsr.DSRNet or mmdsr.MASASRNet.'
            )
        # Parts of the generator to initialize, and their checkpoints.
        self.part_checkpoints = {
            'aligner': aligner_checkpoint,
            'depth_net': depth_checkpoint,
        }
        for part, checkpoint in self.part_checkpoints.items():
            if checkpoint and getattr(self.generator, part, None) is None:
                option = {'aligner': part, 'depth_net': 'depth'}[part]
                raise ValueError(
                    f'{option}_checkpoint is set, but the generator '
                    f'{type(self.generator).__name__} has no {part}.'
                )
        if aligner_checkpoint is not None:
            self.generator.aligner.requires_grad_(False)

    def init_weights(self) -> None:
        """Load the weights of parts that were trained before.

        A test does not call this. A resumed run does, before it reads its own
        checkpoint.

        Raises:
            FileNotFoundError: If there is no checkpoint.
            CheckpointError: If the weights do not fit.
        """
        super().init_weights()
        generator = self.generator
        if is_model_wrapper(generator):
            generator = generator.module
        for part, checkpoint in self.part_checkpoints.items():
            if checkpoint is not None:
                load_generator(
                    getattr(generator, part), find_checkpoint(checkpoint)
                )

    def base_losses(
        self, output: DSROutput, data_samples: DataSample
    ) -> dict[str, Tensor]:
        """Return all terms that need no other network.

        Args:
            output: Output of :meth:`run_generator`.
            data_samples: Stacked samples with ``gt_img``, and with ``flow``
                and ``visible`` for a match loss.

        Returns:
            ``loss_rec`` and, as configured, ``loss_dep`` and ``loss_match``.

        Raises:
            ValueError: If there is a match loss but no true flow.
        """
        losses = super().base_losses(output, data_samples)
        if self.match_loss is None:
            return losses
        flow, visible = (data_samples.get(key) for key in ('flow', 'visible'))
        if flow is None or visible is None:
            raise ValueError(
                'match_loss needs the true flow: add mmdsr.LoadFlow to the '
                "pipeline and 'flow' and 'visible' to data_keys of "
                'PackInputs.'
            )
        losses['loss_match'] = self.match_loss(output.matched, flow, visible)
        return losses

    def forward_train(
        self, inputs: dict[str, Any], data_samples: DataSample
    ) -> dict[str, Tensor]:
        """Return the losses of a batch.

        Args:
            inputs: ``img`` and ``ref``, RGB in [0, 1].
            data_samples: ``gt_img`` in [0, 1], optionally ``depth_lr`` and
                ``depth_ref`` with NaN where unknown; ``flow`` and
                ``confidence`` of an aligner are used by a generator that takes
                them.

        Returns:
            See :meth:`base_losses`.
        """
        output = self.run_generator(
            inputs, data_samples, aligned=self.takes_flow
        )
        return self.base_losses(output, data_samples)
