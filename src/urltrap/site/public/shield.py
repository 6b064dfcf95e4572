"""What guards every answer for everyone: headers, the names that are answered, and pages kept ready in memory."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from urltrap.site.public.pages import Page
from urltrap.site.security import Hosts

log = structlog.get_logger("public")

POLICY = "; ".join(
    ("default-src 'none'", "style-src 'self'", "img-src 'self'", "form-action 'self'", "base-uri 'none'",
     "frame-ancestors 'none'")
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
FRESH_SECONDS = 60
"""For which readers and caches between them need not ask again."""
_KEPT_BYTES = 48_000_000
_SNAPSHOTS = 2


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer as it is sent: body, packed body, headers of each."""

    page: Page
    packed: bytes
    made: datetime
    plain_headers: tuple[tuple[bytes, bytes], ...]
    packed_headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, page: Page, made: datetime) -> Ready:
        """Make a page ready."""
        packed = gzip.compress(page.body, 6, mtime=0)
        headers = {
            **HEADERS,
            "Content-Type": page.media_type,
            "Cache-Control": f"public, max-age={FRESH_SECONDS}",
            "Last-Modified": format_datetime(made, usegmt=True),
            "Vary": "Accept-Encoding",
        }
        if not page.indexed:
            headers["X-Robots-Tag"] = "noindex, nofollow"
        if page.name.startswith(("feed.", "api/")):
            headers["Access-Control-Allow-Origin"] = "*"
        plain = {**headers, "ETag": page.etag, "Content-Length": str(len(page.body))}
        small = {
            **headers, "ETag": page.etag[:-1] + '-gz"', "Content-Length": str(len(packed)), "Content-Encoding": "gzip"
        }  # fmt: skip
        return cls(page, packed, made, _encoded(plain), _encoded(small))

    @classmethod
    def for_ever(cls, page: Page) -> Ready:
        """A file whose name carries a hash of its content."""
        etag = f'"{hashlib.sha256(page.body).hexdigest()[:32]}"'
        found = cls.of(replace(page, etag=etag), datetime(2000, 1, 1, tzinfo=UTC))
        age = (b"cache-control", b"public, max-age=31536000, immutable")

        def aged(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
            return tuple(age if item[0] == age[0] else item for item in headers)

        return replace(
            found, plain_headers=aged(found.plain_headers), packed_headers=aged(found.packed_headers)
        )

    def is_known(self, headers: Headers) -> bool:
        """Whether a reader has it already. Source: RFC 9110 §13.2.2 (the entity tag goes before the date)."""
        tags = headers.get("if-none-match")
        if tags is not None:
            own = self.page.etag[1:-1]
            offered = [
                tag.strip().removeprefix("W/").strip('"').removesuffix("-gz") for tag in tags.split(",")
            ]
            return own in offered or offered == ["*"]
        date = headers.get("if-modified-since")
        if date is None:
            return False
        try:
            moment = parsedate_to_datetime(date)
        except ValueError:
            return False  # a date that is none is to be ignored
        return self.made <= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _encoded(headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items())


class Shelf:
    """Answers that are ready, of the newest snapshot and the one before it (while one is made ready, readers still get
    the other): the ones asked for last, within a bound of memory.

    `making` is held while one is made, so that of many who ask for the same page one waits for the machine and the
    others for him.
    """

    def __init__(self, most: int = _KEPT_BYTES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, OrderedDict[str, Ready]] = OrderedDict()
        self._bytes = 0
        self.making = threading.Lock()

    def find(self, name: str, digest: str) -> Ready | None:
        """The answer of that name, of the snapshot with this digest."""
        with self._lock:
            held = self._held.get(digest)
            found = held.get(name) if held is not None else None
            if held is not None and found is not None:
                held.move_to_end(name)
            return found

    def put(self, name: str, digest: str, ready: Ready) -> None:
        """Keep an answer."""
        with self._lock:
            held = self._held.get(digest)
            if held is None:
                held = self._held[digest] = OrderedDict()
                while len(self._held) > _SNAPSHOTS:
                    _, gone = self._held.popitem(last=False)
                    self._bytes -= sum(map(_size, gone.values()))
            if name not in held:
                held[name] = ready
                self._bytes += _size(ready)
            while self._bytes > self._most and len(held) > 1:
                _, least = held.popitem(last=False)
                self._bytes -= _size(least)

    def names(self) -> list[str]:
        """What is held of the newest snapshot, the ones asked for last at the end."""
        with self._lock:
            return list(next(reversed(self._held.values()), {}))


def _size(ready: Ready) -> int:
    return len(ready.page.body) + len(ready.packed)


class Shield:
    """ASGI middleware around everything: the Host check, headers, ready answers, and a page for an error of ours.

    `ready(path)` gives an answer that is in memory, or None where one must be made: that is the application's.
    """

    def __init__(
        self, app: ASGIApp, hosts: Hosts, ready: Callable[[str], Ready | None], failed: Callable[[], Response]
    ) -> None:
        self._app, self._hosts, self._ready, self._failed = app, hosts, ready, failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._hosts.allow(headers.get("host", "")):
            answer = Response("There is no such site here.\n", 421, dict(HEADERS), "text/plain")
            await answer(scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD") and not scope["query_string"]:
            found = self._ready(scope["path"])
            if found is not None:
                await send_ready(found, scope["method"], headers, send)
                return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                told = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    told.setdefault(name, value)
                told.setdefault("Cache-Control", "no-store")
                told.setdefault("X-Robots-Tag", "noindex, nofollow")
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception:
            if started:
                raise
            log.exception("page failed", path=scope["path"])
            await self._failed()(scope, receive, guarded)


async def send_ready(found: Ready, method: str, headers: Headers, send: Send) -> None:
    """Send an answer that is ready: packed where the reader takes that, 304 where he has it."""
    packed = "gzip" in headers.get("accept-encoding", "")
    told = found.packed_headers if packed else found.plain_headers
    if found.page.status == 200 and found.is_known(headers):
        kept = [
            item for item in told if item[0] not in (b"content-length", b"content-type", b"content-encoding")
        ]
        await send({"type": "http.response.start", "status": 304, "headers": kept})
        await send({"type": "http.response.body", "body": b""})
        return
    body = b"" if method == "HEAD" else found.packed if packed else found.page.body
    await send({"type": "http.response.start", "status": found.page.status, "headers": list(told)})
    await send({"type": "http.response.body", "body": body})
