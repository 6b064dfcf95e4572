"""FTP RETR from one address that was checked: passive only, no bounce, everything bounded.

Sources: RFC 959, RFC 2428 (EPSV), RFC 1123 §4.1. The address in a PASV answer is ignored (the control connection's
is used), so a server cannot make us connect elsewhere; ports below 1024 are refused for the same reason.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote_to_bytes

from urltrap.egress.address import IpAddress
from urltrap.egress.certificate import read_certificate
from urltrap.egress.transfer import Answer, Body, BodyTooLarge, Limits, TransferFailed
from urltrap.model.capture import Certificate
from urltrap.model.url import Url

_MAX_LINE = 4096
_MAX_REPLY_LINES = 200
_CHUNK = 65_536
_REPLY = re.compile(rb"([1-5][0-9]{2})([ -])(.*)")
_EPSV = re.compile(rb"\((.)\1\1([0-9]{1,5})\1\)")
_PASV = re.compile(rb"([0-9]{1,3})[,.]([0-9]{1,3})[,.]([0-9]{1,3})[,.]([0-9]{1,3}),([0-9]{1,3}),([0-9]{1,3})")


class _Refused(Exception):
    """The server answered a command with an error."""

    def __init__(self, step: str, code: int, text: bytes) -> None:
        super().__init__(f"{step}: {code} {text.decode('utf-8', 'replace')!r}")
        self.step = step
        self.code = code
        self.text = text


def ftp_path(url: Url) -> bytes:
    """The file that the URL names, as bytes for RETR; TransferFailed where it cannot stand in a command.

    RFC 1738 §3.2.2: the path is relative to the log-in folder, ``%2F`` at its start makes it absolute, and ``;type=``
    is not part of it.
    """
    raw = re.sub(r";type=[aidAID]$", "", url.path.removeprefix("/"))
    path = unquote_to_bytes(raw)
    if not path or path.endswith(b"/"):
        raise TransferFailed("bad-url", "the URL names an FTP folder, not a file; folders are not listed")
    if any(byte < 0x20 or byte == 0x7F for byte in path):
        raise TransferFailed(
            "bad-url", "the path has control characters, which would be commands of their own"
        )
    return path


async def ftp_retrieve(
    url: Url,
    address: IpAddress,
    body: Body,
    limits: Limits,
    *,
    username: bytes = b"",
    password: bytes = b"",
    head_only: bool = False,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Log in (anonymously without `username`) and retrieve the file into `body`; `head_only` asks for its size only.

    With `context` both connections are TLS from their first byte (``ftps://``, as wget and curl do it).

    Raises TransferFailed where no file came; a file that is cut, too large or too slow is kept as far as it came.
    """
    path = ftp_path(url)
    for value in (username, password):
        if any(byte < 0x20 or byte == 0x7F for byte in value):
            raise TransferFailed(
                "bad-url", "the log-in has control characters, which would be commands of their own"
            )
    try:
        async with _connect(address, url.port, limits, context) as streams:
            certificate = _certificate(streams[1])
            control = _Control(*streams, limits.deadline)
            await _log_in(control, username or b"anonymous", password or (b"" if username else b"wget@"))
            if context is not None:
                await control.command(b"PBSZ 0", "2", step="PBSZ")
                await control.command(b"PROT P", "2", step="PROT")
            await control.command(b"TYPE I", "2")
            if head_only:
                answer = Answer("fetched", status=213, size=await _size(control, path))
            else:
                answer = await _retrieve(control, path, address, body, limits, context)
            answer.certificate = certificate
            return answer
    except _Refused as error:
        missing = error.step in ("RETR", "SIZE") and error.code == 550
        raise TransferFailed("not-found" if missing else "protocol-error", str(error)) from error
    except TimeoutError as error:
        raise TransferFailed("timed-out", "the FTP server did not answer in time") from error
    except ssl.SSLError as error:
        reason = error.reason or type(error).__name__
        raise TransferFailed("tls-failed", f"the FTP server does not speak TLS with us: {reason}") from error
    except (EOFError, OSError) as error:
        raise TransferFailed("connect-failed", f"the FTP connection was lost: {error}") from error


async def _log_in(control: _Control, username: bytes, password: bytes) -> None:
    await control.reply("greeting", "2")
    code, _ = await control.command(b"USER " + username, "23", step="USER")
    if code == 331:
        code, _ = await control.command(b"PASS " + password, "23", step="PASS")
    if code // 100 != 2:
        raise _Refused("log-in", code, b"the server wants an account besides")


