"""Depth from a monocular depth network of the transformers package."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmdsr.depth.base import DepthMap, DepthProvider
from mmdsr.io.checksums import digest

if TYPE_CHECKING:
    from transformers import PretrainedConfig

OUTPUTS = ('auto', 'inverse', 'metric')

_NEAR_QUANTILE = 0.98
_FILES = ('config.json', 'preprocessor_config.json')
_WEIGHTS = ('*.safetensors', '*.bin')
# Outputs of models whose configuration does not define them.
_OF_MODEL = {'dpt': 'inverse', 'glpn': 'metric', 'zoedepth': 'metric'}


def from_inverse(inverse: np.ndarray, near: float, far: float) -> np.ndarray:
    """Convert inverse depth of unknown scale to depth.

    The scale is set so that the 98th percentile of the inverse depth lies at
    ``near``, and zero stays infinitely far:
    ``Z = min(near p98 / inverse, far)``.

    Args:
        inverse: ``(H, W)``; NaN = unknown.
        near: Meters.
        far: Meters; also given where the inverse is <= 0.

    Returns:
        ``(H, W)`` float32 meters of that scale; all NaN if nothing is nearer
        than infinity.
    """
    inverse = np.asarray(inverse, dtype=np.float32)
    known = inverse[np.isfinite(inverse)]
    top = np.quantile(known, _NEAR_QUANTILE) if known.size else 0
    if not top > 0:
        return np.full(inverse.shape, np.nan, np.float32)
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.where(inverse > 0, near * top / inverse, far)
    depth = np.where(np.isfinite(inverse), np.minimum(depth, far), np.nan)
    return depth.astype(np.float32)


class TransformersDepth(DepthProvider):
    """A depth-estimation checkpoint, such as Depth Anything V2.

    Args:
        checkpoint: Folder made by ``save_pretrained``, or with
            ``allow_download`` the name of a repository.
        allow_download: Fetch the checkpoint if it is not here.
        output: What the network gives. ``'inverse'``: inverse depth of unknown
            scale, which :func:`from_inverse` turns into relative depth.
            ``'metric'``: meters. ``'auto'``: as its configuration says.
        near: For relative depth: meters given to the nearest surface.
        far: Largest depth, meters.
        device: Where it runs.

    Raises:
        FileNotFoundError: If the checkpoint is missing or incomplete.
        ImportError: If transformers is missing or too old.
        ValueError: If an argument or the kind of model does not fit.
    """

    name = 'transformers'

    def __init__(
        self,
        checkpoint: str | Path,
        allow_download: bool = False,
        output: str = 'auto',
        near: float = 0.25,
        far: float = 60.0,
        device: str = 'cpu',
    ) -> None:
        if output not in OUTPUTS:
            raise ValueError(
                f'output must be one of {OUTPUTS}, not {output!r}.'
            )
        if not 0 < near < far < float('inf'):
            raise ValueError(
                f'near and far must satisfy 0 < near < far, not {near} and '
                f'{far}.'
            )
        self.checkpoint = self.source = str(checkpoint)
        if not allow_download:
            _check_folder(Path(checkpoint))
        self.near, self.far, self.device = near, far, device
        # Before they are read, so that a change in between is noticed.
        self._files = _digest_files(Path(checkpoint))
        self._processor, self._model = _load(
            self.checkpoint, allow_download, device
        )
        self.output = (
            _output_of(self._model.config) if output == 'auto' else output
        )
        self.kind = 'metric' if self.output == 'metric' else 'relative'

    def _predict(
        self, image: np.ndarray, path: Path | None = None
    ) -> DepthMap:
        import torch

        inputs = self._processor(images=image, return_tensors='pt')
        with torch.inference_mode():
            found = self._model(**inputs.to(self.device)).predicted_depth
            found = torch.nn.functional.interpolate(
                found[:, None].float(),
                size=image.shape[:2],
                mode='bilinear',
                align_corners=False,
            )
        values = found[0, 0].cpu().numpy()
        if self.output == 'inverse':
            depth = from_inverse(values, self.near, self.far)
        else:
            depth = np.where(values > 0, np.minimum(values, self.far), np.nan)
        found_any = np.isfinite(depth).any()
        problem = '' if found_any else 'the network returned no depth'
        return DepthMap(
            depth.astype(np.float32), self.kind, float(not problem), problem
        )

    def identity(self, path: Path) -> str:
        """Return a digest of the checkpoint."""
        # Of a repository, the version that was fetched.
        commit = getattr(self._model.config, '_commit_hash', None)
        return self._files or str(commit)

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings, for a manifest."""
        return {
            'name': self.name,
            # Only the name of the folder: its path is meaningless elsewhere.
            'checkpoint': Path(self.checkpoint).resolve().name,
            'model': self._model.config.model_type,
            'output': self.output,
            'near': self.near,
            'far': self.far,
            'kind': self.kind,
        }


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(
            f'There is no folder {folder}. Give a folder with a '
            'depth-estimation checkpoint, or allow a download '
            '(--allow-download).'
        )
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if not any(any(folder.glob(pattern)) for pattern in _WEIGHTS):
        missing.append('the weights (model.safetensors)')
    if missing:
        raise FileNotFoundError(
            f'{folder} is not a complete checkpoint: {", ".join(missing)} '
            'missing. Copy the whole repository of the model.'
        )


