"""Read the bodies of requests."""

import json

from starlette.requests import Request

from mmdsr.errors import RefusedRequestError

#: Maximum size of a JSON request in bytes.
_LARGEST = 2**16


def announced_length(request: Request) -> int:
    """Return the announced length of a body, which is required.

    Args:
        request: Request of the browser.

    Returns:
        The length in bytes.

    Raises:
        RefusedRequestError: If it is missing or not a number.
    """
    text = request.headers.get('content-length', '')
    if not (text.isascii() and text.isdecimal()):
        raise RefusedRequestError('The upload must state its length.', 411)
    return int(text)


async def read_json(request: Request) -> object:
    """Read a small body.

    Args:
        request: Request of the browser.

    Returns:
        Content of the body.

    Raises:
        RefusedRequestError: If it is too large or not JSON.
    """
    body = b''
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise RefusedRequestError('The request is too large.', 413)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedRequestError('The request is not JSON.') from error
