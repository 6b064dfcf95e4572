"""An HTTP server that takes whatever a client in a box may send, and replies (RFC 9112, read leniently)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_HEAD = 32_768
MAX_HEADERS = 100
KEPT_BODY = 4096
"""Bytes of a request's body that are kept; the rest is counted."""
METHODS = ("GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "CONNECT", "PROPFIND", "TRACE")
_BEGINNING = re.compile(rb"(?:%s) " % "|".join(METHODS).encode())
_END = re.compile(rb"\r?\n\r?\n")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def is_request(data: bytes) -> bool:
    """Whether this begins like a request; also where only the first letters of one are there."""
    return bool(_BEGINNING.match(data)) or (
        bool(data) and any(f"{each} ".encode().startswith(data) for each in METHODS)
    )


@dataclass(slots=True)
class Request:
    """One request. `body`: its beginning; `size`: all of its bytes."""

    method: str
    target: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    size: int = 0

    def header(self, name: bytes) -> bytes:
        """The first header of this name (in small letters), empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    @property
    def keeps(self) -> bool:
        """Whether the client wants the connection to stay."""
        said = self.header(b"connection").lower()
        return b"close" not in said if self.version == "1.1" else b"keep-alive" in said

    def url(self, scheme: str, host: str, port: int) -> bytes:
        """The URL that it asks for; `host` and `port`: where it was sent, for what it does not say itself."""
        if re.match(rb"[a-zA-Z]+://", self.target):
            return self.target
        named = self.header(b"host") or (f"[{host}]" if ":" in host else host).encode()
        usual = 443 if scheme == "https" else 80
        if port != usual and not re.search(rb":\d+$", named):
            named += b":%d" % port
        path = self.target if self.target.startswith(b"/") else b"/" + self.target
        return b"%s://%s%s" % (scheme.encode(), named, path)


@dataclass(slots=True)
class Requests:
    """Reads requests out of a stream; `broken` where something came that is none, after which nothing more is read."""

    broken: bool = False
    expects: bool = False
    """Whether the client waits to be told to send its body (100-continue); whoever tells it takes this back."""
    _data: bytearray = field(default_factory=bytearray)
    _open: Request | None = None
    _left: int = 0
    _chunked: bool = False

    def receive(self, data: bytes) -> list[Request]:
        """The requests that `data` completes. Raises nothing."""
        if not self.broken:
            self._data += data
        done: list[Request] = []
        while not self.broken:
            if self._open is None and not self._head():
                break
            if not self._body():
                break
            assert self._open is not None
            done.append(self._open)
            self._open = None
        return done

    def _head(self) -> bool:
        while self._data.startswith((b"\r", b"\n")):  # RFC 9112 2.2
            del self._data[:1]
        end = _END.search(self._data)
        if end is None or end.end() > MAX_HEAD:
            self.broken = len(self._data) > MAX_HEAD
            return False
        lines = [line.rstrip(b"\r") for line in bytes(self._data[: end.start()]).split(b"\n")]
        del self._data[: end.end()]
        method, _, rest = lines[0].partition(b" ")
        target, _, version = rest.rpartition(b" ")
        if not version.startswith(b"HTTP/"):
            target, version = rest, b"HTTP/0.9"
        if not _TOKEN.fullmatch(method) or not target.strip():
            self.broken = True
            return False
        headers = []
        for line in lines[1 : MAX_HEADERS + 1]:
            name, colon, value = line.partition(b":")
            if colon and _TOKEN.fullmatch(name.strip()):
                headers.append((name.strip(), value.strip()))
        request = Request(method.decode("ascii"), target.strip(), version[5:8].decode("latin-1"), headers)
        length = request.header(b"content-length")
        self._chunked = b"chunked" in request.header(b"transfer-encoding").lower()
        self._left = int(length) if length.isdigit() and len(length) < 16 and not self._chunked else 0
        self.expects = request.header(b"expect").lower() == b"100-continue"
        self._open = request
        return True

    def _body(self) -> bool:
        """Take what is there of the body; whether it is complete."""
        while True:
            taken = min(self._left, len(self._data))
            self._keep(bytes(self._data[:taken]))
            del self._data[:taken]
            self._left -= taken
            if self._left:
                return False
            if not self._chunked:
                return True
            if not self._chunk():
                return False

    def _chunk(self) -> bool:
        """Begin the next chunk; False where its head is not there yet, or it is none."""
        if self._data.startswith((b"\r\n", b"\n")):
            del self._data[: 2 if self._data[:1] == b"\r" else 1]
        line, newline, _ = bytes(self._data[:64]).partition(b"\n")
        if not newline:
            self.broken = len(self._data) >= 64
            return False
        size = line.split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size):
            self.broken = True
            return False
        del self._data[: len(line) + 1]
        self._left = int(size, 16)
        if not self._left:
            self._chunked = False  # trailers are read as the empty lines before a request
        return True

    def _keep(self, data: bytes) -> None:
        assert self._open is not None
        self._open.body += data[: KEPT_BODY - len(self._open.body)]
        self._open.size += len(data)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def response_head(
    status: int, reason: bytes, headers: Iterable[tuple[bytes, bytes]], length: int, keep: bool
) -> bytes:
    """The head of a response whose body has this length; line ends in what it is given are left out."""
    lines = [b"HTTP/1.1 %d %s" % (status, _flat(reason))]
    lines += [b"%s: %s" % (_flat(name), _flat(value)) for name, value in headers]
    lines += [b"Content-Length: %d" % length, b"Connection: " + (b"keep-alive" if keep else b"close")]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _flat(text: bytes) -> bytes:
    return re.sub(rb"[\r\n\0]", b" ", text)