def _digest_files(folder: Path) -> str:
    """Return a digest of the files of a checkpoint; '' without a folder."""
    lines = [
        f'{digest(path)}  {path.name}\n'
        for pattern in ('*.json', *_WEIGHTS)
        for path in sorted(folder.glob(pattern))
    ]
    return hashlib.sha256(''.join(lines).encode()).hexdigest() if lines else ''


def _load(
    checkpoint: str, allow_download: bool, device: str
) -> tuple[Any, Any]:
    try:
        from transformers import AutoImageProcessor
        from transformers import AutoModelForDepthEstimation as AutoModel
    except ImportError as error:
        raise ImportError(
            "The provider 'transformers' needs the package transformers >= "
            "4.45: pip install -c requirements/constraints.txt 'mmdsr[depth]' "
            f'({error})'
        ) from error
    options = {'local_files_only': not allow_download}
    # Many kinds of error, from a damaged JSON file to a wrong tensor.
    try:
        processor = AutoImageProcessor.from_pretrained(checkpoint, **options)
        model, report = AutoModel.from_pretrained(
            checkpoint, output_loading_info=True, **options
        )
    except Exception as error:
        hint = ''
        if allow_download and not Path(checkpoint).is_dir():
            hint = (
                ' Without a connection, copy '
                f'https://huggingface.co/{checkpoint} to a folder on another '
                'machine and give that folder instead of the name.'
            )
        raise ValueError(
            f'{checkpoint} cannot be loaded as a depth-estimation '
            f'checkpoint: {str(error).strip().splitlines()[0]}{hint}'
        ) from error
    if report['missing_keys']:
        raise ValueError(
            f'{checkpoint} lacks weights of the model: '
            f'{", ".join(list(report["missing_keys"])[:3])}, ...; without '
            'them, the depth would be random. Copy the whole repository.'
        )
    # ZoeDepth pads its input, which would have to be cropped again.
    if hasattr(processor, 'do_pad') and model.config.model_type == 'zoedepth':
        processor.do_pad = False
    # torch built without CUDA raises an AssertionError.
    try:
        return processor, model.eval().to(device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f'The device {device!r} cannot be used: '
            f'{str(error).splitlines()[0]}'
        ) from error


def _output_of(config: 'PretrainedConfig') -> str:
    kind = getattr(config, 'depth_estimation_type', None)
    if kind is None:
        kind = _OF_MODEL.get(config.model_type)
    if kind is None:
        raise ValueError(
            f'The output of a {config.model_type!r} model is unknown: set '
            "output='inverse' or output='metric' (--output)."
        )
    return 'metric' if kind == 'metric' else 'inverse'
