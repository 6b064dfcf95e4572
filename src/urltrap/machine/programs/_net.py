"""What the programs that download share: asking the fetcher, and what its answer means for a client."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from urltrap.machine.api import Process, encode
from urltrap.machine.effects import BytesContent, Content, FetchReply
from urltrap.machine.programs._ownserver import ask_own
from urltrap.machine.reach import Verdict, attempt, hear, is_own, own_page, reach, resolve, resolve4
from urltrap.model.capture import Capture, FetchRequest

Kind = Literal["answer", "dns", "dns-temporary", "refused", "unreachable", "timeout", "reset", "tls", "protocol",
               "missing", "redirects", "bad-url"]  # fmt: skip
_NOTHING_SENT = ("recorded", "withheld", "refused-address", "limited")
_IP = re.compile(r"\d{1,3}(\.\d{1,3}){3}|\[?[0-9a-fA-F:]*:[0-9a-fA-F:.]+\]?")


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of a URL that clients talk about."""

    scheme: str
    host: str
    port: int
    path: str
    shown_port: str
    user: str = ""
    password: str = ""

    @property
    def is_address(self) -> bool:
        """True where the host is an IP address, which needs no look-up."""
        return bool(_IP.fullmatch(self.host))

    @property
    def file(self) -> str:
        """The last part of the path, without the query; empty where it ends in a slash."""
        return unquote(self.path.partition("?")[0].rpartition("/")[2], errors="surrogateescape")


PORTS = {"http": 80, "https": 443, "ftp": 21, "ftps": 990, "tftp": 69, "sftp": 22, "scp": 22}


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REST = re.compile(r"([^/?#]*)([/?#]?)(.*)", re.DOTALL)
_NOT_IN_HOSTS = re.compile(r'[ \t\r\n"<>\\^`{|}]')


