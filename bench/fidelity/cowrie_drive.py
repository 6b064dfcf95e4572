"""Asks a Cowrie for lines over SSH: run with its virtual environment's Python, `cowrie_drive.py VENV STATE`, as root.

JSON lines on standard input ({"text": ...}), answers on standard output in order. Cowrie and this process are alone
in a network namespace with nothing but lo: what Cowrie would download goes nowhere. It refuses to run as root, so it
gets a user namespace in which it is user 1000.
"""

from __future__ import annotations

import asyncio
import base64
import ctypes
import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncssh

PORT = 2222
SECONDS = 8.0
AT_ONCE = 4


def alone() -> None:
    """A network namespace of our own, lo up."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "a network namespace cannot be made: root is needed")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh22x", b"lo", 0x41))


def start(venv: Path, state: Path) -> subprocess.Popen[bytes]:
    """Cowrie in the foreground."""
    env = {"PATH": f"{venv}/bin:/usr/bin:/bin", "HOME": str(state), "VIRTUAL_ENV": str(venv)}
    inside = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--kill-child=KILL", "--fork"]
    log = (state / "driver.log").open("wb")
    command = [*inside, f"{venv}/bin/twistd", "--nodaemon", "--pidfile=", "-l", "-", "cowrie"]
    return subprocess.Popen(command, cwd=state, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


class Collector(asyncssh.SSHClientSession[bytes]):
    """What comes over one channel, whatever order the server sends it in."""

    def __init__(self) -> None:
        self.streams = {0: bytearray(), 1: bytearray()}
        self.status: int | None = None
        self.closed = asyncio.Event()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Bytes of stdout, or of stderr where `datatype` is 1."""
        self.streams[datatype or 0] += data

    def exit_status_received(self, status: int) -> None:
        """The command's end."""
        self.status = status

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed."""
        self.closed.set()


async def ask(text: str) -> dict[str, Any]:
    """One line on a connection of its own: a fresh machine, as each attacker gets it."""
    ended, got = "exit", Collector()
    try:
        async with asyncio.timeout(SECONDS):
            async with asyncssh.connect(
                "127.0.0.1", PORT, username="root", password="hunter-7719", known_hosts=None, client_keys=None,
                config=None,
            ) as connection:  # fmt: skip
                try:
                    channel, _ = await connection.create_session(lambda: got, text, encoding=None)
                    channel.write_eof()
                except (AttributeError, OSError):
                    # Cowrie may answer and close before it confirms the request; what it said has been received.
                    pass
                await got.closed.wait()
    except TimeoutError:
        ended = "wall"
    except (asyncssh.Error, OSError) as error:
        ended = f"error: {error}"
    encoded = [base64.b64encode(got.streams[number]).decode() for number in (0, 1)]
    return {"stdout": encoded[0], "stderr": encoded[1], "status": got.status, "ended": ended}


async def serve(texts: list[str]) -> None:
    """All lines, a few at a time, answers in order."""
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.2)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(text: str) -> dict[str, Any]:
        async with gate:
            return await ask(text)

    for task in [asyncio.ensure_future(one(text)) for text in texts]:
        print(json.dumps(await task), flush=True)


def main() -> None:
    """Start Cowrie, ask, stop it."""
    venv, state = Path(sys.argv[1]), Path(sys.argv[2])
    alone()
    cowrie = start(venv, state)
    try:
        asyncio.run(serve([json.loads(line)["text"] for line in sys.stdin]))
    finally:
        cowrie.kill()  # its child is killed with it; unshare ignores SIGTERM
        cowrie.wait()


if __name__ == "__main__":
    main()
