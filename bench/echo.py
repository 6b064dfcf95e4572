"""How long a key takes to be echoed while the trap is busy with others.

    python bench/echo.py [--keys 500] [--busy 200] [--typing-seconds 1.0] [--worst LINE] [--quiet]

Starts a trap process on loopback with a fresh data folder. Another process logs in `--busy` times with terminals, in
each of which a command is typed every `--typing-seconds`; one more runs `--worst` without end and again when it is
ended, and one asks for a group exchange of 8192 bits, sends its half and asks anew when it has the answer. A third
process types `--keys` keys, one each 20 ms, and waits for each one's echo. Prints one JSON line: `p50_ms`, `p99_ms`,
`largest_ms`, what the others did meanwhile (`commands`, `worst_runs`, `exchanges`), `server_cpu_percent`.
`--quiet` leaves the others out: what the machine and the client themselves take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import asyncssh
import uvloop

from flood import in_packet, opening
from ssh import connection_options, cpu_seconds, serve, trap_of

BITS = 8192
KEY_SECONDS = 0.02


class Others:
    """Everybody who keeps the trap busy, in a process of its own."""

    def __init__(self, port: int, busy: int, seconds: float, worst: str) -> None:
        self.port, self.busy, self.seconds, self.worst = port, busy, seconds, worst
        self.done = {"commands": 0, "worst_runs": 0, "exchanges": 0}

    async def run(self, ready: Any, stop: Any) -> dict[str, int]:
        options = await connection_options()
        clients = []
        for _ in range(self.busy):
            client = await asyncssh.connect("127.0.0.1", self.port, options=options)
            clients.append((client, await client.create_process(term_type="xterm", encoding=None)))
        tasks = [asyncio.ensure_future(self.type(process)) for _, process in clients]
        tasks += [asyncio.ensure_future(each()) for each in (self.run_worst, self.exchange)]
        await asyncio.sleep(1)
        self.done = dict.fromkeys(self.done, 0)
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.1)
            for task in tasks:
                if task.done():
                    task.result()
        for task in tasks:
            task.cancel()
        for client, _ in clients:
            client.abort()
        return self.done

    async def type(self, process: Any) -> None:
        await asyncio.sleep(self.seconds * (id(process) % 997) / 997)
        while True:
            process.stdin.write(b"uname -a; ls -la /etc | head\r")
            await process.stdout.readuntil(b"# ")
            self.done["commands"] += 1
            await asyncio.sleep(self.seconds)

    async def run_worst(self) -> None:
        options = await connection_options()
        while True:
            async with asyncssh.connect("127.0.0.1", self.port, options=options) as client:
                await client.run(self.worst)
                self.done["worst_runs"] += 1

    async def exchange(self) -> None:
        """The answer to a request of the largest group is awaited, so that there is always one under way."""
        size = BITS.to_bytes(4, "big")
        half = b"\x20" + (BITS // 8).to_bytes(4, "big") + b"\x01" + os.urandom(BITS // 8 - 1)
        first = opening(b"diffie-hellman-group-exchange-sha256") + in_packet(b"\x22" + 3 * size)
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            await reader.readline()
            writer.write(first)
            while (await _message(reader))[:1] != b"\x1f":
                pass
            writer.write(in_packet(half))
            while (await _message(reader))[:1] != b"\x21":
                pass
            self.done["exchanges"] += 1
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(4), "big")
    packet = await reader.readexactly(length)
    return packet[1 : length - packet[0]]


def keep_busy(arguments: argparse.Namespace, port: int, ready: Any, stop: Any, told: Any) -> None:
    others = Others(port, arguments.busy, arguments.typing_seconds, arguments.worst)
    try:
        told.put(uvloop.run(others.run(ready, stop)))
    except BaseException as error:
        told.put({"failed": f"{type(error).__name__}: {error}"})
        ready.set()
        raise


async def echoes(port: int, keys: int) -> list[float]:
    """Milliseconds from each key to its echo, in order of size."""
    times = []
    options = await connection_options()
    async with asyncssh.connect("127.0.0.1", port, options=options) as client:
        process = await client.create_process(term_type="xterm", encoding=None)
        await process.stdout.readuntil(b"# ")
        for number in range(keys):
            if number % 60 == 59:
                process.stdin.write(b"\x15")  # an empty line again
                await asyncio.sleep(KEY_SECONDS)
                while True:
                    try:
                        await asyncio.wait_for(process.stdout.read(4096), KEY_SECONDS)
                    except TimeoutError:
                        break
            started = time.perf_counter()
            process.stdin.write(b"k")
            await process.stdout.readuntil(b"k")
            times.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(KEY_SECONDS)
        client.abort()
    return sorted(times)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=500)
    parser.add_argument("--busy", type=int, default=200)
    parser.add_argument("--typing-seconds", type=float, default=1.0)
    parser.add_argument("--worst", default="while :; do :; done")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        uvloop.run(serve(arguments.serve))
        return 0
    context = multiprocessing.get_context("spawn")
    ready, stop, told = context.Event(), context.Event(), context.Queue()
    with trap_of(__file__) as (ports, pid):
        process = context.Process(target=keep_busy, args=(arguments, ports[0], ready, stop, told))
        if not arguments.quiet:
            process.start()
            ready.wait()
        used, started = cpu_seconds(pid), time.monotonic()
        times = asyncio.run(echoes(ports[0], arguments.keys))
        share = (cpu_seconds(pid) - used) / (time.monotonic() - started)
        others: dict[str, object] = {}
        if not arguments.quiet:
            stop.set()
            others = told.get()
            process.join()
    figures = {
        "bench": "echo",
        "keys": len(times),
        "busy": 0 if arguments.quiet else arguments.busy,
        "p50_ms": round(times[len(times) // 2], 2),
        "p99_ms": round(times[int(len(times) * 0.99)], 2),
        "largest_ms": round(times[-1], 2),
        "server_cpu_percent": round(share * 100),
    }
    print(json.dumps(figures | others))
    return 1 if "failed" in others else 0


if __name__ == "__main__":
    sys.exit(main())
