"""Exported models as files for use elsewhere."""

from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from mmdsr.deploy import calibration
from mmdsr.deploy.onnx_export import (
    Size,
    check_size,
    fix_size,
    to_onnx,
    variants,
)
from mmdsr.deploy.precision import to_precision
from mmdsr.deploy.runtimes import openvino_core
from mmdsr.extras import require
from mmdsr.io.files import write_bytes
from mmdsr.weights import load_published

FORMATS = ('onnx', 'openvino')


def export(
    weights: str | Path,
    folder: Path,
    file_format: str = 'onnx',
    precision: str = 'fp32',
    size: Size | None = None,
    samples: Path | None = None,
    overwrite: bool = False,
) -> dict[Path, str]:
    """Write the models of published weights.

    Args:
        weights: Name or file.
        folder: Target folder; created if missing.
        file_format: One of :data:`FORMATS`. Defaults to 'onnx'.
        precision: See :mod:`mmdsr.deploy.precision`. Defaults to 'fp32'.
        size: Fixed size of the input. Defaults to None, any size.
        samples: A data set to calibrate 8-bit models on. Defaults to None,
            simulated frames.
        overwrite: Whether to replace files. Defaults to False.

    Returns:
        The models written, each with a description. An OpenVINO model has a
        second file, ``.bin``, beside it.

    Raises:
        FileNotFoundError: If there are no such weights.
        FileExistsError: If a file already exists.
        MissingExtraError: If a package is not installed.
        ValueError: If the arguments contradict each other.
    """
    if file_format not in FORMATS:
        raise ValueError(
            f'format must be one of {FORMATS}, not {file_format!r}.'
        )
    require('onnx', 'onnx')
    if file_format == 'openvino':
        require('openvino', 'openvino')
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f'{folder} is a file: choose another --out.')
    if size is not None:
        check_size(size)
    if samples is not None:
        calibration.choose(samples)
    network = load_published(weights)
    plan = {}
    for alone in variants(network):
        name = _file_name(weights, precision, alone, size)
        suffix = '.onnx' if file_format == 'onnx' else '.xml'
        path = folder / f'{name}{suffix}'
        # OpenVINO's weights lie in a second file.
        weights_file = path if suffix == '.onnx' else path.with_suffix('.bin')
        for file in (path, weights_file):
            if file.exists() and not overwrite:
                raise FileExistsError(
                    f'{file} already exists: choose another --out, or pass '
                    '--overwrite.'
                )
        plan[path] = alone
    return {
        path: _write(network, path, alone, precision, size, samples)
        for path, alone in plan.items()
    }


def _file_name(
    weights: str | Path, precision: str, alone: bool, size: Size | None
) -> str:
    parts = [Path(weights).stem]
    if alone:
        parts.append('alone')
    if precision != 'fp32':
        parts.append(precision)
    if size is not None:
        parts.append(f'{size.width}x{size.height}')
    return '-'.join(parts)


def _write(
    network: nn.Module,
    path: Path,
    alone: bool,
    precision: str,
    size: Size | None,
    samples: Path | None,
) -> str:
    """Write one model; return its description."""
    # OpenVINO converts its weights to half precision itself.
    own = path.suffix == '.xml' and precision == 'fp16'
    model = to_onnx(network, alone)
    model = to_precision(model, 'fp32' if own else precision, samples)
    if size is not None:
        fix_size(model, size)
    content = model.SerializeToString()
    if path.suffix == '.onnx':
        write_bytes(path, content)
    else:
        _write_openvino(content, path, own)
    takes = 'LR alone' if alone else 'LR and reference'
    sizes = f'{size.width}x{size.height}' if size else 'any size'
    opset = model.opset_import[0].version
    return f'{takes}, {sizes}, {precision}, from opset {opset}'


def _write_openvino(content: bytes, path: Path, half: bool) -> None:
    """Convert an ONNX model and write the two files of OpenVINO."""
    import openvino

    model = openvino_core().read_model(content, b'')
    with TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        openvino.save_model(model, made, compress_to_fp16=half)
        # Write the model last, so that its weights exist whenever it does.
        for part in (path.with_suffix('.bin'), path):
            write_bytes(part, (made.parent / part.name).read_bytes())
