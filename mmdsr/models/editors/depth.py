"""Training of a depth network."""

from typing import Any

from mmagic.models.base_models import BaseEditModel
from mmagic.structures import DataSample
from torch import Tensor

from mmdsr.models.editors.common import (
    DATA_PREPROCESSOR,
    PlainKeysMixin,
    require_samples,
    unpack_inputs,
)
from mmdsr.models.networks.padding import downscale
from mmdsr.registry import MODELS


@MODELS.register_module()
class DepthEditor(PlainKeysMixin, BaseEditModel):
    """Training of the depth network alone, with L_dep of Eq. 9.

    It learns from LR and Ref-down as in DSRNet. The joint training can start
    from its checkpoint, see ``depth_checkpoint`` of :class:`mmdsr.DSR`.

    Args:
        generator: ``mmdsr.DepthUNet``.
        depth_loss: ``mmdsr.DepthLoss``; samples without depth do not
            contribute.
        train_cfg: Not used; the runner needs it.
        test_cfg: Not used; the runner needs it.
        init_cfg: Initialization.
        data_preprocessor: Defaults to mmagic's with RGB in [0, 1].
    """

    def __init__(
        self,
        generator: dict[str, Any],
        depth_loss: dict[str, Any],
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            generator=generator,
            pixel_loss=depth_loss,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
            data_preprocessor=data_preprocessor or DATA_PREPROCESSOR,
        )

    def forward(
        self,
        inputs: dict[str, Any],
        data_samples: DataSample | None = None,
        mode: str = 'tensor',
    ) -> Tensor | list[DataSample] | dict[str, Tensor]:
        """Run the model.

        Args:
            inputs: ``img`` (N, 3, H, W) and ``ref`` (N, 3, Hr, Wr), RGB in
                [0, 1].
            data_samples: Stacked samples with ``depth_lr`` and ``depth_ref``,
                NaN where unknown.
            mode: ``'tensor'`` returns the depth of LR (N, 1, H, W);
                ``'predict'`` a list of samples with ``pred_depth``; ``'loss'``
                a dict of losses.

        Returns:
            See ``mode``.

        Raises:
            ValueError: If there are no samples for a loss.
        """
        lr, ref = unpack_inputs(inputs)
        depth = self.generator(lr)
        if mode == 'loss':
            data_samples = require_samples(data_samples)
            loss = self.pixel_loss(
                depth,
                self.generator(downscale(ref)),
                data_samples.get('depth_lr'),
                data_samples.get('depth_ref'),
            )
            return dict(loss_dep=loss)
        if mode == 'predict':
            output = DataSample(pred_depth=depth.cpu())
            return self.convert_to_datasample(output, data_samples, lr)
        if mode == 'tensor':
            return depth
        raise ValueError(
            f"mode must be 'tensor', 'predict' or 'loss', not {mode!r}."
        )
