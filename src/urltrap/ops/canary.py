"""The synthetic attacker: every minute it logs in as an attacker would, fetches a file, and says whether all was well.

It shows that what must work together does: listening, key exchange, log-in, machine, fetcher and journal here, intake
and database where its session comes out (`pipeline.line_state`). The file is one that the fetcher answers itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import structlog

from urltrap.egress.fetcher import CANARY_BODY
from urltrap.model.canary import USER, Canary
from urltrap.model.watch_settings import CanarySettings
from urltrap.pipeline.line_state import Visit, keep_visit, line_state

log = structlog.get_logger("urltrap.canary")

PATIENCE = 20.0
"""Seconds for one visit; attackers have less."""
_FIRST_AFTER = 3.0


def ssh_address(status: Path) -> tuple[str, int] | None:
    """Where the trap listens for SSH, as the supervisor wrote it down; None where it does not, or not over IPv4."""
    try:
        processes = json.loads(status.read_text())["processes"]
        addresses = [line for state in processes.values() for line in state["listen"] if state["ready"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    for address in addresses:
        protocol, _, where = str(address).partition(" ")
        host, _, port = where.rpartition(":")
        if protocol == "ssh" and "[" not in host:
            return ("127.0.0.1" if host in ("", "0.0.0.0") else host), int(port)
    return None


async def visit(canary: Canary, address: tuple[str, int], turn: int, *, fetches: bool = True) -> str:
    """One visit; "" where all was well, else what was not. `fetches`: whether its machine has a network."""
    token = os.urandom(6).hex()
    command, expected = f"wget -q -O - http://{canary.host}/{token}", CANARY_BODY
    if not fetches:
        command, expected = f"echo {token}", token.encode() + b"\n"
    try:
        async with asyncio.timeout(PATIENCE), asyncssh.connect(
            *address, local_addr=(canary.address(turn), 0), username=USER, password=canary.password.decode(),
            known_hosts=None, client_keys=None, config=None, agent_path=None,
        ) as client:  # fmt: skip
            result = await client.run(command, encoding=None)
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} seconds"
    except asyncssh.PermissionDenied:
        return "it was not let in"
    except (OSError, asyncssh.Error) as error:
        return f"the connection failed: {error}"[:300]
    if result.stdout != expected:
        got = len(result.stdout or b"")
        hint = "; does the fetcher run?" if fetches else ""
        return f"it got in, but not what it asked for ({got} bytes came, status {result.exit_status}){hint}"
    return ""


async def run_canary(
    settings: CanarySettings,
    canary: Canary,
    data: Path,
    status: Path,
    stop: asyncio.Event,
    *,
    fetches: bool = True,
) -> None:
    """Visit until `stop`, and write down how it went; a trap that does not listen yet is waited for.

    `fetches`: whether attackers' machines have a network (boxes of the sandbox have none).
    """
    last = line_state(data).visit
    turn = 0
    pause = _FIRST_AFTER
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
            return
        address = ssh_address(status)
        pause = _FIRST_AFTER if address is None and turn == 0 else settings.every_seconds
        if address is None and turn == 0:
            continue
        started = time.monotonic()
        problem = "the SSH sensor does not listen"
        if address is not None:
            problem = await visit(canary, address, turn, fetches=fetches)
        turn += 1
        now = datetime.now(UTC)
        if problem and (last is None or problem != last.problem):
            log.error("canary.trouble", problem=problem)
        if problem:
            last = Visit(
                tried_at=now,
                well_at=last.well_at if last else None,
                seconds=last.seconds if last else None,
                problem=problem,
            )
        else:
            last = Visit(tried_at=now, well_at=now, seconds=round(time.monotonic() - started, 3))
        try:
            keep_visit(data, last)
        except OSError as error:
            log.error("canary.not_written", error=error.strerror)
