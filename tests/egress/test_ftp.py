"""Fetching over FTP from a small server on loopback, honest or not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from urltrap.egress.ftp import ftp_path
from urltrap.egress.transfer import TransferFailed
from urltrap.model.url import parse_url

from .conftest import Bench, Server, answering, redirect, serving, wget
from .test_http import _certificate as make_certificate


@dataclass
class Ftp:
    """What the server has and how it behaves; `lines` is what it was told."""

    files: dict[str, bytes] = field(default_factory=lambda: {"bot.mips": b"\x7fELF" + b"m" * 3000})
    users: dict[str, str] | None = None
    epsv: bool = True
    pasv_host: str = "127,0,0,1"
    passive_port: int | None = None
    after: str = "226 Done"
    greeting: str = "220-Welcome\r\n to this\r\n220 ready"
    stall: bool = False
    tls: ssl.SSLContext | None = None
    lines: list[str] = field(default_factory=list)
    server: Server = field(default_factory=Server)
    streams: list[asyncio.StreamWriter] = field(default_factory=list)

    def url(self, path: str = "/bot.mips") -> str:
        return f"ftp://127.0.0.1:{self.server.port}{path}"

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")
            await writer.drain()

        await say(self.greeting)
        user = ""
        data: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

        def accept(_: asyncio.StreamReader, stream: asyncio.StreamWriter) -> None:
            self.streams.append(stream)
            data.put_nowait(stream)

        async with await asyncio.start_server(accept, "127.0.0.1", 0, ssl=self.tls) as listener:
            port = self.passive_port or listener.sockets[0].getsockname()[1]
            while True:
                line = (await reader.readuntil(b"\r\n")).decode().removesuffix("\r\n")
                self.lines.append(line)
                command, _, argument = line.partition(" ")
                if command == "USER":
                    user = argument
                    await say("331 Password, please")
                elif command == "PASS":
                    good = self.users is None or self.users.get(user) == argument
                    await say("230 In" if good else "530 Login incorrect.")
                elif command == "EPSV" and self.epsv:
                    await say(f"229 Entering Extended Passive Mode (|||{port}|)")
                elif command == "PASV":
                    await say(f"227 Entering Passive Mode ({self.pasv_host},{port >> 8},{port & 255}).")
                elif command in ("TYPE", "PBSZ", "PROT"):
                    await say("200 Set")
                elif command == "SIZE" and argument in self.files:
                    await say(f"213 {len(self.files[argument])}")
                elif command == "RETR" and argument in self.files:
                    await say("150 Here it comes")
                    stream = await data.get()
                    stream.write(self.files[argument])
                    await stream.drain()
                    if self.stall:
                        await asyncio.Event().wait()
                    stream.close()
                    await say(self.after)
                elif command in ("RETR", "SIZE"):
                    await say("550 No such file")
                else:
                    await say("502 Not implemented")


@asynccontextmanager
async def ftp(server: Ftp) -> AsyncIterator[Ftp]:
    async with serving(server.control, ssl=server.tls) as listening:
        server.server = listening
        try:
            yield server
        finally:
            for stream in server.streams:
                stream.transport.abort()


async def test_a_file_is_retrieved_anonymously(bench: Bench) -> None:
    async with ftp(Ftp()) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.complete, capture.status) == ("fetched", True, 226)
    assert bench.body(capture) == server.files["bot.mips"]
    assert server.lines == ["USER anonymous", "PASS wget@", "TYPE I", "EPSV", "RETR bot.mips"]
    assert capture.user_agent == b""


async def test_the_commands_log_in_is_used_and_not_recorded(bench: Bench) -> None:
    async with ftp(Ftp(users={"bob": "s3cret"})) as server:
        first = await bench.fetcher().fetch(wget(server.url(), username="bob", password="s3cret"))
        in_url = server.url().replace("ftp://", "ftp://bob:s3cre%74@")
        second = await bench.fetcher().fetch(wget(in_url))
        wrong = await bench.fetcher().fetch(wget(server.url(), username="bob", password="x"))
    assert [first.outcome, second.outcome, wrong.outcome] == ["fetched", "fetched", "protocol-error"]
    assert "530" in wrong.detail
    assert "s3cret" not in "".join(capture.model_dump_json() for capture in bench.captures)


async def test_pasv_is_asked_where_epsv_is_unknown_and_its_address_is_ignored(bench: Bench) -> None:
    async with ftp(Ftp(epsv=False, pasv_host="10,0,0,1")) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert capture.outcome == "fetched"
    assert server.lines[-3:] == ["EPSV", "PASV", "RETR bot.mips"]


@pytest.mark.parametrize("port", [22, 1023, 70_000])
async def test_a_passive_port_of_a_system_service_is_refused(bench: Bench, port: int) -> None:
    async with ftp(Ftp(passive_port=port)) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert capture.outcome == "protocol-error"
    assert "passive port" in capture.detail


async def test_a_missing_file_is_not_found(bench: Bench) -> None:
    async with ftp(Ftp()) as server:
        capture = await bench.fetcher().fetch(wget(server.url("/nothing")))
    assert (capture.outcome, capture.sha256) == ("not-found", None)


async def test_head_asks_for_the_size_only(bench: Bench) -> None:
    async with ftp(Ftp()) as server:
        capture = await bench.fetcher().fetch(wget(server.url(), method="HEAD"))
    assert (capture.outcome, capture.size, capture.sha256) == ("fetched", 3004, None)
    assert server.lines[-1] == "SIZE bot.mips"


async def test_too_large_a_file_is_cut(bench: Bench) -> None:
    async with ftp(Ftp()) as server:
        capture = await bench.fetcher(max_bytes=1000).fetch(wget(server.url()))
    assert (capture.outcome, capture.size, capture.complete) == ("too-large", 1000, False)


async def test_a_stalling_transfer_ends_at_the_time_limit(bench: Bench) -> None:
    async with ftp(Ftp(stall=True)) as server:
        capture = await bench.fetcher(total_seconds=0.3).fetch(wget(server.url()))
    assert (capture.outcome, capture.size, capture.complete) == ("timed-out", 3004, False)


async def test_an_aborted_transfer_is_incomplete(bench: Bench) -> None:
    async with ftp(Ftp(after="426 Aborted")) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.complete, capture.status) == ("fetched", False, 426)


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [
        ("421 Too many users", "protocol-error"),
        ("SSH-2.0-x", "protocol-error"),
        ("220-" + "x" * 100_000, "protocol-error"),
        ("220-a\r\n" * 1000, "protocol-error"),
    ],
    ids=["full", "ssh", "long-line", "endless"],
)
async def test_a_server_that_is_no_ftp_server_is_left(bench: Bench, greeting: str, outcome: str) -> None:
    async with ftp(Ftp(greeting=greeting)) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert capture.outcome == outcome


async def test_a_silent_server_times_out(bench: Bench) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as server:
        capture = await bench.fetcher(total_seconds=0.2).fetch(wget(f"ftp://127.0.0.1:{server.port}/x"))
    assert capture.outcome == "timed-out"


async def test_an_inner_ftp_server_is_refused(bench: Bench) -> None:
    capture = await bench.fetcher().fetch(wget("ftp://10.0.0.1/x"))
    assert capture.outcome == "refused-address"


async def test_a_redirect_from_http_to_ftp_is_followed_without_the_log_in(bench: Bench) -> None:
    async with ftp(Ftp()) as server, answering(redirect(server.url().encode())) as web:
        capture = await bench.fetcher().fetch(wget(web.url(), username="bob", password="s3cret"))
    assert (capture.outcome, len(capture.hops)) == ("fetched", 2)
    assert server.lines[:2] == ["USER anonymous", "PASS wget@"]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("ftp://h/a/b", b"a/b"),
        ("ftp://h/%2Fetc/x", b"/etc/x"),
        ("ftp://h/a;type=i", b"a"),
        ("ftp://h/a%20b?c", b"a b?c"),
        ("ftp://h/%FFx", b"\xffx"),
    ],
)
def test_a_url_names_a_file(url: str, path: bytes) -> None:
    assert ftp_path(parse_url(url)) == path


@pytest.mark.parametrize("url", ["ftp://h/", "ftp://h/dir/", "ftp://h/a%0d%0aDELE%20b", "ftp://h/a%00"])
def test_a_path_that_is_no_file_or_hides_a_command_is_refused(url: str) -> None:
    with pytest.raises(TransferFailed):
        ftp_path(parse_url(url))


async def test_a_log_in_that_hides_a_command_is_refused(bench: Bench) -> None:
    async with ftp(Ftp()) as server:
        capture = await bench.fetcher().fetch(wget(server.url(), username="a\r\nDELE x", password="b"))
    assert (capture.outcome, server.lines) == ("bad-url", [])


async def test_ftps_speaks_tls_on_both_connections_and_its_certificate_is_recorded(
    bench: Bench, tmp_path: Path
) -> None:
    context, digest = make_certificate(tmp_path)
    async with ftp(Ftp(tls=context)) as server:
        capture = await bench.fetcher().fetch(wget(server.url().replace("ftp://", "ftps://")))
    assert (capture.outcome, capture.complete) == ("fetched", True)
    assert bench.body(capture) == server.files["bot.mips"]
    assert capture.tls_certificate_sha256 == digest
    assert server.lines[2:4] == ["PBSZ 0", "PROT P"]


async def test_ftps_to_a_server_without_tls_is_a_failure_of_tls(bench: Bench) -> None:
    async with ftp(Ftp()) as server:
        capture = await bench.fetcher().fetch(wget(server.url().replace("ftp://", "ftps://")))
    assert capture.outcome == "tls-failed"
    assert capture.detail.isprintable()
