"""Everything at once against the SSH sensor, and whether a newcomer still gets in.

    python bench/flood.py [--seconds 120] [--rounds 2] [--scale 1.0] [--sources 200]

Per round, from `sources` addresses in 127/8 and spread over `seconds`: 100,000 connections that say nothing, 20,000
that exchange keys and leave, 5,000 that stay half open (and come back when they are dropped), and 10 MB/s of garbage;
each times `scale`. Meanwhile people who were never here before log in and run a command, two a second. Prints one JSON
line per round: `newcomer_p50_ms`, `newcomer_p95_ms`, `newcomer_failed` of `newcomers`; `peak_mb` per trap process; and
after the last round `served` + `shed` = `accepted` (what clients connected), `sources_told`, `unequal` (sources of
which that is not true), and `unclosed` sessions of the journal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh
import uvloop

from ssh import PASSWORD, connection_options, make_data_folder, resident_kb
from urltrap.journal import JournalReader
from urltrap.model.event import Connected, Disconnected, FloodCounted
from urltrap.model.settings import (
    CredentialSettings,
    SensorSettings,
    Settings,
    SshSettings,
    TelnetSettings,
)

BARE, KEYS, HALF_OPEN, GARBAGE = 100_000, 20_000, 5_000, 10_000_000
WORKERS = 2


async def serve(folder: Path, index: int, port: int) -> None:
    from urltrap.sensors.trap import run_trap

    settings = Settings(
        sensors=SensorSettings(
            ssh=SshSettings(listen=[f"127.0.0.1:{port}"]), telnet=TelnetSettings(enabled=False)
        ),
        credentials=CredentialSettings(accept=[f"root:{PASSWORD}"]),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    await run_trap(
        settings,
        folder,
        worker=f"trap-{index}",
        workers=WORKERS,
        ready=lambda _: print("ready", flush=True),
        stop=stop,
        drop=lambda: None,
    )


# ---- the attackers ----


def kex_messages() -> bytes:
    """Identification, KEXINIT and ECDH_INIT of a client that does no cryptography: any point will do."""
    point = bytes([9]) + bytes(31)
    return opening(b"curve25519-sha256") + in_packet(b"\x1e" + (32).to_bytes(4, "big") + point)


def opening(exchange: bytes) -> bytes:
    """Identification and KEXINIT of a client that knows one key exchange."""
    twice = (b"aes128-ctr", b"hmac-sha2-256", b"none", b"")
    names = [exchange, b"ssh-ed25519", *(name for name in twice for _ in range(2))]
    lists = b"".join(len(name).to_bytes(4, "big") + name for name in names)
    return b"SSH-2.0-Go\r\n" + in_packet(b"\x14" + bytes(16) + lists + bytes(5))


def in_packet(body: bytes) -> bytes:
    """A message as it goes over the wire before keys."""
    padding = 8 - (5 + len(body)) % 8
    padding += 8 if padding < 4 else 0
    return (len(body) + padding + 1).to_bytes(4, "big") + bytes([padding]) + body + bytes(padding)


class Flood:
    """One process of attackers; `connected` counts connections by source."""

    def __init__(self, port: int, sources: int, seconds: float, scale: float) -> None:
        self.port, self.seconds, self.scale = port, seconds, scale
        self.sources = [f"127.{1 + n // 64}.{n % 64}.7" for n in range(sources)]
        self.connected: Counter[str] = Counter()
        self.refused = self.answer = 0
        self._turn = 0

    async def run(self) -> None:
        self.answer = await self.size_of_answer()
        self.end = time.monotonic() + self.seconds
        half_open = int(HALF_OPEN * self.scale)
        await asyncio.gather(
            self.spread(int(BARE * self.scale), self.bare),
            self.spread(int(KEYS * self.scale), self.exchange_keys),
            *(self.stay(number) for number in range(half_open)),
            self.garbage(),
        )

    async def size_of_answer(self) -> int:
        """Bytes of banner, KEXINIT and the server's key."""
        with await self.connect() as sock:
            await asyncio.get_running_loop().sock_sendall(sock, MESSAGES)
            await asyncio.sleep(0.5)
            return len(sock.recv(65_536)) - 16

    async def spread(self, count: int, act: Callable[[], Awaitable[None]]) -> None:
        """Do something `count` times over the whole time, however long each takes, at most 300 of them at once."""
        started, running = time.monotonic(), set()
        for number in range(count):
            due = started + self.seconds * number / count
            if (delay := due - time.monotonic()) > 0.002:
                await asyncio.sleep(delay)
            while len(running) >= 300:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.ensure_future(self._quietly(act))
            running.add(task)
            task.add_done_callback(running.discard)
        if running:
            await asyncio.wait(running, timeout=20)

    async def _quietly(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await asyncio.wait_for(act(), 20)
        except (OSError, TimeoutError):
            self.refused += 1

    async def connect(self) -> socket.socket:
        self._turn += 1
        source = self.sources[self._turn % len(self.sources)]
        sock = socket.socket()
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: as many ports as there are
            sock.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        except BaseException:
            sock.close()
            raise
        self.connected[source] += 1
        return sock

    async def bare(self) -> None:
        with await self.connect():
            pass

    async def exchange_keys(self) -> None:
        loop = asyncio.get_running_loop()
        with await self.connect() as sock:
            await loop.sock_sendall(sock, MESSAGES)
            got = b""
            while len(got) < self.answer and (data := await loop.sock_recv(sock, 4096)):
                got += data

    async def stay(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(number % 1000 / 1000 * min(10.0, self.seconds / 4))
        while time.monotonic() < self.end:
            with contextlib.suppress(OSError, TimeoutError), await self.connect() as sock:
                async with asyncio.timeout(max(0.0, self.end - time.monotonic())):
                    while await loop.sock_recv(sock, 4096):
                        pass
            await asyncio.sleep(5)

    async def garbage(self) -> None:
        """Garbage, and packets of nothing, as fast as it should be; a new connection where one is closed."""
        loop = asyncio.get_running_loop()
        noise, nothing, sent, number = os.urandom(65_536), in_packet(b"\x02" + bytes(30_000)), 0, 0
        started = time.monotonic()
        while time.monotonic() < self.end:
            with contextlib.suppress(OSError), await self.connect() as sock:
                number += 1
                data = noise if number % 2 else nothing
                await loop.sock_sendall(sock, b"" if number % 2 else b"SSH-2.0-x\r\n")
                while time.monotonic() < self.end:
                    await loop.sock_sendall(sock, data)
                    sent += len(data)
                    await asyncio.sleep(max(0.0, started + sent / (GARBAGE * self.scale) - time.monotonic()))
            await asyncio.sleep(0.01)


MESSAGES = kex_messages()


def attack(port: int, sources: int, seconds: float, scale: float, told: Any) -> None:
    flood = Flood(port, sources, seconds, scale)
    uvloop.run(flood.run())
    told.put((dict(flood.connected), flood.refused))


def visit(port: int, seconds: float, first: int, told: Any) -> None:
    """Newcomers, two a second, each from an address of its own; (milliseconds or None, source) of each."""

    async def one(number: int) -> float | None:
        source = f"127.{100 + number % 50}.{number // 50 % 250}.9"
        options = await connection_options()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(10), asyncssh.connect(
                "127.0.0.1", port, options=options, local_addr=(source, 0)
            ) as client:  # fmt: skip
                result = await client.run("echo $((6*7))")
                ok = result.stdout == "42\n"
        except (OSError, asyncssh.Error, TimeoutError):
            ok = False
        return (time.perf_counter() - started) * 1000 if ok else None

    async def all_of_them() -> list[float | None]:
        tasks = []
        for number in range(int(seconds * 2)):
            tasks.append(asyncio.ensure_future(one(first + number)))
            await asyncio.sleep(0.5)
        return list(await asyncio.gather(*tasks))

    told.put(asyncio.run(all_of_them()))


# ---- the measure ----


def a_round(
    port: int, servers: list[Any], arguments: argparse.Namespace, number: int
) -> tuple[dict[str, Any], Counter[str], int]:
    floods: Any = multiprocessing.Queue()
    visits: Any = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(
            target=attack, args=(port, arguments.sources, arguments.seconds, arguments.scale, floods)
        ),
        multiprocessing.Process(target=visit, args=(port, arguments.seconds, number * 10_000, visits)),
    ]
    for process in processes:
        process.start()
    peak = 0
    while floods.empty() or visits.empty():
        peak = max(peak, *(resident_kb(server.pid) for server in servers))
        time.sleep(0.2)
    connected, refused = floods.get()
    times = visits.get()
    for process in processes:
        process.join()
    good = sorted(time for time in times if time is not None)
    return (
        {
            "bench": "flood",
            "round": number + 1,
            "connections": sum(connected.values()),
            "clients_gave_up": refused,
            "newcomers": len(times),
            "newcomer_failed": len(times) - len(good),
            "newcomer_p50_ms": round(good[len(good) // 2]) if good else None,
            "newcomer_p95_ms": round(good[int(len(good) * 0.95)]) if good else None,
            "peak_mb": round(peak / 1024, 1),
        },
        Counter(connected),
        len(times),
    )


def account(folder: Path, connected: Counter[str], visitors: int) -> dict[str, Any]:
    """What the journal says of those who connected."""
    served: Counter[str] = Counter()
    shed: Counter[str] = Counter()
    opened, closed = set(), set()
    reader = JournalReader(folder / "journal")
    for writer in reader.writers():
        position = None
        while batch := reader.read(writer, position, 10_000):
            position = batch[-1][0]
            for _, event in batch:
                if isinstance(event, Connected):
                    served[event.src_ip] += 1
                    opened.add(event.session)
                elif isinstance(event, FloodCounted):
                    shed[event.src_ip] += event.count
                elif isinstance(event, Disconnected):
                    closed.add(event.session)
    flooders = {source: served[source] + shed[source] for source in connected}
    return {
        "accepted": sum(connected.values()),
        "served": sum(served[source] for source in connected),
        "shed": sum(shed[source] for source in connected),
        "sources_told": sum(bool(count) for count in flooders.values()),
        "unequal": sum(flooders[source] != count for source, count in connected.items()),
        "visitors_served": sum(served.values()) - sum(served[source] for source in connected),
        "visitors": visitors,
        "unclosed": len(opened - closed),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        folder, index, port = arguments.serve
        uvloop.run(serve(Path(folder), int(index), int(port)))
        return 0
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        folder = Path(name)
        make_data_folder(folder)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        servers = [
            subprocess.Popen(
                [sys.executable, __file__, "--serve", str(folder), str(index), str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for index in range(WORKERS)
        ]
        try:
            for server in servers:
                assert server.stdout is not None and server.stdout.readline() == b"ready\n"
            connected: Counter[str] = Counter()
            visitors = 0
            for number in range(arguments.rounds):
                line, more, came = a_round(port, servers, arguments, number)
                connected += more
                visitors += came
                print(json.dumps(line), flush=True)
            time.sleep(2)  # what the kernel's queue still holds
        finally:
            for server in servers:
                assert server.stdin is not None
                server.stdin.close()
            for server in servers:
                server.wait(60)
        print(json.dumps({"bench": "flood"} | account(folder, connected, visitors)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
