"""TFTP read requests as values (sans-IO), and the UDP endpoint that carries them to one address that was checked.

Sources: RFC 1350 (protocol), RFC 2347/2348/2349 (options, blksize, tsize), RFC 1123 §4.2 (sorcerer's apprentice:
a repeated DATA is acknowledged, a repeated ACK is not answered). GNU inetutils and tftp-hpa ask for no option;
BusyBox asks for ``tsize`` and ``blksize`` 1432 where it was built with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from urltrap.egress.address import IpAddress
from urltrap.egress.transfer import Answer, Body, BodyTooLarge, Limits, TransferFailed
from urltrap.model.url import Url

_RRQ, _DATA, _ACK, _ERROR, _OACK = 1, 3, 4, 5, 6
_DEFAULT_BLOCK = 512
_MAX_BLOCK = 65_464
_NOT_FOUND = 1
_OPTION_REFUSED = 8
_RESEND_SECONDS = (1.0, 2.0, 3.0, 4.0, 4.0)
_QUEUED_PACKETS = 64
_STOP = _ERROR.to_bytes(2, "big") + (0).to_bytes(2, "big") + b"Transfer aborted\0"
BUSYBOX_OPTIONS: Mapping[bytes, bytes] = {b"tsize": b"0", b"blksize": b"1432"}


class TftpError(Exception):
    """The server answered with an error, or not in TFTP; `code` is the server's where it gave one."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class TftpReader:
    """One read request, octet mode: packets in, packets out.

    Send `request` to the server's port; give each packet to `receive`, which returns what to answer (to the port that
    the packet came from) and puts the file's next bytes into `chunk`. `last_sent` is what to repeat after silence.
    """

    def __init__(self, path: bytes, options: Mapping[bytes, bytes] | None = None) -> None:
        if not path or b"\0" in path:
            raise ValueError("a TFTP path is not empty and has no NUL")
        fields = [path, b"octet"]
        for name, value in (options or {}).items():
            fields += [name, value]
        self._asked = dict(options or {})
        self.request = _RRQ.to_bytes(2, "big") + b"".join(item + b"\0" for item in fields)
        self.last_sent = self.request
        self.block_size = _DEFAULT_BLOCK
        self.chunk = b""
        self.done = False
        self._next = 1
        self._started = False

    def receive(self, packet: bytes) -> bytes:
        """The answer to `packet`, empty where there is none. TftpError ends the transfer."""
        self.chunk = b""
        if len(packet) < 4:
            raise TftpError("a packet of the TFTP server is too short")
        kind, number, rest = int.from_bytes(packet[:2], "big"), int.from_bytes(packet[2:4], "big"), packet[4:]
        if kind == _ERROR:
            text = rest.split(b"\0", 1)[0][:200].decode("utf-8", "replace")
            raise TftpError(f"the TFTP server answered with error {number}: {text!r}", number)
        if kind == _OACK:
            return self._options(packet[2:])
        if kind != _DATA:
            raise TftpError(f"a packet of kind {kind} is not an answer to a TFTP read request")
        if len(rest) > self.block_size:
            raise TftpError("a block of the TFTP server is longer than agreed")
        expected = self._next & 0xFFFF
        if number == expected:
            self._started = True
            self.chunk = rest
            self._next += 1
            self.done = len(rest) < self.block_size
            return self._ack(number)
        if self._started and number == (expected - 1) & 0xFFFF:
            return self._ack(number)
        return b""  # older or from the future: a stray, which must not be acknowledged

    def _options(self, text: bytes) -> bytes:
        if self._started:
            return b""
        fields = text.split(b"\0")[:-1]
        if len(fields) % 2 or not self._asked:
            raise TftpError("the TFTP server acknowledges options that were not asked for")
        for name, value in zip(fields[::2], fields[1::2], strict=True):
            if name.lower() not in self._asked:
                raise TftpError(f"the TFTP server sets the option {name[:40]!r}, which was not asked for")
            if name.lower() == b"blksize":
                if not value.isdigit() or not 8 <= int(value[:6]) <= int(self._asked[b"blksize"]):
                    raise TftpError(f"the TFTP server sets the block size {value[:40]!r}")
                self.block_size = int(value)
        return self._ack(0)

    def _ack(self, number: int) -> bytes:
        self.last_sent = _ACK.to_bytes(2, "big") + number.to_bytes(2, "big")
        return self.last_sent


def tftp_path(url: Url) -> bytes:
    """The file that the URL names, as bytes of a read request; TransferFailed where it cannot stand in one."""
    path = unquote_to_bytes(url.path.removeprefix("/"))
    if not path or b"\0" in path or len(path) > 400:
        raise TransferFailed("bad-url", "a TFTP path is not empty, has no NUL and at most 400 bytes")
    return path


