"""One HTTP request to one address that was checked: no second resolution, no redirect, no state, no decompression.

aiohttp parses; what it would decide itself is taken from it: it gets the address (a resolver that knows one answer
and a socket factory that refuses any other), the headers and their order, no cookies, no proxy from the environment.
Certificates are not verified (malware hosts have bad ones) but recorded.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from urltrap.egress.address import IpAddress
from urltrap.egress.bare import ASSUMED, BareProtocol, bare_factory
from urltrap.egress.certificate import read_certificate
from urltrap.egress.transfer import Answer, Body, BodyTooLarge, Limits, TransferFailed
from urltrap.model.capture import Certificate
from urltrap.model.url import Url

REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MAX_LINE = 16_384
_MAX_HEADERS = 100
_MAX_HEADER_BYTES = 32_768


class _OneAddress(AbstractResolver):
    """Knows the one address that was checked."""

    def __init__(self, address: IpAddress) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        kind = socket.AF_INET6 if self._address.version == 6 else socket.AF_INET
        return [
            ResolveResult(
                hostname=host,
                host=str(self._address),
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=0,
            )
        ]

    async def close(self) -> None:
        """Nothing to close."""


class _PlainRequest(aiohttp.ClientRequest):
    """A request with exactly the headers that it is given, in their order."""

    def update_headers(self, headers: Any) -> None:
        self.headers = CIMultiDict(headers)


class _Response(aiohttp.ClientResponse):
    """A response that notes the server's certificate, and how it answered, before the connection is let go."""

    certificate: Certificate | None = None
    bare = False

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        tls = connection.transport.get_extra_info("ssl_object") if connection.transport else None
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        if der:
            self.certificate = read_certificate(der)
        protocol = connection.protocol
        started = await super().start(connection)
        self.bare = isinstance(protocol, BareProtocol) and protocol.bare
        return started


def insecure_context() -> ssl.SSLContext:
    """TLS as an attacker's wget --no-check-certificate or an old device does it: anything that still connects."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context


class _BareConnector(aiohttp.TCPConnector):
    """A connector whose connections take answers without a status line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = bare_factory(self._loop)


def _connector(address: IpAddress, context: ssl.SSLContext, *, proxied: bool) -> aiohttp.TCPConnector:
    if proxied:
        # The proxy is the operator's and is resolved by the system; the target was checked before.
        return _BareConnector(ssl=context, limit=1)

    def make_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        kind, type_, proto, _, target = info
        if ipaddress.ip_address(target[0]) != address:
            raise OSError(f"{target[0]} is not the address that was checked ({address})")
        return socket.socket(kind, type_, proto)

    return _BareConnector(
        resolver=_OneAddress(address),
        use_dns_cache=False,
        ssl=context,
        limit=1,
        happy_eyeballs_delay=None,
        socket_factory=make_socket,
    )


