"""Mail servers for a box: mails are taken, recorded in their beginning, and never sent."""

from __future__ import annotations

import asyncio
import ssl

from urltrap.sandbox.uplink.record import KEPT_BYTES
from urltrap.sandbox.uplink.visit import Visit
from urltrap.wire.internet import smtp

_IDLE_SECONDS = 60.0
_MAX_BYTES = 20_000_000


async def serve_smtp(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    visit: Visit,
    context: ssl.SSLContext,
    *,
    secure: bool = False,
) -> None:
    """One connection. OSError, TimeoutError where the client is gone."""
    host = visit.place.encode("ascii", "replace")
    dialogue = smtp.Dialogue(host, secure)
    writer.write(dialogue.greeting())
    mails = taken = 0
    started: asyncio.StreamWriter | None = None
    try:
        while not dialogue.ended and taken < _MAX_BYTES:
            await writer.drain()
            data = await asyncio.wait_for(reader.read(65_536), _IDLE_SECONDS)
            if not data:
                break
            taken += len(data)
            for each in dialogue.receive(data):
                if isinstance(each, smtp.Mail):
                    mails += 1
                    await _keep(each, visit)
                else:
                    writer.write(each)
            if dialogue.wants_tls:
                await writer.drain()
                reader, writer = await _under_tls(writer, context)
                started = writer
                dialogue = smtp.Dialogue(host, secure=True)
        await writer.drain()
    finally:
        if started is not None:
            started.close()
    if not mails:
        await visit.seen("smtp", visit.url("smtp", b"", 25), size=taken, outcome="no mail")


async def _keep(mail: smtp.Mail, visit: Visit) -> None:
    envelope = b"MAIL FROM:<%s>\n" % mail.sender
    envelope += b"".join(b"RCPT TO:<%s>\n" % each for each in mail.recipients)
    await visit.seen(
        "smtp", visit.url("smtp", b"", 25), method="DATA", size=mail.size,
        first=(envelope[:KEPT_BYTES] + b"\n" + mail.body)[: 4 * KEPT_BYTES], outcome="kept",
    )  # fmt: skip


async def _under_tls(
    writer: asyncio.StreamWriter, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = await loop.start_tls(writer.transport, protocol, context, server_side=True)
    assert transport is not None
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