async def _size(control: _Control, path: bytes) -> int | None:
    _, text = await control.command(b"SIZE " + path, "2", step="SIZE")
    match = re.fullmatch(rb"\s*([0-9]{1,18})\s*", text)
    return int(match[1]) if match else None


def _certificate(writer: asyncio.StreamWriter) -> Certificate | None:
    tls = writer.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    return read_certificate(der) if der else None


async def _retrieve(
    control: _Control,
    path: bytes,
    address: IpAddress,
    body: Body,
    limits: Limits,
    context: ssl.SSLContext | None,
) -> Answer:
    port = await _passive_port(control, address)
    answer = Answer("fetched")
    async with _connect(address, port, limits, context) as (reader, _):
        answer.status, answer.reason = await control.command(b"RETR " + path, "1", step="RETR")
        try:
            async with asyncio.timeout_at(limits.deadline):
                while chunk := await reader.read(_CHUNK):
                    await body.write(chunk)
        except BodyTooLarge:
            answer.outcome, answer.complete = "too-large", False
            answer.detail = f"more than {limits.max_bytes} bytes; the beginning is kept"
        except TimeoutError:
            answer.outcome, answer.complete = "timed-out", False
            answer.detail = f"the file was not whole in time; {body.size} bytes came"
        except OSError as error:
            answer.complete = False
            answer.detail = f"the data connection was lost after {body.size} bytes: {error}"
    if answer.complete:
        await _read_result(control, answer)
    await body.finish(complete=answer.complete)
    answer.keep(body)
    return answer


async def _read_result(control: _Control, answer: Answer) -> None:
    """The reply behind the file; the file is there whatever becomes of it, but without it is not known to be whole."""
    try:
        answer.status, answer.reason = await control.reply("transfer", "2")
    except _Refused as error:
        answer.status, answer.reason, answer.complete = error.code, error.text, False
        answer.detail = str(error)
    except (EOFError, OSError) as error:
        answer.complete = False
        answer.detail = f"the server did not confirm that the file was whole: {error}"


async def _passive_port(control: _Control, address: IpAddress) -> int:
    try:
        _, text = await control.command(b"EPSV", "2", step="EPSV")
        match = _EPSV.search(text)
        port = int(match[2]) if match else 0
    except _Refused:
        if address.version == 6:  # PASV has no form for it
            raise
        _, text = await control.command(b"PASV", "2", step="PASV")
        match = _PASV.search(text)
        port = int(match[5]) * 256 + int(match[6]) if match else 0
    if not 1024 <= port <= 65535:
        raise TransferFailed("protocol-error", f"the passive port cannot be used: {text[:80]!r}")
    return port


@asynccontextmanager
async def _connect(
    address: IpAddress, port: int, limits: Limits, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(min(loop.time() + limits.connect_seconds, limits.deadline)):
        # An address, never a name: nothing is resolved here.
        reader, writer = await asyncio.open_connection(str(address), port, limit=_MAX_LINE, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


class _Control:
    """The control connection: one command, one reply, both bounded in size and time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadline: float) -> None:
        self._reader = reader
        self._writer = writer
        self._deadline = deadline

    async def command(self, line: bytes, accepted: str, *, step: str = "") -> tuple[int, bytes]:
        """Send `line` and return the reply's code and text; _Refused unless its first digit is in `accepted`."""
        async with asyncio.timeout_at(self._deadline):
            self._writer.write(line + b"\r\n")
            await self._writer.drain()
        return await self.reply(step or line.decode("ascii"), accepted)

    async def reply(self, step: str, accepted: str) -> tuple[int, bytes]:
        """The next reply, a multi-line one by its last line. TransferFailed where it is not FTP's."""
        first: bytes | None = None
        async with asyncio.timeout_at(self._deadline):
            for _ in range(_MAX_REPLY_LINES):
                try:
                    line = (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
                except asyncio.LimitOverrunError as error:
                    raise TransferFailed("protocol-error", "a line of the FTP server is too long") from error
                match = _REPLY.fullmatch(line)
                if first is None:
                    if match is None:
                        raise TransferFailed("protocol-error", f"not an FTP reply: {line[:80]!r}")
                    first = match[1]
                if match and match[1] == first and match[2] == b" ":
                    if chr(first[0]) not in accepted:
                        raise _Refused(step, int(first), match[3][:256])
                    return int(first), match[3]
        raise TransferFailed("protocol-error", "a reply of the FTP server has too many lines")
