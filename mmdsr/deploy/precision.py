"""Fewer bits: half precision and 8-bit integers."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmdsr.extras import require

if TYPE_CHECKING:
    import onnx

PRECISIONS = ('fp32', 'fp16', 'int8')
#: What is computed in half precision; coordinates, sums over windows and the
#: weighing of references need all their bits.
_HALF = {'Conv', 'ConvTranspose', 'Relu', 'LeakyRelu'}


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
        model, keep_io_types=True, op_block_list=sorted(others)
    )
