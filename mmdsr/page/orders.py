"""Parse and check an order: from JSON to a request."""

from typing import Literal, TypeGuard

from mmdsr.errors import RefusedRequestError
from mmdsr.io.frames import MIN_LR_SIDE
from mmdsr.page.enhance import Given, Request, Weights, list_weights
from mmdsr.page.limits import Limits
from mmdsr.page.sessions import Session, Upload
from mmdsr.page.videos import Box


def read_order(fields: object, session: Session, limits: Limits) -> Request:
    """Check the order of a user.

    Args:
        fields: The JSON object: ``file``, ``number`` of the frame among those
            of a video to choose from, ``weights``, ``reference``
            (``'none'``, ``'neighbors'`` or the token of a picture),
            ``shows``, ``region`` (x, y, width, height in pixels; null for
            all) and ``mark``.
        session: Session of the user.
        limits: Limits of the page.

    Returns:
        The request.

    Raises:
        RefusedRequestError: If the order cannot be carried out.
    """
    if not isinstance(fields, dict):
        raise RefusedRequestError('The request is not a JSON object.')
    upload = session.upload(fields.get('file'))
    weights = _weights(fields.get('weights'))
    reference = _reference(fields.get('reference'), session, upload, weights)
    shows: Literal['picture', 'region'] = 'picture'
    if fields.get('shows') == 'region':
        shows = 'region'
    return Request(
        _given(upload),
        _frame(fields.get('number'), upload),
        _box(fields.get('region'), upload, limits),
        weights.name,
        reference,
        shows,
        fields.get('mark') is True,
        session.new_path(),
    )


def _weights(name: object) -> Weights:
    for one in list_weights():
        if one.name == name:
            return one
    raise RefusedRequestError('These weights do not exist: choose others.')


def _reference(
    value: object, session: Session, upload: Upload, weights: Weights
) -> Given | Literal['none', 'neighbors']:
    if value == 'none':
        return 'none'
    if not weights.reference:
        raise RefusedRequestError(
            f'{weights.name} does not use a reference: choose none, or choose '
            'weights.'
        )
    if value == 'neighbors':
        if upload.kind != 'video':
            raise RefusedRequestError(
                'A picture has no neighboring frames: choose a video, or '
                'another reference.'
            )
        return 'neighbors'
    found = session.upload(value)
    if found.kind != 'image':
        raise RefusedRequestError(
            'A video cannot be the reference: choose a picture.'
        )
    return _given(found)


def _given(upload: Upload) -> Given:
    return Given(upload.path, upload.name, upload.sha256, upload.note)


def _frame(number: object, upload: Upload) -> int | None:
    if upload.kind == 'image':
        return None
    if not _is_count(number) or number >= len(upload.previews):
        raise RefusedRequestError(
            'This frame does not exist: choose another one.'
        )
    return upload.previews[number].index


def _box(region: object, upload: Upload, limits: Limits) -> Box:
    box: Box = 0, 0, upload.width, upload.height
    if region is not None:
        if not (
            isinstance(region, list)
            and len(region) == 4
            and all(map(_is_count, region))
        ):
            raise RefusedRequestError(
                'A region must be given as x, y, width and height in whole '
                'pixels.'
            )
        box = region[0], region[1], region[2], region[3]
    x, y, width, height = box
    if x + width > upload.width or y + height > upload.height:
        raise RefusedRequestError(
            'The region extends beyond the picture: draw it again.'
        )
    if min(width, height) < MIN_LR_SIDE:
        raise RefusedRequestError(
            f'The region is too small: both sides must have at least '
            f'{MIN_LR_SIDE} pixels. Draw a larger one.'
        )
    if width * height > limits.region:
        raise RefusedRequestError(
            f'{width}x{height} pixels are too many at once: draw a region of '
            f'at most {limits.region / 1e6:.1f} million.'
        )
    return box


def _is_count(value: object) -> TypeGuard[int]:
    # bool is a subclass of int.
    return type(value) is int and value >= 0
