"""From a network to an ONNX model of any size."""

import io
import warnings
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from mmdsr.deploy.graph_dsr import GraphDSR
from mmdsr.deploy.graph_x import GraphX, GraphXAlone
from mmdsr.extras import require
from mmdsr.models.networks.dsrnet import DSRNet
from mmdsr.models.networks.dsrnet_x import DSRNetX
from mmdsr.models.networks.flownet import FlowNet
from mmdsr.models.networks.padding import MIN_SIZE, SCALE
from mmdsr.version import __version__

if TYPE_CHECKING:
    import onnx

#: Version of the operators, the oldest that has all but resizing.
OPSET = 18
#: Version of the file format, which older runtimes must support, too.
IR_VERSION = 9
LR, REF, SR, CONFIDENCE = 'lr', 'ref', 'sr', 'confidence'
_AXES = {
    LR: {0: 'n', 2: 'h', 3: 'w'},
    REF: {0: 'n', 1: 'k', 3: 'ref_h', 4: 'ref_w'},
    SR: {0: 'n', 2: '4h', 3: '4w'},
    CONFIDENCE: {0: 'n', 2: 'h', 3: 'w'},
}


class Size(NamedTuple):
    """Fixed sizes of a model.

    Args:
        height: Height of LR.
        width: Width of LR.
    """

    height: int
    width: int


def has_alone(network: nn.Module) -> bool:
    """Return whether a network has a model without a reference.

    Args:
        network: The network.
    """
    return isinstance(network, DSRNetX)


def variants(network: nn.Module) -> tuple[bool, ...]:
    """Return which models a network has.

    Args:
        network: The network.

    Returns:
        ``alone`` of :func:`make_graph` for each, the main model first. A
        network that cannot find anything in a reference has one without.
    """
    if not isinstance(network, DSRNetX):
        return (False,)
    return (True,) if network.aligner is None else (False, True)


def make_graph(network: nn.Module, alone: bool = False) -> nn.Module:
    """Return a network in a form that other runtimes support.

    Args:
        network: The network, in evaluation mode.
        alone: Whether to convert it without a reference. Defaults to False.

    Raises:
        ValueError: If there is no such graph of this network.
    """
    name = type(network).__name__
    if alone and not has_alone(network):
        raise ValueError(
            f'{name} always uses a reference: do not export the model without '
            'one.'
        )
    if isinstance(network, DSRNetX):
        if alone:
            return GraphXAlone(network)
        aligner = network.aligner
        if aligner is None:
            raise ValueError(
                f'This {name} has no aligner that finds the image in a '
                'reference: give it none.'
            )
        if (
            isinstance(aligner, FlowNet)
            and not aligner.depth_input
            and network.fusion is not None
            and not network.depth_cues
        ):
            return GraphX(network)
        raise ValueError(
            f'This {name} takes depth maps, or has an aligner other than a '
            'FlowNet, and runs only in torch: use a network whose aligner is '
            "a FlowNet without depth, or backend='torch' (--backend torch)."
        )
    if isinstance(network, DSRNet):
        if network.depth_net is not None and network.dmm.drimm.dilations == (
            1,
        ):
            return GraphDSR(network)
        raise ValueError(
            f'This {name} takes depth maps, or searches with dilations other '
            "than 1: export a network with variant='paper'."
        )
    raise ValueError(f'{name} cannot be exported: use a DSRNetX or a DSRNet.')


def to_onnx(network: nn.Module, alone: bool = False) -> 'onnx.ModelProto':
    """Export a network.

    Args:
        network: The network; put into evaluation mode.
        alone: Without a reference. Defaults to False.

    Returns:
        The model; inputs ``lr`` (N, 3, H, W) and, unless ``alone``, ``ref``
        (N, K, 3, Hr, Wr), RGB in [0, 1]; outputs ``sr`` (N, 3, 4H, 4W), not
        clamped, and ``confidence`` (N, 1, H, W).

    Raises:
        MissingExtraError: If onnx is not installed.
        ValueError: If the network cannot be exported.
    """
    require('onnx', 'onnx')
    import onnx

    graph = make_graph(network, alone).eval().cpu()
    several = 2 if isinstance(network, DSRNetX) else 1
    inputs = (
        torch.rand(2, 3, 24, 40),
        torch.rand(2, several, 3, 97, 130),
    )[: 1 if alone else 2]
    names = [LR, REF][: len(inputs)]
    axes = {name: dict(_AXES[name]) for name in (*names, SR, CONFIDENCE)}
    if REF in axes and several == 1:
        del axes[REF][1]
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # It warns about being the older exporter, and about computed sizes.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            graph,
            inputs,
            # Its type hints allow only paths.
            file,  # type: ignore[arg-type]
            # The newer exporter takes minutes and fixes some sizes.
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=[SR, CONFIDENCE],
            dynamic_axes=axes,
        )
    model = onnx.load_from_string(file.getvalue())
    _describe(model, network, alone)
    onnx.checker.check_model(model)
    return model


def _describe(
    model: 'onnx.ModelProto', network: nn.Module, alone: bool
) -> None:
    """Add a description to a model."""
    import onnx

    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = 'mmdsr', __version__
    model.doc_string = (
        'x4 super-resolution of RGB images in [0, 1]: lr (N, 3, H, W)'
        + ('' if alone else ' and references ref (N, K, 3, Hr, Wr)')
        + ' to sr (N, 3, 4H, 4W), not clamped, and confidence (N, 1, H, W), '
        'how far the references are trusted.'
    )
    facts = dict(
        network=type(network).__name__,
        scale=str(SCALE),
        least_side=str(MIN_SIZE),
        references='none' if alone else 'k' if has_alone(network) else '1',
    )
    onnx.helper.set_model_props(model, facts)


def check_size(size: Size) -> None:
    """Check that images of a size can be enhanced.

    Args:
        size: Size of LR.

    Raises:
        ValueError: If it is too small.
    """
    if min(size) < MIN_SIZE:
        raise ValueError(
            f'{size.width}x{size.height} is too small: at least '
            f'{MIN_SIZE}x{MIN_SIZE} is needed.'
        )


def fix_size(model: 'onnx.ModelProto', size: Size) -> None:
    """Fix sizes, in place, for devices that support only static shapes.

    Args:
        model: The model.
        size: Size of its single image; its single reference is four times as
            large.
    """
    height, width = size
    large = (SCALE * height, SCALE * width)
    shapes = {
        LR: (1, 3, height, width),
        REF: (1, 1, 3, *large),
        SR: (1, 3, *large),
        CONFIDENCE: (1, 1, height, width),
    }
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for dim, side in zip(dims, shapes[value.name], strict=True):
            dim.dim_value = side
    # Inner shapes were those of the variable sizes.
    del model.graph.value_info[:]