@lru_cache(maxsize=1024)
def split_url(url: str, default: str = "http") -> Place | str:
    """The parts of a URL as a client reads it; "host" or "port" where that part is wrong."""
    text = url if _SCHEME.match(url) else f"{default}://{url}"
    scheme, _, rest = text.partition("://")
    authority, slash, path = _REST.match(rest).groups()  # type: ignore[union-attr]
    login, _, address = authority.rpartition("@")
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in address:
        host, _, port = address.partition(":")
    if not host or _NOT_IN_HOSTS.search(host):
        return "host"
    if port and (not port.isdecimal() or not port.isascii() or not 0 < int(port[:6]) < 65_536):
        return "port"
    full = (slash if slash == "/" else "/" + slash if slash == "?" else "/") + (
        "" if slash == "#" else path.partition("#")[0]
    )
    user, _, password = login.partition(":")
    number = int(port) if port else PORTS.get(scheme.lower(), 80)
    return Place(scheme.lower(), host.lower(), number, full, port, unquote(user), unquote(password))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client sees of a fetch."""

    kind: Kind
    capture: Capture
    body: Content | None

    @property
    def status(self) -> int:
        """The HTTP status, 200 where the protocol has none."""
        return self.capture.status or 200

    @property
    def reason(self) -> str:
        """The words behind the status."""
        return self.capture.reason.decode("utf-8", "replace") or REASONS.get(self.status, "")

    @property
    def address(self) -> str:
        """The address that answered, without the port."""
        address = self.capture.address or (self.capture.hops[-1].address if self.capture.hops else "")
        if address.startswith("["):
            return address[1:].partition("]")[0]
        return address.partition(":")[0] if address.count(":") == 1 else address

    @property
    def size(self) -> int:
        """Length of the body."""
        return self.body.size if self.body is not None else 0

    def header(self, name: str) -> str:
        """The value of a response header, empty where it was not sent."""
        for key, value in self.capture.headers:
            if key.decode("latin-1").lower() == name.lower():
                return value.decode("utf-8", "replace")
        return ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(self.capture.elapsed_ms, 1) / 1000


REASONS = {
    200: "OK", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other",
    304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone", 416: "Range Not Satisfiable",
    429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip


def ask(
    p: Process,
    url: str,
    client: str,
    agent: str = "",
    *,
    headers: list[tuple[str, str]] | None = None,
    head: bool = False,
    follow: bool = True,
    user: str = "",
    password: str = "",
    patience: float = 3.1,
) -> Generator[Any, Any, Answer]:
    """Fetch a URL for a client. `patience` is the longest the program would wait (its own timeout), in seconds.

    Where nothing was sent (recording, withheld, refused, limited) it looks as an address without a route: a name that
    does not resolve for the moment, a connection that fails after a while.
    """
    request = FetchRequest(
        url=encode(url), client=client, user_agent=encode(agent), method="HEAD" if head else "GET",
        headers=[(encode(name), encode(value)) for name, value in headers or []], username=encode(user),
        password=encode(password), follow_redirects=follow,
    )  # fmt: skip
    reply: FetchReply = yield from p.fetch(request)
    reply = yield from at_home(p, url, request, reply)
    capture = reply.capture
    outcome = capture.outcome
    kind: Kind = "answer"
    if outcome in _NOTHING_SENT:
        place = split_url(url)
        numeric = isinstance(place, str) or place.is_address
        yield from p.sleep(min(patience, 3.0 + p.random(200) / 1000))
        kind = ("timeout" if patience < 3 else "unreachable") if numeric else "dns-temporary"
    elif outcome == "dns-failure":
        kind = "dns"
    elif outcome == "connect-failed":
        detail = capture.detail.lower()
        kind = (
            "reset"
            if "reset" in detail
            else "unreachable"
            if "unreach" in detail or "route" in detail
            else "refused"
        )
    elif outcome == "timed-out":
        kind = "timeout"
    elif outcome == "tls-failed":
        kind = "tls"
    elif outcome == "protocol-error":
        kind = "protocol"
    elif outcome == "not-found":
        kind = "missing"
    elif outcome == "too-many-redirects":
        kind = "redirects"
    elif outcome == "bad-url":
        kind = "bad-url"
    answer = Answer(kind, capture, reply.body)
    _remember(p, url, answer)
    return answer


def at_home(
    p: Process, url: str, request: FetchRequest, reply: FetchReply
) -> Generator[Any, Any, FetchReply]:
    """What the machine's own ports say where nothing was sent because the host is the machine itself."""
    place = split_url(url)
    if reply.capture.outcome not in _NOTHING_SENT or isinstance(place, str):
        return reply
    found = sorted(resolve(p, place.host), key=lambda each: ":" not in each)  # getaddrinfo(3) puts IPv6 first
    address = resolve4(p, place.host)
    if not found or not is_own(p, address):
        return reply
    changes: dict[str, Any] = {
        "address": f"{address}:{place.port}",
        "addresses": found,
        "elapsed_ms": p.random(2),
    }
    if reach(p, address, place.port) != "open":
        changes |= {"outcome": "connect-failed", "detail": "refused"}
        return FetchReply(reply.capture.model_copy(update=changes))
    if place.scheme == "http" and any(each.local_port == place.port for each in p.sockets):
        own = reply.capture.model_copy(update=changes)
        return (yield from ask_own(p, request, own, address, place.port, place.path))
    if place.port != PORTS["http"] or place.scheme != "http":
        outcome = "tls-failed" if place.scheme == "https" else "protocol-error"
        return FetchReply(reply.capture.model_copy(update={**changes, "outcome": outcome}))
    body = own_page(p, place.path)
    page = (
        body if body is not None else b"<h1>Not Found</h1>The requested URL was not found on this server.\r\n"
    )
    headers = [(b"Connection", b"Keep-Alive"), (b"Keep-Alive", b"timeout=20"), (b"Content-Type", b"text/html"),
               (b"Content-Length", b"%d" % len(page))]  # fmt: skip
    status = (200, b"OK") if body is not None else (404, b"Not Found")
    capture = reply.capture.model_copy(
        update={**changes, "outcome": "fetched", "status": status[0], "reason": status[1], "headers": headers,
                "size": len(page)}
    )  # fmt: skip
    return FetchReply(capture, None if request.method == "HEAD" else BytesContent(page))


_VERDICTS: dict[Kind, Verdict] = {"refused": "refused", "unreachable": "unreachable", "timeout": "timeout"}


def _remember(p: Process, url: str, answer: Answer) -> None:
    """What the answer tells of the host, for the other programs that look at it (`reach`)."""
    place = split_url(url)
    if not isinstance(place, str) and answer.kind == "unreachable" and place.is_address:
        attempt(
            p, place.host.strip("[]"), place.port
        )  # nothing was sent: what is said of it now holds afterwards
    if (
        isinstance(place, str)
        or answer.capture.hops
        or answer.capture.outcome in _NOTHING_SENT
        or answer.kind in ("dns", "dns-temporary", "bad-url")
    ):
        return
    address = place.host if place.is_address else answer.address
    if not is_own(p, address):
        hear(p.heard, place.host, address, place.port, _VERDICTS.get(answer.kind, "open"))


def free_name(p: Process, name: str) -> str:
    """`name`, or the first of name.1, name.2 … that is free, as wget chooses."""
    from urltrap.machine.programs._paths import lstat

    if lstat(p, name) is None:
        return name
    number = 1
    while number < 1000 and lstat(p, f"{name}.{number}") is not None:
        number += 1
    return f"{name}.{number}"


def host_of(url: str) -> str:
    """The host in a URL; empty where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
