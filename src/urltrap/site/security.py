"""What guards every answer: the Host check against DNS rebinding, and headers that let nothing foreign run."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def content_policy(*, wasm: bool = False) -> str:
    """The Content-Security-Policy: only our own files, nothing inline; `wasm` for the page with the player alone."""
    scripts = "'self' 'wasm-unsafe-eval'" if wasm else "'self'"
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Hosts:
    """The names by which the site may be called.

    Loopback names always; the address that it listens on, and what the settings name; where it listens on all
    addresses, any address written as a number. A page of a stranger that lets its own name point here (DNS rebinding)
    sends that name and is turned away.
    """

    def __init__(self, listen: str, names: Iterable[str] = ()) -> None:
        host = host_of_listen(listen)
        self._any_address = host in ("", "0.0.0.0", "::")
        self._names = {"localhost", "127.0.0.1", "::1"} | (
            {host} if host and not self._any_address else set()
        )
        self._names |= {name.lower().removesuffix(".") for name in names}

    def allow(self, header: str) -> bool:
        """Whether a Host header names this site."""
        host = _host_of(header)
        if host is None:
            return False
        if host in self._names:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return self._any_address or str(address) in self._names


def host_of_listen(listen: str) -> str:
    """The host of HOST:PORT, without brackets; empty for all addresses."""
    return listen.rpartition(":")[0].strip("[]").lower()


def is_loopback(listen: str) -> bool:
    """Whether only this machine reaches what listens there."""
    host = host_of_listen(listen)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(header: str) -> str | None:
    """The host of a Host header without brackets and port; None where it is malformed."""
    if header.startswith("["):
        host, bracket, rest = header[1:].partition("]")
        if not bracket or (rest and not (rest.startswith(":") and rest[1:].isdigit())):
            return None
        return host.lower()
    host, colon, port = header.partition(":")
    if not host or (colon and not port.isdigit()):
        return None
    return host.lower().removesuffix(".")


class Guard:
    """ASGI middleware around everything: checks the Host, sets the headers, turns an error of ours into a page."""

    def __init__(self, app: ASGIApp, hosts: Hosts, failed: Callable[[], Response]) -> None:
        self._app = app
        self._hosts = hosts
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", content_policy())
                headers.setdefault("Cache-Control", "private, no-cache")
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if not self._hosts.allow(Headers(scope=scope).get("host", "")):
            await _misdirected()(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception:
            if started:
                raise
            log.exception("page failed", path=scope["path"])
            await self._failed()(scope, receive, guarded)


def _misdirected() -> Response:
    return Response(
        "This site answers only to the address that it listens on (site.listen in urltrap.toml) and to localhost.\n"
        "Open it by that address; from another machine use a tunnel: ssh -L 8080:127.0.0.1:8080 USER@MACHINE\n",
        status_code=421,
        media_type="text/plain",
    )
