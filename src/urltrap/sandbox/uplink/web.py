"""HTTP for a box: each request is recorded, a GET brings what the fetcher got, nothing else is passed on."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import Literal

from urltrap.sandbox.uplink.downloads import Download
from urltrap.sandbox.uplink.record import KEPT_BYTES
from urltrap.sandbox.uplink.visit import Visit
from urltrap.wire.internet.http import CONTINUE, Request, Requests, response_head

_PIECE = 65_536
_IDLE_SECONDS, _SILENCE_SECONDS = 30.0, 120.0
_MAX_REQUESTS = 100
_TOLD = frozenset({b"content-type", b"content-disposition", b"location", b"server", b"last-modified", b"etag",
                   b"www-authenticate", b"set-cookie", b"retry-after", b"x-powered-by"})  # fmt: skip
"""Headers of the real answer that the box is told; how the body is packed and sent is ours."""
_NOT_FOUND = (
    b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


async def serve_http(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scheme: Literal["http", "https"], visit: Visit
) -> None:
    """Serve one connection until its client or the time ends it. OSError where the client is gone."""
    requests = Requests()
    served = 0
    while served < _MAX_REQUESTS:
        data = await asyncio.wait_for(reader.read(_PIECE), _IDLE_SECONDS)
        if not data:
            return
        for request in requests.receive(data):
            served += 1
            if not await _answer(request, writer, scheme, visit):
                return
        if requests.broken:
            url = visit.url(scheme, b"/", 443 if scheme == "https" else 80)
            await visit.seen(scheme, url, size=len(data), first=data[:KEPT_BYTES], outcome="malformed")
            writer.write(response_head(400, b"Bad Request", [(b"Server", b"nginx")], 0, False))
            await writer.drain()
            return
        if requests.expects:
            requests.expects = False
            writer.write(CONTINUE)
            await writer.drain()


async def _answer(
    request: Request, writer: asyncio.StreamWriter, scheme: Literal["http", "https"], visit: Visit
) -> bool:
    """Answer one request; whether the connection goes on."""
    url = request.url(scheme, visit.place, visit.target[1])
    agent = request.header(b"user-agent")[:1024]
    if request.method in ("GET", "HEAD"):
        download = await visit.get(url, agent=agent, method=request.method, headers=request.headers)
    else:
        download = Download("answer", "not-relayed")
    await visit.seen(
        scheme, url, agent=agent, method=request.method, size=request.size, first=request.body[:KEPT_BYTES],
        outcome=download.outcome,
    )  # fmt: skip
    if download.how == "silence":
        await asyncio.sleep(_SILENCE_SECONDS)
    if download.how in ("silence", "reset"):
        writer.transport.abort()
        return False
    await _reply(request, writer, download)
    return request.keeps


async def _reply(request: Request, writer: asyncio.StreamWriter, download: Download) -> None:
    capture, body = download.capture, download.body
    date = (b"Date", formatdate(time.time(), usegmt=True).encode())
    if download.how == "missing":
        headers = [(b"Server", b"nginx"), date, (b"Content-Type", b"text/html")]
        writer.write(response_head(404, b"Not Found", headers, len(_NOT_FOUND), request.keeps))
        if request.method != "HEAD":
            writer.write(_NOT_FOUND)
        await writer.drain()
        return
    headers = [date]
    status, reason, size = 200, b"OK", body.size if body is not None else 0
    if capture is None:
        headers += [(b"Server", b"nginx"), (b"Content-Type", b"text/html")]
    else:
        status, reason = capture.status or 200, capture.reason or b"OK"
        headers += [(name, value) for name, value in capture.headers if name.lower() in _TOLD]
        if request.method == "HEAD":
            size = next((int(value) for name, value in capture.headers
                         if name.lower() == b"content-length" and value.isdigit()), size)  # fmt: skip
    writer.write(response_head(status, reason, headers, size, request.keeps))
    if body is not None and request.method != "HEAD":
        for start in range(0, body.size, _PIECE):
            writer.write(await asyncio.to_thread(body.read, start, _PIECE))
            await writer.drain()
    await writer.drain()
