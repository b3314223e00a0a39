"""Fewer bits: half precision and 8-bit integers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmdsr.deploy import calibration
from mmdsr.extras import require

if TYPE_CHECKING:
    import onnx

PRECISIONS = ('fp32', 'fp16', 'int8')
#: What is computed in half precision; coordinates, sums over windows and the
#: weighing of references need all their bits.
_HALF = {'Conv', 'ConvTranspose', 'Relu', 'LeakyRelu'}
#: Weights of what does: the depth network and the paper's encoders overflow.
_SIXTEEN_BITS = (
    'network.aligner.',
    'network.fusion.',
    'network.trunk.',
    'network.decoder.blocks',
)
#: Weights of what is computed with 8-bit integers, by the start of the name.
_EIGHT_BITS = ('network.trunk.', 'network.decoder.blocks')


def to_precision(
    model: 'onnx.ModelProto', precision: str, samples: Path | None = None
) -> 'onnx.ModelProto':
    """Convert a model.

    Args:
        model: As exported, float32.
        precision: One of :data:`PRECISIONS`.
        samples: A data set to calibrate 8-bit models on. Defaults to None,
            simulated frames.

    Returns:
        The model; inputs and outputs stay float32.

    Raises:
        MissingExtraError: If onnxruntime, which converts, is not installed.
        ValueError: If the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f'precision must be one of {PRECISIONS}, not {precision!r}.'
        )
    if precision == 'fp32':
        return model
    require('onnx', 'onnxruntime')
    return to_half(model) if precision == 'fp16' else to_int8(model, samples)


def to_half(model: 'onnx.ModelProto') -> 'onnx.ModelProto':
    """Let the convolutions compute in half precision.

    Args:
        model: The model, float32.

    Returns:
        The model; its weights take half the space.
    """
    from onnxruntime.transformers import float16

    others = {node.op_type for node in model.graph.node} - _HALF
    return float16.convert_float_to_float16(
        model,
        keep_io_types=True,
        op_block_list=sorted(others),
        node_block_list=_without(model, _SIXTEEN_BITS),
    )


def _without(model: 'onnx.ModelProto', weights: tuple[str, ...]) -> list[str]:
    """Name the convolutions whose weights have none of these names."""
    return [
        node.name
        for node in model.graph.node
        if node.op_type in ('Conv', 'ConvTranspose')
        and not node.input[1].startswith(weights)
    ]


def to_int8(
    model: 'onnx.ModelProto', samples: Path | None = None
) -> 'onnx.ModelProto':
    """Let the trunk or the decoder compute with 8-bit integers.

    The rest needs more: a match that is off by a pixel costs more than all
    that is gained, and what first and last layers lose is in the image. The
    biases make up for what rounding shifts.

    Args:
        model: The model, float32.
        samples: A data set to calibrate on. Defaults to None, simulated
            frames.

    Returns:
        The model, with pairs of operators that quantize and dequantize.

    Raises:
        MissingExtraError: If nncf is not installed.
        ValueError: If there are no samples at ``samples``.
    """
    require('int8', 'nncf')
    import nncf

    taken = {value.name for value in model.graph.input}
    found = calibration.read(samples) if samples else calibration.simulate()
    inputs = [
        {name: value for name, value in sample.items() if name in taken}
        for sample in found
    ]
    others = {node.op_type for node in model.graph.node}
    with _quiet():
        return nncf.quantize(
            model,
            nncf.Dataset(inputs),
            # Unsigned after ReLU, where half of a signed range is unused.
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(inputs),
            fast_bias_correction=True,
            ignored_scope=nncf.IgnoredScope(
                names=_without(model, _EIGHT_BITS),
                types=sorted(others - {'Conv', 'ConvTranspose', 'Constant'}),
                validate=False,
            ),
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what NNCF tells about each layer from the user."""
    import nncf

    logger = logging.getLogger('nncf')
    level = logger.level
    nncf.set_log_level(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
