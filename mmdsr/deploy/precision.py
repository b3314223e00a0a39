"""Fewer bits: half precision and 8-bit integers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmdsr.deploy import calibration
from mmdsr.extras import require

if TYPE_CHECKING:
    import onnx

PRECISIONS = ('fp32', 'fp16', 'int8')
#: Operators in half precision; coordinates, sums over windows and the weights
#: of references need full precision.
_HALF = {'Conv', 'ConvTranspose', 'Relu', 'LeakyRelu'}
#: Prefixes of the weights of operators in half precision.
_SIXTEEN_BITS = (
    'network.aligner.',
    'network.fusion.',
    'network.trunk.',
    'network.encoder.',
    'network.decoder.',
)
#: Prefixes of weights that are computed with 8-bit integers.
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
        MissingExtraError: If a package for converting is not installed.
        ValueError: If the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f'precision must be one of {PRECISIONS}, not {precision!r}.'
        )
    if precision == 'fp32':
        return model
    return to_half(model) if precision == 'fp16' else to_int8(model, samples)


def to_half(model: 'onnx.ModelProto') -> 'onnx.ModelProto':
    """Convert convolutions, and activations after them, to 16 bits.

    Everything between them keeps 32 bits: a sum over an image or a coordinate
    exceeds the range or the resolution of half precision.

    Args:
        model: The model, float32; it is changed.

    Returns:
        The model, with half-precision weights.
    """
    from onnx import TensorProto, helper, numpy_helper

    weights = {value.name: value for value in model.graph.initializer}
    halves: dict[str, str] = {}
    nodes = []

    def half(name: str) -> str:
        """Return the half-precision copy of a weight or a map."""
        if name not in halves:
            halves[name] = f'{name}_half'
            if name in weights:
                array = numpy_helper.to_array(weights[name]).astype(np.float16)
                weights[name].CopyFrom(
                    numpy_helper.from_array(array, halves[name])
                )
            else:
                nodes.append(
                    helper.make_node(
                        'Cast', [name], [halves[name]], to=TensorProto.FLOAT16
                    )
                )
        return halves[name]

    left = set(_without(model, _SIXTEEN_BITS))
    for node in model.graph.node:
        if node.op_type not in _HALF or node.name in left:
            nodes.append(node)
            continue
        node.input[:] = [half(name) for name in node.input]
        full = node.output[0]
        node.output[0] = halves[full] = f'{full}_half'
        nodes.append(node)
        nodes.append(
            helper.make_node(
                'Cast', [halves[full]], [full], to=TensorProto.FLOAT
            )
        )
    used = {name for node in nodes for name in node.input}
    used.update(value.name for value in model.graph.output)
    del model.graph.node[:]
    model.graph.node.extend(
        node for node in nodes if used.intersection(node.output)
    )
    # The runtime infers the types of the converted parts again.
    del model.graph.value_info[:]
    return model


def to_int8(
    model: 'onnx.ModelProto', samples: Path | None = None
) -> 'onnx.ModelProto':
    """Convert the trunk or the decoder to 8-bit integers.

    The rest needs more bits: a match that is off by a pixel costs more than is
    gained, and losses of the first and last layers are visible in the image.
    The biases are corrected for the shift by rounding.

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
    # Report a wrong folder first: fixing it needs no installation.
    found = list(calibration.read(samples)) if samples else None
    require('int8', 'nncf')
    import nncf

    taken = {value.name for value in model.graph.input}
    if found is None:
        found = list(calibration.simulate())
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
    """Hide NNCF's messages about each layer from the user."""
    import nncf

    logger = logging.getLogger('nncf')
    level = logger.level
    nncf.set_log_level(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _without(model: 'onnx.ModelProto', weights: tuple[str, ...]) -> list[str]:
    """Return the convolutions whose weights have none of these names.

    Activations get the precision of the layer before them.
    """
    names, chosen = [], set()
    for node in model.graph.node:
        if node.op_type not in _HALF:
            continue
        if node.op_type in ('Conv', 'ConvTranspose'):
            wanted = node.input[1].startswith(weights)
        else:
            wanted = node.input[0] in chosen
        if wanted:
            chosen.update(node.output)
        else:
            names.append(node.name)
    return names