class _Endpoint(asyncio.DatagramProtocol):
    """Packets from the checked address only, at most a few waiting."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.packets: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue(_QUEUED_PACKETS)
        self.error: Exception | None = None
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # the loop gives a datagram transport here

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if addr[0] == self._address and not self.packets.full():
            self.packets.put_nowait((data, addr[1]))

    def error_received(self, exc: Exception) -> None:
        self.error = exc
        if not self.packets.full():
            self.packets.put_nowait((b"", 0))  # wakes the reader


async def tftp_retrieve(
    url: Url,
    address: IpAddress,
    body: Body,
    limits: Limits,
    *,
    options: Mapping[bytes, bytes] | None = None,
    resend_seconds: tuple[float, ...] = _RESEND_SECONDS,
    head_only: bool = False,
) -> Answer:
    """Read the file into `body`, over UDP from `address`; its answers come from a port of the server's choice.

    `head_only` ends the transfer at the first sign that the file is there, and keeps nothing.

    The first answer fixes that port. Silence is met by repeating the last packet after each of `resend_seconds`. A file
    that is cut, too large or too slow is kept as far as it came; TransferFailed where nothing came.
    """
    transfer = _Transfer(
        TftpReader(tftp_path(url), options), (str(address), url.port), limits, resend_seconds, head_only
    )
    loop = asyncio.get_running_loop()
    local = ("::", 0) if address.version == 6 else ("0.0.0.0", 0)
    try:
        transport, endpoint = await loop.create_datagram_endpoint(
            lambda: _Endpoint(str(address)), local_addr=local
        )
    except OSError as error:
        raise TransferFailed("connect-failed", f"no UDP socket: {error}") from error
    try:
        return await transfer.run(endpoint, transport, body)
    finally:
        transport.abort()


class _Transfer:
    def __init__(
        self,
        reader: TftpReader,
        server: tuple[str, int],
        limits: Limits,
        resend_seconds: tuple[float, ...],
        head_only: bool = False,
    ) -> None:
        self._head_only = head_only
        self._reader = reader
        self._server = server
        self._limits = limits
        self._resend = resend_seconds
        self._port: int | None = None

    async def run(self, endpoint: _Endpoint, transport: asyncio.DatagramTransport, body: Body) -> Answer:
        answer = Answer("fetched")
        failure: TransferFailed | None = None
        transport.sendto(self._reader.request, self._server)
        try:
            while not self._reader.done:
                packet, port = await self._packet(endpoint, transport)
                reply = self._reader.receive(packet)
                if self._head_only and reply:
                    transport.sendto(_STOP, (self._server[0], port))
                    return answer
                if reply:
                    transport.sendto(reply, (self._server[0], port))
                if self._reader.chunk:
                    await body.write(self._reader.chunk)
        except BodyTooLarge:
            answer.outcome = "too-large"
            answer.detail = f"more than {self._limits.max_bytes} bytes; the beginning is kept"
            answer.complete = False
        except TftpError as error:
            missing = error.code == _NOT_FOUND
            if error.code is None and self._port is not None:
                text = _ERROR.to_bytes(2, "big") + (4).to_bytes(2, "big") + b"Illegal TFTP operation\0"
                transport.sendto(text, (self._server[0], self._port))
            failure = TransferFailed("not-found" if missing else "protocol-error", str(error))
        except TransferFailed as error:
            failure = error
        if failure is not None:
            if body.size == 0:
                raise failure
            answer.complete = False
            answer.outcome = "timed-out" if failure.outcome == "timed-out" else "fetched"
            answer.detail = f"the file ended early after {body.size} bytes: {failure.detail}"
        await body.finish(complete=answer.complete)
        answer.keep(body)
        return answer

    async def _packet(self, endpoint: _Endpoint, transport: asyncio.DatagramTransport) -> tuple[bytes, int]:
        loop = asyncio.get_running_loop()
        for wait in self._resend:
            until = min(loop.time() + wait, self._limits.deadline)
            try:
                async with asyncio.timeout_at(until):
                    while True:
                        packet, port = await endpoint.packets.get()
                        if endpoint.error is not None:
                            raise TransferFailed("connect-failed", f"the TFTP server: {endpoint.error}")
                        if self._port is None:
                            self._port = port
                        if port == self._port:
                            return packet, port
            except TimeoutError:
                if loop.time() >= self._limits.deadline:
                    break
                target = (self._server[0], self._server[1] if self._port is None else self._port)
                transport.sendto(self._reader.last_sent, target)
        raise TransferFailed("timed-out", "the TFTP server did not answer in time")
