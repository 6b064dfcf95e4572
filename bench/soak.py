"""Sessions at an even pace for an hour: does the trap's memory stay flat, does it keep its descriptors?

    python bench/soak.py [--minutes 60] [--per-second 50] [--sources 200] [--every 5] [--warm-up 0.1]

Starts a trap process on loopback with a fresh data folder and logs in over SSH and Telnet in turn, from `--sources`
addresses with machines of their own, with one of a few commands each. Prints one JSON line:
`sessions`, `failed`, `per_second` reached, `most_at_once` (more than a few seconds' worth: the machine was too slow for
the pace), `memory_mb` (after the warm-up, at the end, at most), `slope_percent_per_hour` of it after the warm-up (least
squares, over samples `--every` seconds) and `slope_kb_per_1000_sessions`, `descriptors` (before the sessions, when
all had left), `server_cpu_ms` per session.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import uvloop

from ssh import connection_options, cpu_seconds, resident_kb, trap_of
from telnet import serve, session

COMMANDS = (
    "uname -a",
    "cat /proc/cpuinfo | grep name | head -1",
    "cd /tmp; echo soaked > a; chmod 777 a; ./a; rm -f a",
    "cat /etc/passwd; id; w",
)
PATIENCE = 60.0
MOST_AT_ONCE = 2_000


@dataclass
class Count:
    """What became of the sessions."""

    done: int = 0
    failed: int = 0
    running: int = 0
    most: int = 0
    errors: dict[str, int] = field(default_factory=dict)


async def visit(ports: list[int], number: int, sources: int, count: Count) -> None:
    """One session; what goes wrong is counted by its kind."""
    source = f"127.{10 + number % sources % 200}.{number % sources // 200}.7"
    command = COMMANDS[number // 2 % len(COMMANDS)]
    count.running += 1
    count.most = max(count.most, count.running)
    try:
        async with asyncio.timeout(PATIENCE):
            if number % 2:
                await session(ports[1], command.encode(), source)
            else:
                options = await connection_options()
                async with asyncssh.connect(
                    "127.0.0.1", ports[0], options=options, local_addr=(source, 0)
                ) as client:
                    await client.run(command)
        count.done += 1
    except (OSError, EOFError, asyncssh.Error, TimeoutError) as error:
        count.failed += 1
        kind = type(error).__name__
        count.errors[kind] = count.errors.get(kind, 0) + 1
    finally:
        count.running -= 1


def slope(points: list[tuple[float, float]]) -> float:
    """The slope of the straight line nearest to (x, y); 0 where there are fewer than two points."""
    if len(points) < 2:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def soak(ports: list[int], pid: int, arguments: argparse.Namespace) -> dict[str, object]:
    count, samples, tasks = Count(), [], set()
    for number in range(2):
        await visit(ports, number, arguments.sources, Count())  # what the first session opens stays open
    await asyncio.sleep(1)
    before, used = descriptors(pid), cpu_seconds(pid)
    started = time.monotonic()
    length, sampled, number = arguments.minutes * 60, started, 0
    while (now := time.monotonic()) < started + length:
        due = int((now - started) * arguments.per_second)
        while number < due and count.running + number - due < MOST_AT_ONCE:
            task = asyncio.ensure_future(visit(ports, number, arguments.sources, count))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        if now >= sampled + arguments.every:
            sampled = now
            samples.append((now - started, float(resident_kb(pid)), count.done))
        await asyncio.sleep(0.02)
    if tasks:
        await asyncio.wait(set(tasks))
    took = time.monotonic() - started
    used = cpu_seconds(pid) - used
    for _ in range(100):  # the server closes its side a little later
        if descriptors(pid) <= before:
            break
        await asyncio.sleep(0.1)
    warm = [sample for sample in samples if sample[0] >= length * arguments.warm_up]
    if len(warm) < 2:
        raise SystemExit("too short to see a slope: raise --minutes or lower --every")
    per_hour = slope([(at, kb) for at, kb, _ in warm]) * 3600
    level = sum(kb for _, kb, _ in warm) / len(warm)
    return {
        "bench": "soak",
        "seconds": round(took),
        "sessions": count.done,
        "failed": count.failed,
        "errors": count.errors,
        "per_second": round(count.done / took, 1),
        "most_at_once": count.most,
        "memory_mb": [round(kb / 1024, 1) for kb in (warm[0][1], warm[-1][1], max(kb for _, kb, _ in warm))],
        "slope_percent_per_hour": round(per_hour / level * 100, 2),
        "slope_kb_per_1000_sessions": round(slope([(float(done), kb) for _, kb, done in warm]) * 1000, 1),
        "descriptors": [before, descriptors(pid)],
        "server_cpu_ms": round(used * 1000 / max(1, count.done + count.failed), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--per-second", type=float, default=50)
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--every", type=float, default=5)
    parser.add_argument(
        "--warm-up", type=float, default=0.1, help="part of the time whose samples do not count"
    )
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        uvloop.run(serve(arguments.serve))
        return 0
    with trap_of(__file__) as (ports, pid):
        print(json.dumps(asyncio.run(soak(ports, pid, arguments))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