async def http_request(
    method: str,
    url: Url,
    address: IpAddress,
    headers: Iterable[tuple[str, str]],
    body: Body,
    limits: Limits,
    *,
    context: ssl.SSLContext,
    proxy: str = "",
    follow: bool = True,
    keep: bool = True,
    bare: bool = True,
) -> Answer:
    """Send one request for `url` to `address` and put the answer's raw body into `body`.

    Without `keep` no body is read. An answer without a status line is wget's "HTTP/0.9" where `bare` is true; otherwise
    (curl refuses it) a protocol error whose bytes are kept all the same.

    A body that is cut, too large or too slow is kept as far as it came (`complete` false); that of a redirect that will
    be followed (`follow`) is not read. Raises TransferFailed where no answer came.
    """
    begun = asyncio.get_running_loop().time()
    times = _Times(begun)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_seconds)
    async with aiohttp.ClientSession(
        connector=_connector(address, context, proxied=bool(proxy)),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        trust_env=False,
        auto_decompress=False,
        request_class=_PlainRequest,
        response_class=_Response,
        requote_redirect_url=False,
        max_line_size=_MAX_LINE,
        max_field_size=_MAX_LINE,
        max_headers=_MAX_HEADERS,
        trace_configs=[times.config()],
    ) as session:
        try:
            async with asyncio.timeout_at(limits.deadline):
                response = await session.request(
                    method,
                    URL(url.text, encoded=True),
                    headers=CIMultiDict(headers),
                    skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
                    allow_redirects=False,
                    proxy=proxy or None,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(error) from error
        try:
            answer = _head(response)
            answer.connected_ms, answer.answered_ms = times.connected_ms, times.since()
            if keep and method != "HEAD" and not (follow and answer.location):
                await _read_body(response, answer, body, limits)
            if not bare and cast(_Response, response).bare and answer.outcome == "fetched":
                answer.outcome = "protocol-error"
                answer.detail = "no status line (HTTP/0.9), which this client refuses; what came is kept"
            return answer
        finally:
            # Never released to be used again: the next request goes to an address of its own.
            response.close()


class _Times:
    """When the connection stood, in milliseconds since the request began."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self.connected_ms: int | None = None

    def since(self) -> int:
        """Milliseconds since the beginning."""
        return int((asyncio.get_running_loop().time() - self._begun) * 1000)

    def config(self) -> aiohttp.TraceConfig:
        """What aiohttp is to tell us."""

        async def connected(*_: object) -> None:
            self.connected_ms = self.since()

        config = aiohttp.TraceConfig()
        config.on_connection_create_end.append(connected)
        return config


def _head(response: aiohttp.ClientResponse) -> Answer:
    answer = Answer(
        "fetched", status=response.status, reason=(response.reason or "").encode("utf-8", "replace")[:256]
    )
    room = _MAX_HEADER_BYTES
    for name, value in response.raw_headers:
        room -= len(name) + len(value)
        if room < 0:
            break
        answer.headers.append((name, value))
        if name.lower() == b"location" and response.status in REDIRECTS:
            answer.location = value
    seen = cast(_Response, response)
    answer.certificate = seen.certificate
    if seen.bare:
        answer.detail = ASSUMED.decode()
    return answer


async def _read_body(response: aiohttp.ClientResponse, answer: Answer, body: Body, limits: Limits) -> None:
    complete = True
    try:
        async with asyncio.timeout_at(limits.deadline):
            while chunk := await response.content.readany():
                await body.write(chunk)
    except BodyTooLarge:
        complete = False
        answer.outcome = "too-large"
        answer.detail = f"more than {limits.max_bytes} bytes; the beginning is kept"
    except TimeoutError:
        complete = False
        answer.outcome = "timed-out"
        answer.detail = f"the body was not whole in time; {body.size} bytes came"
    except (aiohttp.ClientError, OSError) as error:
        complete = False
        # aiohttp raises before handing over what came last; it is evidence as well.
        rest = response.content._read_nowait(-1)
        try:
            await body.write(rest)
        except BodyTooLarge:
            answer.outcome = "too-large"
        answer.detail = f"the body ended early after {body.size} bytes: {_words(error)}"
    answer.complete = complete
    await body.finish(complete=complete)
    answer.keep(body)


def _failure(error: BaseException) -> TransferFailed:
    match error:
        case aiohttp.ClientHttpProxyError():
            return TransferFailed("connect-failed", f"the proxy refused: {_words(error)}")
        case aiohttp.ClientProxyConnectionError():
            return TransferFailed("connect-failed", f"the proxy cannot be reached: {_words(error)}")
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return TransferFailed("tls-failed", _words(error))
        case TimeoutError():
            return TransferFailed("timed-out", "no answer in time")
        case aiohttp.InvalidURL():
            return TransferFailed("bad-url", _words(error))
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError() | ValueError():
            return TransferFailed("protocol-error", _words(error))
        case _:
            return TransferFailed("connect-failed", _words(error))


def _words(error: BaseException) -> str:
    """An error's text, bounded; servers can put bytes of theirs into it, so control characters are shown."""
    if isinstance(error, aiohttp.ClientResponseError):
        text = f"{error.status} {error.message}"
    else:
        text = str(error) or type(error).__name__
    return ascii(text)[1:-1][:300] if not text.isprintable() else text[:300]
