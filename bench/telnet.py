"""Telnet sessions per second and what one costs the server: negotiation, log-in, one command, exit.

    python bench/telnet.py [--sessions 300] [--at-a-time 10] [--command 'uname -a'] [--idle 2000]

Starts a trap process on loopback with a fresh data folder and attacks it from another process. Prints one JSON line:
`sessions_per_second`, `server_cpu_ms` per session (machine and journal included), `client_cpu_ms` per session,
`median_ms` and `p95_ms` of a session, `idle_kb` per connection that has been greeted and says nothing,
`idle_ssh_kb` the same at the SSH sensor's door, `output` of the command.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path

import uvloop

from ssh import PASSWORD, cpu_seconds, enough_sessions, resident_kb, trap_of
from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.settings import (
    CredentialSettings,
    SensorSettings,
    Settings,
    SshSettings,
    TelnetSettings,
)


async def serve(folder: Path) -> None:
    from urltrap.sensors.trap import run_trap

    settings = Settings(
        sensors=SensorSettings(
            ssh=SshSettings(listen=["127.0.0.1:0"], login_grace_seconds=600),
            telnet=TelnetSettings(listen=["127.0.0.1:0"], login_grace_seconds=600),
            max_connections=20_000,
            max_connections_per_address=20_000,
            admission=AdmissionSettings(
                per_second=1e6, burst=1e6, startups=(19_998, 0, 19_999), memory_bytes=0
            ),
        ),
        credentials=CredentialSettings(accept=[f"root:{PASSWORD}"]),
    )

    def ready(addresses: list[str]) -> None:
        print(*(address.rpartition(":")[2] for address in addresses), flush=True)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    await run_trap(settings, folder, worker="trap-0", workers=1, ready=ready, stop=stop, drop=lambda: None)


async def session(port: int, command: bytes, source: str = "127.0.0.1") -> bytes:
    """One log-in with one command from an address; what it printed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    await reader.readuntil(b"login: ")
    writer.write(b"root\r\n")
    await reader.readuntil(b"Password: ")
    writer.write(PASSWORD.encode() + b"\r\n")
    await reader.readuntil(b"# ")
    writer.write(command + b"\r\n")
    output = await reader.readuntil(b"# ")
    writer.write(b"exit\r\n")
    await reader.read()
    writer.close()
    return output.partition(b"\n")[2].partition(b"\r\n")[0]


async def attack(port: int, sessions: int, at_a_time: int, command: bytes) -> tuple[list[float], bytes]:
    times: list[float] = []
    output = b""

    async def worker(count: int) -> None:
        nonlocal output
        for _ in range(count):
            started = time.perf_counter()
            output = await session(port, command)
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(worker(sessions // at_a_time) for _ in range(at_a_time)))
    return sorted(times), output


async def idle_memory(port: int, pid: int, count: int) -> float:
    """KB of the server per connection that says nothing, over `count` of them."""

    async def hold() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read(1)
        return reader, writer

    first = await hold()
    before = resident_kb(pid)
    held = [await hold() for _ in range(count)]
    after = resident_kb(pid)
    for _, writer in (*held, first):
        writer.transport.abort()
    return (after - before) / count


async def measure(ports: list[int], pid: int, arguments: argparse.Namespace) -> dict[str, object]:
    ssh, telnet = ports
    command = arguments.command.encode()
    idle = [round(await idle_memory(port, pid, arguments.idle), 1) for port in (telnet, ssh)]
    await attack(telnet, arguments.at_a_time, arguments.at_a_time, command)  # warm
    server, client = cpu_seconds(pid), resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    times, output = await attack(telnet, arguments.sessions, arguments.at_a_time, command)
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    client_cpu = used.ru_utime + used.ru_stime - client.ru_utime - client.ru_stime
    count = len(times)
    return {
        "bench": "telnet",
        "sessions": count,
        "at_a_time": arguments.at_a_time,
        "sessions_per_second": round(count / wall, 1),
        "server_cpu_ms": round((cpu_seconds(pid) - server) * 1000 / count, 2),
        "client_cpu_ms": round(client_cpu * 1000 / count, 2),
        "median_ms": round(times[count // 2] * 1000, 1),
        "p95_ms": round(times[int(count * 0.95)] * 1000, 1),
        "idle_kb": idle[0],
        "idle_ssh_kb": idle[1],
        "output": output.decode("utf-8", "replace")[:80],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=300)
    parser.add_argument("--at-a-time", type=int, default=10)
    parser.add_argument("--command", default="uname -a")
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    enough_sessions(parser, arguments)
    if arguments.serve is not None:
        uvloop.run(serve(arguments.serve))
        return 0
    with trap_of(__file__) as (ports, pid):
        print(json.dumps(asyncio.run(measure(ports, pid, arguments))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
