"""Plays real attackers' sessions against a running trap over SSH and says what became of them.

    python bench/replay.py [--sessions FILE] [--at-once 20] [--limit N]

Starts a trap of its own on loopback with egress.mode = "record": nothing is resolved or fetched. Each session is one
SSH connection from an address of its own, each of its commands one exec request on it. Prints one JSON line: sessions
and commands played, how many the store holds, how many programs ran or were not found, how many URLs came out, hangs,
errors and tracebacks.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncssh
from rich.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.running import PASSWORD, RunningTrap  # noqa: E402

PATIENCE_SECONDS = 25.0
"""A command that takes longer is asked after: many attackers' lines sleep for minutes, and so they should."""


async def play(port: int, source: str, commands: list[str], tally: collections.Counter[str]) -> None:
    """One session: every command in order on one connection from `source`, as the attacker's client sent it."""
    try:
        async with asyncssh.connect(
            "127.0.0.1",
            port,
            local_addr=(source, 0),
            username="root",
            password=PASSWORD,
            known_hosts=None,
            client_keys=None,
            config=None,
        ) as connection:
            for command in commands:
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        # The trap must get the attacker's bytes, not a text that they happen to decode to.
                        result = await connection.run(
                            command, stdin=asyncssh.DEVNULL, encoding="utf-8", errors="surrogateescape"
                        )
                except TimeoutError:
                    await ask_after(connection, command, tally)
                    continue
                tally["commands"] += 1
                tally["bytes out"] += len(result.stdout or "") + len(result.stderr or "")
    except (asyncssh.Error, OSError) as error:
        tally["session errors"] += 1
        print(f"session error: {error!r} in {commands[:2]!r}", file=sys.stderr)


async def ask_after(
    connection: asyncssh.SSHClientConnection, command: str, tally: collections.Counter[str]
) -> None:
    """Tell a command that goes on (it sleeps, waits or works) from a trap that does not answer any more."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await connection.run("echo still-here", stdin=asyncssh.DEVNULL)
    except TimeoutError:
        answer = None
    if answer is not None and answer.stdout == "still-here\n":
        tally["still running"] += 1
    else:
        tally["hangs"] += 1
        print(f"hang: {command[:200]!r}", file=sys.stderr)


async def play_all(port: int, sessions: list[list[str]], at_once: int) -> collections.Counter[str]:
    """All sessions, `at_once` at a time."""
    tally: collections.Counter[str] = collections.Counter()
    # Each session is another attacker's and so has an address, and thereby a machine, of its own.
    waiting = iter(enumerate(sessions))
    with Progress(disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("sessions", total=len(sessions))

        async def attacker() -> None:
            for number, commands in waiting:
                source = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
                await play(port, source, commands, tally)
                progress.advance(bar)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(attacker())
    return tally


def settled(trap: RunningTrap, expected: int) -> dict[str, Any]:
    """The store's counts once they have stopped growing."""
    last: dict[str, Any] = {}
    for _ in range(240):
        now = trap.json("overview")
        if now == last and now["commands"] >= expected:
            return now
        last = now
        time.sleep(0.5)
    return last


def text_of(value: str | dict[str, str]) -> str:
    """A command as it was sent, from its JSON form."""
    return (
        value
        if isinstance(value, str)
        else base64.b64decode(value["base64"]).decode("utf-8", "surrogateescape")
    )


def main() -> None:
    """Play, wait until the store has caught up, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=Path, default=ROOT.parent / "shared" / "data" / "sessions.jsonl")
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--log", type=Path, default=None, help="keep what the trap logged")
    arguments = parser.parse_args()
    with arguments.sessions.open(encoding="utf-8") as file:
        # An empty command is no exec request: there is nothing to play.
        sessions = [[text for text in json.loads(line)["commands"] if text] for line in file][
            : arguments.limit
        ]
    with tempfile.TemporaryDirectory(prefix="urltrap-replay-") as scratch:
        trap = RunningTrap(
            Path(scratch) / "data",
            {"URLTRAP_EGRESS__MODE": "record", "URLTRAP_SENSORS__MAX_CONNECTIONS_PER_ADDRESS": "200"},
        )
        try:
            started = time.monotonic()
            tally = asyncio.run(play_all(trap.ssh_port, sessions, arguments.at_once))
            seconds = time.monotonic() - started
            counts = settled(trap, sum(len(commands) for commands in sessions))
            sent = collections.Counter(command for commands in sessions for command in commands)
            stored = collections.Counter(
                text_of(row["text"]) for row in trap.json("commands", "--limit", "100000")
            )
            outcomes = trap.json("gaps")["outcomes"]
            for command, count in (sent - stored).items():
                print(f"not in the store, {count} times: {command[:200]!r}", file=sys.stderr)
            print(
                json.dumps(
                    {
                        "bench": "replay",
                        "sessions": len(sessions),
                        "commands_sent": sum(sent.values()),
                        "commands_answered": tally["commands"],
                        "commands_in_store": sum((stored & sent).values()),
                        "commands_missing": sum((sent - stored).values()),
                        "programs": outcomes,
                        "urls": counts["urls"],
                        "still_running": tally["still running"],
                        "hangs": tally["hangs"],
                        "session_errors": tally["session errors"],
                        "restarts": sum(state["restarts"] for state in trap.status()["processes"].values()),
                        "tracebacks": trap.log_text().count("Traceback"),
                        "seconds": round(seconds, 1),
                    }
                )
            )
        finally:
            trap.stop()
            if arguments.log:
                arguments.log.write_text(trap.log_text())


if __name__ == "__main__":
    main()
