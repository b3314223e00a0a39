"""Training of an alignment network."""

from typing import Any

from mmagic.models.base_models import BaseEditModel
from mmagic.structures import DataSample
from torch import Tensor

from mmdsr.models.editors.common import (
    DATA_PREPROCESSOR,
    PlainKeysMixin,
    call,
    require_samples,
    unpack_inputs,
)
from mmdsr.models.networks.padding import downscale
from mmdsr.registry import MODELS


@MODELS.register_module()
class FlowEditor(PlainKeysMixin, BaseEditModel):
    """Training of the flow from LR to the reference.

    Args:
        generator: ``mmdsr.FlowNet``. One with ``depth_input`` gets
            ``depth_lr`` and ``depth_ref`` of the samples.
        flow_loss: ``mmdsr.FlowLoss``; samples without a true flow do not
            contribute.
        self_loss: ``mmdsr.SelfFlowLoss``, which needs no ground truth.
        train_cfg: Not used; the runner needs it.
        test_cfg: Not used; the runner needs it.
        init_cfg: Initialization.
        data_preprocessor: Defaults to mmagic's with RGB in [0, 1].
    """

    def __init__(
        self,
        generator: dict[str, Any],
        flow_loss: dict[str, Any],
        self_loss: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            generator=generator,
            pixel_loss=flow_loss,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
            data_preprocessor=data_preprocessor or DATA_PREPROCESSOR,
        )
        self.self_loss = MODELS.build(self_loss) if self_loss else None
        # DDP may wrap the generator later and hide its attributes.
        self.depth_input = self.generator.depth_input

    def forward(
        self,
        inputs: dict[str, Any],
        data_samples: DataSample | None = None,
        mode: str = 'tensor',
    ) -> tuple[Tensor, Tensor] | list[DataSample] | dict[str, Tensor]:
        """Run the model.

        Args:
            inputs: ``img`` (N, 3, H, W) and ``ref`` (N, 3, Hr, Wr), RGB in
                [0, 1].
            data_samples: Stacked samples with ``flow`` (N, 2, H, W) and
                ``visible`` (N, 1, H, W), and depth maps, NaN where unknown, if
                the generator takes any.
            mode: ``'tensor'`` returns flow and confidence; ``'predict'`` a
                list of samples with ``pred_flow`` and ``confidence``;
                ``'loss'`` a dict of losses.

        Returns:
            See ``mode``.

        Raises:
            ValueError: If the generator takes depth and the samples have
                none.
        """
        lr, ref = unpack_inputs(inputs)
        depths = self._depths(data_samples)
        if mode == 'loss':
            data_samples = require_samples(data_samples)
            ref_down = downscale(ref)
            results = call(self.generator, 'estimate', lr, ref_down, *depths)
            losses = self.pixel_loss(
                results, data_samples.flow, data_samples.visible
            )
            if self.self_loss is not None:
                height, width = lr.shape[-2:]
                rows, columns = ref_down.shape[-2:]
                back = call(
                    self.generator, 'estimate', ref_down, lr, *depths[::-1]
                )
                back = back[-1][0]
                losses |= self.self_loss(
                    lr,
                    ref_down,
                    results[-1][0][..., :height, :width],
                    back[..., :rows, :columns],
                )
            return losses
        flow, confidence = self.generator(lr, ref, None, *depths)
        if mode == 'predict':
            output = DataSample(
                pred_flow=flow.cpu(), confidence=confidence.cpu()
            )
            return self.convert_to_datasample(output, data_samples, lr)
        if mode == 'tensor':
            return flow, confidence
        raise ValueError(
            f"mode must be 'tensor', 'predict' or 'loss', not {mode!r}."
        )

    def _depths(self, data_samples: DataSample | None) -> list[Tensor]:
        if not self.depth_input:
            return []
        depths = [
            data_samples.get(key)
            for key in ('depth_lr', 'depth_ref')
            if data_samples is not None and data_samples.get(key) is not None
        ]
        if len(depths) < 2:
            raise ValueError(
                'The generator has depth_input=True, but the samples have no '
                'depth_lr and depth_ref: load both with mmdsr.LoadDepth and '
                'add them to data_keys of PackInputs.'
            )
        return depths
