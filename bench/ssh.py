"""SSH sessions per second and what one costs the server: TCP, key exchange, password, one command, close.

    python bench/ssh.py [--sessions 300] [--at-a-time 10] [--command 'uname -a'] [--idle 200]

Starts a trap process on loopback with a fresh data folder and attacks it from another process, with the algorithms
curve25519, ed25519, aes128-ctr and hmac-sha2-256. Prints one JSON line:
`sessions_per_second`, `server_cpu_ms` per session (machine and journal included), `client_cpu_ms` per session (where it
comes near the server's, the client is the bottleneck), `median_ms` and `p95_ms` of a session, `idle_kb` per logged-in
connection with an idle shell, `output` of the command.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from urltrap.machine.persona import generate
from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.settings import (
    CredentialSettings,
    SensorSettings,
    Settings,
    SshSettings,
    TelnetSettings,
)

PASSWORD = "bench-7"
KEYS = {
    "ssh_host_rsa_key": "ssh-rsa",
    "ssh_host_ecdsa_key": "ecdsa-sha2-nistp256",
    "ssh_host_ed25519_key": "ssh-ed25519",
}


def make_data_folder(folder: Path) -> None:
    for name in ("keys", "overlays", "run"):
        (folder / name).mkdir()
    (folder / "keys" / "secret").write_bytes(os.urandom(32))
    for name, algorithm in KEYS.items():
        asyncssh.generate_private_key(algorithm).write_private_key(folder / "keys" / name)
    persona = generate(os.urandom(32), "debian-12", time.time())
    (folder / "persona.json").write_text(persona.model_dump_json())


async def serve(folder: Path) -> None:
    from urltrap.sensors.trap import run_trap

    settings = Settings(
        sensors=SensorSettings(
            ssh=SshSettings(listen=["127.0.0.1:0"]),
            telnet=TelnetSettings(enabled=False),
            max_connections=10_000,
            max_connections_per_address=10_000,
            admission=AdmissionSettings(
                per_second=1e6, burst=1e6, startups=(9_998, 0, 9_999), memory_bytes=0
            ),
        ),
        credentials=CredentialSettings(accept=[f"root:{PASSWORD}"]),
    )

    def ready(addresses: list[str]) -> None:
        sys.stdout.write(addresses[0].rpartition(":")[2] + "\n")
        sys.stdout.flush()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    await run_trap(settings, folder, worker="trap-0", workers=1, ready=ready, stop=stop, drop=lambda: None)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def connection_options() -> asyncssh.SSHClientConnectionOptions:
    return await asyncssh.SSHClientConnectionOptions.construct(
        username="root",
        password=PASSWORD,
        known_hosts=None,
        client_keys=None,
        config=None,
        agent_path=None,
        kex_algs=["curve25519-sha256"],
        server_host_key_algs=["ssh-ed25519"],
        encryption_algs=["aes128-ctr"],
        mac_algs=["hmac-sha2-256"],
    )


async def attack(port: int, sessions: int, at_a_time: int, command: str) -> tuple[list[float], str]:
    options = await connection_options()
    times: list[float] = []
    output = ""

    async def worker(count: int) -> None:
        nonlocal output
        for _ in range(count):
            started = time.perf_counter()
            async with asyncssh.connect("127.0.0.1", port, options=options) as client:
                result = await client.run(command)
                output = str(result.stdout or result.stderr or f"exit {result.exit_status}")
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(worker(sessions // at_a_time) for _ in range(at_a_time)))
    return sorted(times), output


async def idle_memory(port: int, pid: int, count: int) -> float:
    options = await connection_options()
    async with asyncssh.connect("127.0.0.1", port, options=options):
        before = resident_kb(pid)
        clients = []
        for _ in range(count):
            client = await asyncssh.connect("127.0.0.1", port, options=options)
            await client.create_process(term_type="xterm")
            clients.append(client)
        after = resident_kb(pid)
        for client in clients:
            client.abort()
    return (after - before) / count


async def measure(port: int, pid: int, arguments: argparse.Namespace) -> dict[str, object]:
    await attack(port, arguments.at_a_time, arguments.at_a_time, arguments.command)  # warm
    server, client = cpu_seconds(pid), resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    times, output = await attack(port, arguments.sessions, arguments.at_a_time, arguments.command)
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    client_cpu = used.ru_utime + used.ru_stime - client.ru_utime - client.ru_stime
    count = len(times)
    return {
        "bench": "ssh",
        "sessions": count,
        "at_a_time": arguments.at_a_time,
        "sessions_per_second": round(count / wall, 1),
        "server_cpu_ms": round((cpu_seconds(pid) - server) * 1000 / count, 2),
        "client_cpu_ms": round(client_cpu * 1000 / count, 2),
        "median_ms": round(times[count // 2] * 1000, 1),
        "p95_ms": round(times[int(count * 0.95)] * 1000, 1),
        "idle_kb": round(await idle_memory(port, pid, arguments.idle), 1) if arguments.idle else None,
        "output": output[:80],
    }


@contextmanager
def trap_of(bench: str) -> Iterator[tuple[list[int], int]]:
    """Ports and pid of the trap that `python BENCH --serve FOLDER` runs, on a fresh data folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data_folder(folder)
        server = subprocess.Popen(
            [sys.executable, bench, "--serve", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert server.stdin is not None and server.stdout is not None
        try:
            yield [int(word) for word in server.stdout.readline().split()], server.pid
        finally:
            server.stdin.close()
            server.wait(60)


def enough_sessions(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with what to do where there is not one session for each of those at a time."""
    if not 1 <= arguments.at_a_time <= arguments.sessions:
        parser.error(
            f"--sessions {arguments.sessions} must be at least --at-a-time {arguments.at_a_time}, and that at least 1"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=300)
    parser.add_argument("--at-a-time", type=int, default=10)
    parser.add_argument("--command", default="uname -a")
    parser.add_argument("--idle", type=int, default=200)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    enough_sessions(parser, arguments)
    if arguments.serve is not None:
        import uvloop

        uvloop.run(serve(arguments.serve))
        return 0
    with trap_of(__file__) as (ports, pid):
        sys.stdout.write(json.dumps(asyncio.run(measure(ports[0], pid, arguments))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
