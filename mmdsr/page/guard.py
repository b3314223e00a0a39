"""Security checks of requests and security headers of responses."""

import ipaddress
import socket
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Header that a form or link of another page cannot send.
OWN = 'x-mmdsr'
#: Name of the cookie of a session; the port of the page is appended.
COOKIE = 'mmdsr_session'
_HEADERS = {
    'content-security-policy': "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    'cache-control': 'no-store',
}
_LOOPBACK = ('localhost',)


def cookie_name(headers: Headers) -> str:
    """Return the name of the cookie, which differs between ports.

    Browsers send cookies to all ports of a host, so that two pages on one
    machine would replace each other's.

    Args:
        headers: Headers of a request.
    """
    port = headers.get('host', '').rpartition(':')[2]
    return f'{COOKIE}_{port}' if port.isdecimal() else COOKIE


def is_loopback(host: str) -> bool:
    """Return whether an address is reachable only from this machine.

    Args:
        host: Name or number.
    """
    try:
        return ipaddress.ip_address(host.strip('[]')).is_loopback
    except ValueError:
        return host.lower() in _LOOPBACK


class Guard:
    """Refuse requests that another page makes the browser send.

    Someone else may make their own host name resolve to this machine (DNS
    rebinding), so that the browser treats their page as ours. Such a name is
    in the ``Host`` header. On a loopback address, only its names are accepted;
    on other addresses, also IP addresses and the names of the machine.

    Args:
        app: Application to protect.
        host: Address of the server.
        names: Further names of the server.
    """

    def __init__(
        self, app: ASGIApp, host: str, names: Iterable[str] = ()
    ) -> None:
        self.app = app
        self.loopback = is_loopback(host)
        self.names = {name.lower() for name in (*_LOOPBACK, *names)}
        if not self.loopback:
            own = {socket.gethostname(), socket.getfqdn(), host}
            self.names |= {name.lower() for name in own}

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Pass a request on or refuse it."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message['type'] == 'http.response.start':
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        problem = self._problem(scope['method'], Headers(scope=scope))
        if problem is None:
            await self.app(scope, receive, guarded)
            return
        status, text = problem
        refusal = JSONResponse({'error': text}, status)
        await refusal(scope, receive, guarded)

    def _problem(
        self, method: str, headers: Headers
    ) -> tuple[int, str] | None:
        host = headers.get('host', '')
        if not self._is_ours(host):
            return 421, (
                'This server is not known by that name: use its address, or '
                'start it with --name.'
            )
        if method in ('GET', 'HEAD'):
            return None
        origin = headers.get('origin')
        foreign = origin is not None and origin.split('://')[-1] != host
        site = headers.get('sec-fetch-site', 'same-origin')
        if foreign or site != 'same-origin' or OWN not in headers:
            return 403, 'The request comes from another page.'
        return None

    def _is_ours(self, host: str) -> bool:
        name = _without_port(host).lower()
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name.strip('[]'))
        except ValueError:
            return False
        return address.is_loopback or not self.loopback


def _without_port(host: str) -> str:
    if host.startswith('['):
        return host.partition(']')[0] + ']'
    return host.partition(':')[0]
