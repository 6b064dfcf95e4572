"""Claims of look-ups on SQLite: per second, each burning a minute's, a day's and a month's quota in its transaction.

Measured are single claims (one a transaction), as many at once as the pipeline's worker takes when its slots are free,
and 16 at once, with 20,000 questions waiting, beside the ceiling of this disk: the driver alone on a prepared
connection, on a database of the same tables, indexes and pragmas, writing the same rows and deciding nothing. Ours and
the driver take turns of half a second, so that whatever else the machine does meets both; told is the best turn of
each, and the processor's time of a single claim, which does not depend on others. `python bench/quota.py [TURNS]`
prints one JSON line.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from urltrap.pipeline.outgoing import SLOTS
from urltrap.store import Store, lookups, open_store, windows
from urltrap.store.types import to_micros

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
TURN = 0.5
WAITING = 20_000


def filled(path: Path) -> Store:
    """A store where 20,000 questions wait; the windows of this minute, day and month have begun."""
    store = open_store(str(path))
    with store.begin() as connection:
        windows.declare(connection, "virustotal", {"minute": 10**8, "day": 10**8, "month": 10**8})
        lookups.want(
            connection,
            [lookups.Question("virustotal", "sha256", f"{n:064x}", n % 7) for n in range(WAITING)],
            NOW,
        )
    lookups.claim(store, "virustotal", NOW, "bench")
    return store


def reset(store: Store) -> None:
    """All questions wait again."""
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE lookups SET state = 'ready', due = 0")
    store.flush()


def ours(store: Store, at_once: int) -> tuple[int, float, float]:
    """Claims, seconds, seconds of the processor."""
    claimed, began, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < TURN and claimed < WAITING - 16:
        found = lookups.claim(store, "virustotal", NOW, "bench", at_once)
        assert isinstance(found, list), found
        claimed += len(found)
    return claimed, time.perf_counter() - began, time.process_time() - used


def ceiling(store: Store) -> tuple[int, float, float]:
    """The same writes by the driver: take a row, burn the windows, mark it, commit."""
    pooled = store.engine.raw_connection()
    cursor = pooled.cursor()
    moment, lease = to_micros(NOW), to_micros(NOW + lookups.LEASE)
    claimed, began, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < TURN and claimed < WAITING - 16:
        cursor.execute("BEGIN IMMEDIATE")
        row = cursor.execute(
            "SELECT rowid FROM lookups WHERE provider = 'virustotal' AND state = 'ready' "
            "ORDER BY priority, due LIMIT 1"
        ).fetchone()
        cursor.execute("UPDATE provider_windows SET used = used + 1 WHERE provider = 'virustotal'")
        cursor.execute(
            "UPDATE lookups SET state = 'claimed', due = ?, worker = 'bench', asked = ? WHERE rowid = ?",
            (lease, moment, row[0]),
        )
        cursor.execute("COMMIT")
        claimed += 1
    figures = claimed, time.perf_counter() - began, time.process_time() - used
    pooled.close()
    return figures


def main() -> None:
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    sizes = {"single": 1, "as_the_worker": SLOTS, "of_16": 16}
    best = dict.fromkeys([*sizes, "driver_alone"], 0)
    processor = []
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder) / "bench.db")
        for _ in range(turns):
            for name in best:
                done, seconds, used = ours(store, sizes[name]) if name in sizes else ceiling(store)
                best[name] = max(best[name], round(done / seconds))
                if name == "single":
                    processor.append(used / done)
                reset(store)
        store.close()
    print(
        json.dumps(
            {
                "bench": "quota", "turns": turns, "worker_claims_at_once": SLOTS,
                **{f"claims_per_second_{name}": rate for name, rate in best.items()},
                "processor_microseconds_of_a_single_claim": round(min(processor) * 1e6),
            }
        )
    )  # fmt: skip


main()
