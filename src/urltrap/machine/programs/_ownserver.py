"""What a client of HTTP hears from a server that somebody started on the machine: asked over the machine's own TCP."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process
from urltrap.machine.effects import BytesContent, FetchReply
from urltrap.machine.errors import SysError
from urltrap.model.capture import Capture, FetchRequest

_MOST = 16_000_000
_PATIENCE = 60.0
_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ?([^\r\n]*)\r?\n")


def ask_own(
    p: Process, request: FetchRequest, capture: Capture, host: str, port: int, path: str
) -> Generator[Any, Any, FetchReply]:
    """Send `request` to an own port and read the answer to its end. What says nothing in a minute timed out, what is
    no HTTP is an error of the protocol."""
    fd = p.connect(host, port)
    shown = f"{host}:{port}" if port != 80 else host
    lines = [
        f"{request.method} {path} HTTP/1.1".encode(),
        b"Host: " + shown.encode(),
        *([b"User-Agent: " + request.user_agent] if request.user_agent else []),
        b"Accept: */*",
        *(name + b": " + value for name, value in request.headers),
    ]
    found = bytearray()
    try:
        yield from p.write(fd, b"\r\n".join(lines) + b"\r\n\r\n")
        while len(found) < _MOST and not _whole(found, request.method):
            data = yield from p.read(fd, timeout=_PATIENCE)
            if not data:
                break
            found += data
    except SysError:
        if not found:
            return FetchReply(capture.model_copy(update={"outcome": "timed-out"}))
    finally:
        p.close(fd)
    first = _STATUS.match(found)
    if first is None:
        return FetchReply(capture.model_copy(update={"outcome": "protocol-error"}))
    head, _, body = bytes(found).partition(b"\r\n\r\n")
    headers = [
        (name.strip(), value.strip())
        for name, colon, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        if colon
    ]
    length = _length(head)
    body = body if length is None else body[:length]
    changes: dict[str, Any] = {
        "outcome": "fetched", "status": int(first[1]), "reason": first[2], "headers": headers, "size": len(body),
    }  # fmt: skip
    return FetchReply(
        capture.model_copy(update=changes), BytesContent(body) if request.method == "GET" else None
    )


def _length(head: bytes) -> int | None:
    found = re.search(rb"(?im)^content-length:\s*(\d{1,9})\s*$", head)
    return int(found[1]) if found else None


def _whole(data: bytearray, method: str) -> bool:
    head, blank, body = bytes(data).partition(b"\r\n\r\n")
    length = _length(head)
    return bool(blank) and (method == "HEAD" or (length is not None and len(body) >= length))
