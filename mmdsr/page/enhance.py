"""Enlarge one picture or frame and record how it was done."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch

from mmdsr.evidence import record as evidence
from mmdsr.evidence.collect import describe_frame, now, versions
from mmdsr.evidence.mark import MARK, draw_mark
from mmdsr.evidence.overlay import draw_confidence
from mmdsr.evidence.writing import whole_result
from mmdsr.inference import SuperResolver
from mmdsr.inference.outputs import (
    ALPHA_NOTE,
    describe_settings,
    with_alpha,
)
from mmdsr.io.frames import read_rgb
from mmdsr.io.images import save_png
from mmdsr.io.pictures import read_picture
from mmdsr.models.networks.dsrnet import DSRNet
from mmdsr.page.jobs import Outcome
from mmdsr.page.videos import Box, Report, cut, read_moment
from mmdsr.weights import available, load_published

#: Enlargement without a network, for comparison.
INTERPOLATION = 'bicubic'
#: Number of pixels above which depth is predicted from a reduced picture.
_DEPTH_PIXELS = 500_000
#: Names of the files in the folder of a result.
BEFORE, DEPTH = 'before.png', 'depth.png'


@dataclass(frozen=True)
class Given:
    """A file of the user.

    Attributes:
        path: Path of the file.
        name: Name given by the user.
        sha256: SHA-256 of its content.
        note: Conversions on reading, and the pictures that were left out.
    """

    path: Path
    name: str
    sha256: str
    note: str = ''


@dataclass(frozen=True)
class Request:
    """Description of a job.

    Attributes:
        source: The picture or video.
        frame: Number of the frame of a video; None for a picture.
        box: The part to enlarge.
        weights: Name of published weights, or :data:`INTERPOLATION`.
        reference: ``'none'``, ``'neighbors'`` or a picture.
        shows: Whether a reference picture corresponds to the whole source or
            to the part.
        mark: Whether to add the visible mark.
        target: Folder for the result.
    """

    source: Given
    frame: int | None
    box: Box
    weights: str
    reference: Given | Literal['none', 'neighbors']
    shows: Literal['picture', 'region']
    mark: bool
    target: Path


@dataclass(frozen=True)
class Weights:
    """A choice of weights.

    Attributes:
        name: Name of published weights, or :data:`INTERPOLATION`.
        reference: Whether they use a reference.
        depth: Whether they predict depth.
    """

    name: str
    reference: bool
    depth: bool


@lru_cache(maxsize=1)
def list_weights() -> tuple[Weights, ...]:
    """Return the available weights."""
    found = []
    for name in available():
        network = load_published(name)
        if getattr(network, 'needs_depth', True):
            continue
        depth = isinstance(network, DSRNet)
        found.append(Weights(name, True, depth))
    return (*found, Weights(INTERPOLATION, False, False))


def enhance(request: Request, report: Report) -> Outcome:
    """Enlarge a picture or a frame, and write all files of the result.

    Args:
        request: Description of the job.
        report: Called with the progress.

    Returns:
        What the page shows about the result, in JSON types.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If one of the files cannot be used.
        MemoryError: If there is too little memory.
    """
    given = _read(request, report)
    report(0.3, 'loading the weights')
    resolver = _resolver(request.weights)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    report(0.35, 'enlarging')
    found = resolver.explain(given.part, given.reference, device)
    report(0.9, 'writing the result')
    pixels, note = np.array(found.image), request.source.note
    if given.alpha is not None:
        pixels = with_alpha(pixels, given.alpha)
        note = ', '.join(filter(None, (note, ALPHA_NOTE)))
    before = SuperResolver(interpolation=INTERPOLATION, scale=resolver.scale)
    request.target.mkdir(mode=0o700)
    save_png(request.target / BEFORE, np.asarray(before.enhance(given.part)))
    depth = _depth(request.weights, given.part)
    if depth is not None:
        save_png(request.target / DEPTH, depth)
    kind = resolver.confidence_kind
    frame = describe_frame(
        given.named,
        found.confidence,
        kind,
        found.tile,
        request.frame or 0,
        given.time,
    )
    result = request.target / result_name(request)
    _write(
        request,
        note,
        resolver,
        device,
        pixels,
        found.confidence,
        frame,
        result,
    )
    height, width = pixels.shape[:2]
    return {
        'name': result.name,
        'width': width,
        'height': height,
        'depth': depth is not None,
        'confidence': found.confidence is not None,
        'kind': kind,
        'seen': frame.seen,
        'reference': asdict(given.named),
        'note': note,
    }


def result_name(request: Request) -> str:
    """Return a file name for the result based on its source.

    Args:
        request: Description of the job.
    """
    stem = PurePath(request.source.name).stem
    frame = '' if request.frame is None else f'_frame{request.frame}'
    return f'{stem}{frame}_{request.weights}.png'


class _Read(NamedTuple):
    """Picture to enlarge and its reference."""

    part: np.ndarray
    alpha: np.ndarray | None
    time: float | None
    reference: np.ndarray | None
    named: evidence.Reference


def _read(request: Request, report: Report) -> _Read:
    """Read the picture and its reference, cropped to the region."""
    source, reference, box = request.source, request.reference, request.box
    report(0.0, 'reading')
    files = [one for one in (source, reference) if isinstance(one, Given)]
    if not all(one.path.is_file() for one in files):
        raise ValueError('The file was removed: upload it again.')
    alpha, time, found, why = None, None, None, 'none was requested'
    if request.frame is None:
        whole = read_picture(source.path)
        picture = whole.rgb
        if whole.alpha is not None:
            alpha = cut(whole.alpha, box)
    else:
        moment = read_moment(
            source.path,
            request.frame,
            box,
            reference == 'neighbors',
            lambda share, text: report(0.3 * share, text),
        )
        picture, time = moment.picture, moment.time
        if reference == 'neighbors':
            found, why = next(iter(moment.references), None), moment.why
    part = cut(picture, box)
    if isinstance(reference, Given):
        other, note = read_rgb(reference.path)
        if request.shows == 'picture':
            other = cut(other, _scaled(box, picture, other))
        why = ', '.join(filter(None, ('the uploaded picture', note)))
        named = evidence.Reference(reference.name, reference.sha256, why)
        return _Read(part, alpha, time, other, named)
    if found is None:
        named = evidence.Reference(None, None, why)
        return _Read(part, alpha, time, None, named)
    named = evidence.Reference(f'frame {found.index}', None, why)
    return _Read(part, alpha, time, cut(found.picture, box), named)


def _scaled(box: Box, picture: np.ndarray, other: np.ndarray) -> Box:
    """Return the same part of another picture of the same scene."""
    y_ratio = other.shape[0] / picture.shape[0]
    x_ratio = other.shape[1] / picture.shape[1]
    left, top = int(box[0] * x_ratio), int(box[1] * y_ratio)
    right = round((box[0] + box[2]) * x_ratio)
    bottom = round((box[1] + box[3]) * y_ratio)
    return left, top, max(1, right - left), max(1, bottom - top)


@lru_cache(maxsize=2)
def _resolver(weights: str) -> SuperResolver:
    if weights == INTERPOLATION:
        return SuperResolver(interpolation=weights)
    return SuperResolver(weights=weights)


@lru_cache(maxsize=2)
def _depth_network(weights: str) -> DSRNet | None:
    network = None if weights == INTERPOLATION else load_published(weights)
    return network.eval() if isinstance(network, DSRNet) else None


@torch.no_grad()
def _depth(weights: str, part: np.ndarray) -> np.ndarray | None:
    """Return the predicted depth as a picture (h, w, 3), or None."""
    network = _depth_network(weights)
    if network is None:
        return None
    shrink = min(1.0, (_DEPTH_PIXELS / (part.shape[0] * part.shape[1])) ** 0.5)
    if shrink < 1:
        part = cv2.resize(
            part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
        )
    lr = torch.from_numpy(part).permute(2, 0, 1)[None].float() / 255
    # The second depth map is that of the reference, which is not shown.
    depth, _ = network.extract_depths(lr, lr[..., :16, :16], None, None)
    values = depth[0, 0].clamp(0, 1).nan_to_num(0).numpy()
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / max(high - low, 1e-6)
    levels = np.rint(scaled * 255).astype(np.uint8)
    return cv2.cvtColor(
        cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
    )


def _write(
    request: Request,
    note: str,
    resolver: SuperResolver,
    device: str,
    pixels: np.ndarray,
    confidence: np.ndarray | None,
    frame: evidence.Frame,
    result: Path,
) -> None:
    """Write the result with its record, side-car and confidence."""
    mark = MARK if request.mark else None
    if mark is not None:
        draw_mark(pixels, mark)
    seen_in, kind = frame.reference, resolver.confidence_kind
    name = seen_in.name or f'none ({seen_in.why})'
    drawn = draw_confidence(pixels, confidence, kind, name)
    weights = resolver.weights_file
    settings = describe_settings(resolver, device)
    # The resolver does not choose the reference here.
    settings.pop('reference', None)
    settings['region'] = ','.join(map(str, request.box))
    if isinstance(request.reference, Given):
        settings['reference_shows'] = request.shows
    source = request.source

    def describe(output: evidence.Output) -> evidence.Record:
        return evidence.Record(
            now(),
            evidence.Source(source.name, source.sha256, note),
            weights and evidence.NamedFile(*weights),
            versions(resolver.backend, request.frame is not None),
            settings,
            mark,
            output,
            (frame,),
        )

    with whole_result(result, pixels, drawn, True, describe):
        pass
