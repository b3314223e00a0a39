"""Common parts of the trainable models: inputs, depth maps, predictions."""

import math
from typing import Any

import torch
from mmagic.models.base_models import BaseEditModel
from mmagic.structures import DataSample
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmdsr.models.networks import DSROutput

#: Where the depth maps of the generator come from.
DEPTH_SOURCES = ('predicted', 'given', 'zero')

#: RGB in [0, 1], the range of all networks of this package.
DATA_PREPROCESSOR = dict(
    type='mmagic.DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3
)


def unpack_inputs(inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Return LR and Ref of a model input.

    Args:
        inputs: ``img`` (N, 3, H, W) and ``ref`` (N, 3, Hr, Wr).

    Returns:
        LR and Ref.

    Raises:
        TypeError: If ``inputs`` is not a dict with both keys.
    """
    if not isinstance(inputs, dict) or not {'img', 'ref'} <= inputs.keys():
        found = sorted(inputs) if isinstance(inputs, dict) else type(inputs)
        raise TypeError(
            "A reference-based model needs the inputs 'img' and 'ref', not "
            f"{found}: end the pipeline with dict(type='PackInputs', "
            "keys=['img', 'ref'], ...)."
        )
    return inputs['img'], inputs['ref']


def require_samples(data_samples: DataSample | None) -> DataSample:
    """Return the samples of a batch, without which there is no loss.

    Args:
        data_samples: Stacked samples.

    Returns:
        The same samples.

    Raises:
        ValueError: If there are none.
    """
    if data_samples is None:
        raise ValueError(
            "mode='loss' needs data_samples with the ground truth."
        )
    return data_samples


def given_depth(
    data_samples: DataSample | None, field: str, holes: bool = False
) -> Tensor:
    """Return a depth map of the samples.

    Args:
        data_samples: Stacked samples.
        field: ``depth_lr`` or ``depth_ref``.
        holes: Whether pixels may be unknown (NaN).

    Returns:
        Depth map (N, 1, h, w) in [0, 1].

    Raises:
        ValueError: If the map is missing or has unknown pixels that it may
            not have; the message names the samples.
    """
    depth = data_samples.get(field) if data_samples is not None else None
    if depth is None:
        raise ValueError(
            'The generator needs depth maps, but the samples have no '
            f"'{field}': load it with mmdsr.LoadDepth and add it to data_keys "
            'of PackInputs.'
        )
    unknown = torch.isnan(depth).flatten(1).sum(1).tolist()
    if data_samples is not None and any(unknown) and not holes:
        paths = data_samples.metainfo.get('img_path') or [
            f'sample {index} of the batch' for index in range(len(unknown))
        ]
        broken = [
            f'{path} ({count} pixels)'
            for path, count in zip(paths, unknown, strict=True)
            if count
        ]
        raise ValueError(
            f"The generator needs depth maps, but '{field}' is unknown at "
            f'{", ".join(broken)}. Use a network with a depth network '
            '(depth_net) or complete the depth maps of the data set.'
        )
    return depth


def zero_depth(lr: Tensor, ref: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Return all-zero depth maps, in which everything is infinitely far.

    Args:
        lr: LR images (N, 3, H, W).
        ref: References (N, 3, Hr, Wr).
        scale: Scale factor of the generator.

    Returns:
        Maps (N, 1, H, W) and (N, 1, ceil(Hr/s), ceil(Wr/s)).
    """
    height, width = (math.ceil(side / scale) for side in ref.shape[-2:])
    return lr.new_zeros(len(lr), 1, *lr.shape[-2:]), ref.new_zeros(
        len(ref), 1, height, width
    )


def call(
    network: nn.Module, method: str, *args: object, **kwargs: object
) -> Any:  # noqa: ANN401
    """Call a method of a network, through DDP if it is wrapped.

    DDP averages only the gradients of what was computed by the ``forward`` of
    the wrapped network, so the method replaces it during the call.

    Args:
        network: The network, possibly wrapped by DDP.
        method: Name of the method.
        *args: Its arguments.
        **kwargs: Its keyword arguments.

    Returns:
        What the method returns.
    """
    if not is_model_wrapper(network):
        return getattr(network, method)(*args, **kwargs)
    # nn.Module does not declare the methods of its subclasses.
    inner: Any = network.module
    inner.forward = getattr(inner, method)
    try:
        return network(*args, **kwargs)
    finally:
        del inner.forward


def run_network(
    network: nn.Module,
    inputs: dict[str, Any],
    data_samples: DataSample | None,
    depth: str,
    scale: int,
    feature_level: str = 'scale',
    aligned: bool = False,
) -> DSROutput:
    """Run a reference-based network on the inputs of a model.

    Args:
        network: The network, possibly wrapped by DDP.
        inputs: ``img`` (N, 3, H, W) and ``ref`` (N, 3, Hr, Wr), RGB in [0, 1].
        data_samples: Stacked samples.
        depth: One of :data:`DEPTH_SOURCES`.
        scale: Scale factor of the network.
        feature_level: See the network's ``explain``.
        aligned: Whether the network uses ``flow`` and ``confidence`` of
            the samples, if they have any.

    Returns:
        Output with features and depth maps.
    """
    lr, ref = unpack_inputs(inputs)
    # A network that takes no depth has no such arguments.
    named: dict[str, Tensor | None] = {}
    if depth == 'given':
        bare = network.module if is_model_wrapper(network) else network
        holes = getattr(bare, 'takes_unknown_depth', False)
        named['depth'] = given_depth(data_samples, 'depth_lr', holes)
        named['depth_ref'] = given_depth(data_samples, 'depth_ref', holes)
    elif depth == 'zero':
        named['depth'], named['depth_ref'] = zero_depth(lr, ref, scale)
    if aligned and data_samples is not None:
        named['flow'] = data_samples.get('flow')
        named['confidence'] = data_samples.get('confidence')
    return call(
        network, 'explain', lr, ref, feature_level=feature_level, **named
    )


class PlainKeysMixin(BaseEditModel):
    """The same names of the weights with and without DDP.

    Put it before a mmagic model class.
    """

    def state_dict(self, *args: object, **kwargs: object) -> dict[str, Tensor]:
        """Return the weights under the same keys with and without DDP.

        The runner wraps the networks one by one but unwraps only the whole
        model, so its checkpoints of a distributed run would have the keys
        ``generator.module.*``: neither a resumed training nor a test would
        find them, and mmengine would continue with random weights after a
        warning.

        Args:
            *args: See ``nn.Module.state_dict``.
            **kwargs: See ``nn.Module.state_dict``.

        Returns:
            The weights.
        """
        state = super().state_dict(*args, **kwargs)
        outer = kwargs.get('prefix', '')
        for name, child in self.named_children():
            if not is_model_wrapper(child):
                continue
            prefix = f'{outer}{name}.module.'
            for key in [key for key in state if key.startswith(prefix)]:
                state[f'{outer}{name}.{key[len(prefix) :]}'] = state.pop(key)
        return state


class RefSRMixin(PlainKeysMixin):
    """Reference, depth and prediction handling of the trainable models.

    Put it before a mmagic model class with a ``generator`` that has
    ``explain(lr, ref, ref_down=None, depth=None, depth_ref=None,
    feature_level='scale')``. mmagic's ``forward`` keeps only ``img`` of a
    dict input, so it is replaced here.
    """

    depth_loss: nn.Module | None

    def _setup_refsr(self, depth_loss: dict[str, Any] | None) -> None:
        """Read the properties of the generator and check the options.

        Called at the end of ``__init__``: later the generator may be wrapped
        by DDP, which hides its attributes.

        Args:
            depth_loss: Config of the depth loss.
        """
        self.scale = self.generator.scale
        self.needs_depth = self.generator.needs_depth
        self.takes_flow = hasattr(self.generator, 'align')
        self.predicts_depth = (
            getattr(self.generator, 'depth_net', None) is not None
        )
        if depth_loss is not None and not self.predicts_depth:
            raise ValueError(
                'depth_loss is set, but the generator '
                f'{type(self.generator).__name__} predicts no depth: remove '
                'depth_loss or give the generator a depth_net.'
            )
        source = (self.test_cfg or {}).get('depth')
        self.test_depth = source or (
            'given' if self.needs_depth else 'predicted'
        )
        if self.test_depth not in DEPTH_SOURCES:
            raise ValueError(
                f"test_cfg['depth'] must be one of {DEPTH_SOURCES}, not "
                f'{source!r}.'
            )
        if source in ('given', 'zero') and not (
            self.needs_depth or self.predicts_depth
        ):
            raise ValueError(
                f"test_cfg['depth'] is {source!r}, but the generator "
                f'{type(self.generator).__name__} uses no depth.'
            )
        if source == 'predicted' and self.needs_depth:
            raise ValueError(
                "test_cfg['depth'] is 'predicted', but the generator has no "
                'depth_net.'
            )

    def run_generator(
        self,
        inputs: dict[str, Any],
        data_samples: DataSample | None = None,
        depth: str = 'predicted',
        feature_level: str = 'scale',
        aligned: bool = False,
    ) -> DSROutput:
        """Run the generator.

        Args:
            inputs: ``img`` (N, 3, H, W) and ``ref`` (N, 3, Hr, Wr), RGB in
                [0, 1].
            data_samples: Stacked samples with ``depth_lr`` and ``depth_ref``
                for ``depth='given'``.
            depth: ``'predicted'`` by the generator, ``'given'`` by the samples
                or ``'zero'``. A generator that needs depth maps never
                predicts.
            feature_level: Which features, see the network's ``explain``.
            aligned: Whether to use ``flow`` and ``confidence`` of the samples,
                if they have any.

        Returns:
            Output of the network with features and depth maps.
        """
        if depth == 'predicted' and self.needs_depth:
            depth = 'given'
        return run_network(
            self.generator,
            inputs,
            data_samples,
            depth,
            self.scale,
            feature_level,
            aligned,
        )

    def base_losses(
        self, output: DSROutput, data_samples: DataSample
    ) -> dict[str, Tensor]:
        """Return the reconstruction and depth terms of Eq. 15.

        Args:
            output: Output of :meth:`run_generator`.
            data_samples: Stacked samples with ``gt_img``.

        Returns:
            ``loss_rec``, and ``loss_dep`` if there is a depth loss (0 when no
            depth is known).
        """
        losses = dict(loss_rec=self.pixel_loss(output.sr, data_samples.gt_img))
        if self.depth_loss is not None:
            losses['loss_dep'] = self.depth_loss(
                output.depth,
                output.depth_ref,
                data_samples.get('depth_lr'),
                data_samples.get('depth_ref'),
            )
        return losses

    def forward(
        self,
        inputs: dict[str, Any],
        data_samples: DataSample | None = None,
        mode: str = 'tensor',
    ) -> Tensor | list[DataSample] | dict[str, Tensor]:
        """Run the model.

        Args:
            inputs: ``img`` and ``ref``, see :meth:`run_generator`.
            data_samples: Stacked samples.
            mode: ``'tensor'`` returns SR (N, 3, 4H, 4W), not clamped;
                ``'predict'`` a list of samples; ``'loss'`` a dict of losses.

        Returns:
            See ``mode``.
        """
        if mode == 'loss':
            return self.forward_train(inputs, require_samples(data_samples))
        if mode == 'predict':
            predictions = self.forward_inference(inputs, data_samples)
            return self.convert_to_datasample(
                predictions, data_samples, unpack_inputs(inputs)[0]
            )
        if mode == 'tensor':
            return self.forward_tensor(inputs, data_samples)
        raise ValueError(
            f"mode must be 'tensor', 'predict' or 'loss', not {mode!r}."
        )

    def forward_tensor(
        self, inputs: dict[str, Any], data_samples: DataSample | None = None
    ) -> Tensor:
        """Return SR images (N, 3, 4H, 4W), RGB, not clamped."""
        return self.run_generator(inputs, data_samples, self.test_depth).sr

    def forward_inference(
        self, inputs: dict[str, Any], data_samples: DataSample | None = None
    ) -> DataSample:
        """Return the predictions for a batch.

        Args:
            inputs: ``img`` and ``ref``, see :meth:`run_generator`.
            data_samples: Stacked samples.

        Returns:
            Stacked ``pred_img`` (N, 3, 4H, 4W) as mmagic expects it: BGR or
            RGB like the ground truth, in [0, 255], on the CPU; ``pred_depth``
            (N, 1, H, W) in [0, 1] if the network uses depth; ``confidence``
            (N, 1, H, W), the match score in [-1, 1]; and ``pred_flow``
            (N, 2, H, W), the match in LR pixels, if there is one.
        """
        output = self.run_generator(inputs, data_samples, self.test_depth)
        sr = self.data_preprocessor.destruct(output.sr, data_samples)
        fields = dict(pred_img=sr.cpu(), confidence=output.confidence.cpu())
        if output.depth is not None:
            fields['pred_depth'] = output.depth.cpu()
        if output.flow is not None:
            fields['pred_flow'] = output.flow.cpu()
        return DataSample(**fields)
