"""FTP and TFTP for a box: each file that is asked for is recorded, and what the fetcher got is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from urllib.parse import quote_from_bytes

from urltrap.machine.effects import Content
from urltrap.sandbox.uplink.downloads import Download
from urltrap.sandbox.uplink.record import KEPT_BYTES
from urltrap.sandbox.uplink.visit import Visit
from urltrap.wire.internet import ftp, tftp

_PIECE = 65_536
_IDLE_SECONDS, _DATA_SECONDS = 60.0, 15.0
_MAX_COMMANDS = 500
_RESEND_SECONDS, _RESENDS = 1.5, 4
MAX_TFTP = 16_000_000
"""Bytes of a file that is sent by TFTP, whose blocks are few bytes and kept in memory."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_SAFE = "/!$&'()*+,;=:@~-._"


class FtpServer:
    """One control connection. `expect` opens a port for one data connection: its number, and the connection to be."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        visit: Visit,
        expect: Callable[[], tuple[int, asyncio.Future[Streams]]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._visit = visit
        self._expect = expect
        self._data: asyncio.Future[Streams] | None = None
        self._got: dict[bytes, Download] = {}

    async def serve(self) -> None:
        """Until the client or the time ends it. OSError, TimeoutError where the client is gone."""
        dialogue = ftp.Dialogue(self._visit.target[0], self._listen)
        self._writer.write(ftp.GREETING)
        asked = 0
        try:
            while not dialogue.ended and asked < _MAX_COMMANDS:
                await self._writer.drain()
                data = await asyncio.wait_for(self._reader.read(4096), _IDLE_SECONDS)
                if not data:
                    break
                for each in dialogue.receive(data):
                    asked += 1
                    if isinstance(each, ftp.Wanted):
                        await self._give(each, dialogue)
                    else:
                        self._writer.write(each)
            await self._writer.drain()
        finally:
            self._drop()
        if not asked:
            await self._visit.seen("ftp", self._visit.url("ftp", b"/", 21), outcome="nothing asked")

    def _listen(self) -> int:
        self._drop()
        port, self._data = self._expect()
        return port

    def _drop(self) -> None:
        if self._data is not None:
            if self._data.done() and not self._data.cancelled():
                self._data.result()[1].close()
            self._data.cancel()
            self._data = None

    async def _give(self, wanted: ftp.Wanted, dialogue: ftp.Dialogue) -> None:
        url = self._visit.url("ftp", quote_from_bytes(wanted.path, safe=_SAFE).encode(), 21)
        if wanted.verb in ("SIZE", "MDTM", "RETR"):
            download = self._got.get(url)
            if download is None:
                download = await self._visit.get(url, username=dialogue.user, password=dialogue.password)
                self._got = {url: download}
                login = dialogue.user + b":" + dialogue.password
                await self._visit.seen("ftp", url, method="RETR", size=len(login), first=login[:KEPT_BYTES],
                                       outcome=download.outcome)  # fmt: skip
            await self._answer(wanted, download)
            return
        connection = await self._connected()
        if connection is None:
            self._writer.write(b"425 Failed to establish connection.\r\n")
            return
        reader, writer = connection
        first, size = b"", 0
        if wanted.verb in ("LIST", "NLST"):
            self._writer.write(ftp.LISTING)
        else:
            self._writer.write(ftp.TAKING)
            await self._writer.drain()
            while data := await asyncio.wait_for(reader.read(_PIECE), _DATA_SECONDS):
                first += data[: KEPT_BYTES - len(first)]
                size += len(data)
        writer.close()
        await self._visit.seen("ftp", url, method=wanted.verb, size=size, first=first, outcome="kept")
        self._writer.write(ftp.LISTED if wanted.verb in ("LIST", "NLST") else ftp.SENT)

    async def _answer(self, wanted: ftp.Wanted, download: Download) -> None:
        body = download.body
        if download.how in ("silence", "reset"):
            raise ConnectionAbortedError("the server is dead")
        if download.how != "answer" or body is None:
            self._drop()
            self._writer.write(ftp.MISSING if wanted.verb == "RETR" else ftp.NO_SIZE)
        elif wanted.verb == "SIZE":
            self._writer.write(b"213 %d\r\n" % body.size)
        elif wanted.verb == "MDTM":
            self._writer.write(b"213 20260302114510\r\n")
        else:
            self._writer.write(ftp.sending(wanted.argument, body.size))
            await self._writer.drain()
            connection = await self._connected()
            if connection is None:
                self._writer.write(b"425 Failed to establish connection.\r\n")
                return
            _, writer = connection
            for start in range(0, body.size, _PIECE):
                writer.write(await asyncio.to_thread(body.read, start, _PIECE))
                await writer.drain()
            writer.close()
            with contextlib.suppress(OSError):  # the client has it, however it ended the connection
                await writer.wait_closed()
            self._writer.write(ftp.SENT)

    async def _connected(self) -> Streams | None:
        data, self._data = self._data, None
        if data is None:
            return None
        try:
            return await asyncio.wait_for(data, _DATA_SECONDS)
        except TimeoutError:
            return None


async def serve_tftp(
    asked: tftp.Request,
    visit: Visit,
    send: Callable[[bytes], None],
    receive: Callable[[], Awaitable[bytes]],
) -> None:
    """One transfer; `send` and `receive` are datagrams of its own port."""
    url = visit.url("tftp", b"/" + quote_from_bytes(asked.name.lstrip(b"/"), safe=_SAFE).encode(), 69)
    transfer: tftp.Sending | tftp.Receiving
    if asked.write:
        transfer = tftp.Receiving()
        await _transfer(transfer, send, receive)
        await visit.seen("tftp", url, method="WRQ", size=transfer.size, first=transfer.first[:KEPT_BYTES],
                         outcome="kept")  # fmt: skip
        return
    download = await visit.get(url)
    await visit.seen("tftp", url, method="RRQ", outcome=download.outcome)
    if download.how != "answer" or download.body is None:
        if download.how == "missing":
            send(tftp.failure(1, b"File not found"))
        return
    content: Content = download.body
    body = await asyncio.to_thread(content.read, 0, MAX_TFTP)
    await _transfer(tftp.Sending(body, asked), send, receive)


async def _transfer(
    transfer: tftp.Sending | tftp.Receiving,
    send: Callable[[bytes], None],
    receive: Callable[[], Awaitable[bytes]],
) -> None:
    send(transfer.begin())
    silent = 0
    while not transfer.done and silent < _RESENDS:
        try:
            data = await asyncio.wait_for(receive(), _RESEND_SECONDS)
        except TimeoutError:
            silent += 1
            send(transfer.packet)
            continue
        if answer := transfer.receive(data):
            silent = 0
            send(answer)
