"""Claims of look-ups on SQLite: per second, each burning a minute's, a day's and a month's quota in its transaction.

Measured are single claims (one a transaction, as a provider of 4 a minute needs them) and claims of 16 at once (as a
provider without tight limits is asked), with 20,000 questions waiting, and a bare sqlite3 loop of the same statements
as the ceiling. `python bench/quota.py [QUESTIONS]` prints one JSON line.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from urltrap.store import Store, lookups, open_store, windows

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SECONDS = 2.0


def filled(path: Path, count: int) -> Store:
    store = open_store(str(path))
    with store.begin() as connection:
        windows.declare(connection, "virustotal", {"minute": 10**8, "day": 10**8, "month": 10**8})
        lookups.want(
            connection,
            [lookups.Question("virustotal", "sha256", f"{n:064x}", n % 7) for n in range(count)],
            NOW,
        )
    return store


def ours(store: Store, at_once: int) -> float:
    """Claims per second."""
    claimed = 0
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        found = lookups.claim(store, "virustotal", NOW, "bench", at_once)
        if isinstance(found, lookups.Wait):
            break
        claimed += len(found)
    return claimed / (time.perf_counter() - began)


def bare(path: Path, count: int) -> float:
    """The driver alone: take a row, mark it, burn three windows, commit."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT, priority INT, due INT)")
    connection.execute("CREATE INDEX j ON job (state, priority, due)")
    connection.execute("CREATE TABLE w (span TEXT PRIMARY KEY, used INT)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO job VALUES (?,'ready',?,0)", ((n, n % 7) for n in range(count)))
    connection.executemany("INSERT INTO w VALUES (?,0)", (("minute",), ("day",), ("month",)))
    connection.execute("COMMIT")
    claimed = 0
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS and claimed < count:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT span, used FROM w").fetchall()
        row = connection.execute(
            "SELECT id FROM job WHERE state='ready' ORDER BY priority, due LIMIT 1"
        ).fetchone()
        connection.execute("UPDATE w SET used=used+1")
        connection.execute("UPDATE job SET state='claimed', due=1 WHERE id=?", row)
        connection.execute("COMMIT")
        claimed += 1
    connection.close()
    return claimed / (time.perf_counter() - began)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        figures = {}
        for at_once in (1, 16):
            store = filled(Path(folder) / f"{at_once}.db", count if at_once == 1 else count * 4)
            figures[f"claims_per_second_{at_once}_at_once"] = round(ours(store, at_once))
            store.close()
        figures["bare_sqlite_claims_per_second"] = round(bare(Path(folder) / "bare.db", count))
    print(json.dumps({"bench": "quota", "questions": count, **figures}))


main()
