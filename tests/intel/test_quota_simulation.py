from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from urltrap.store import Store, lookups, open_store, windows
from urltrap.store.schema_intel import lookups as table
from urltrap.store.types import from_micros, to_micros

START = datetime(2026, 11, 24, 23, 57, 30, tzinfo=UTC)
WORKER = Path(__file__).with_name("quota_worker.py")


class Simulation:
    """Two worker processes on one database, a clock that moves on when both wait, and one of them killed."""

    def __init__(self, url: str, days: float, kill_at: int) -> None:
        self.url, self.end, self.kill_at = url, START + timedelta(days=days), kill_at
        self.now = START
        self.asked: list[tuple[datetime, str]] = []
        self.killed: list[str] = []
        self.selector = selectors.DefaultSelector()
        self.workers: dict[int, subprocess.Popen[str]] = {}
        self.waiting: dict[int, datetime] = {}
        self.started = 0

    def start(self) -> None:
        self.started += 1
        worker = subprocess.Popen(
            [sys.executable, str(WORKER), self.url, f"worker-{self.started}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert worker.stdout is not None
        self.workers[worker.pid] = worker
        self.selector.register(worker.stdout, selectors.EVENT_READ, worker)
        self.tell(worker, str(to_micros(self.now)))

    def tell(self, worker: subprocess.Popen[str], line: str) -> None:
        assert worker.stdin is not None
        worker.stdin.write(line + "\n")
        worker.stdin.flush()

    def run(self) -> None:
        for _ in range(2):
            self.start()
        try:
            while self.now < self.end:
                for key, _ in self.selector.select():
                    self.hear(key.data)
                if len(self.waiting) == len(self.workers):
                    self.now = max(self.now, min(self.waiting.values()))
                    self.waiting.clear()
                    for worker in self.workers.values():
                        self.tell(worker, str(to_micros(self.now)))
        finally:
            for worker in self.workers.values():
                worker.kill()
                worker.communicate()
            self.selector.close()

    def hear(self, worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None
        word, _, rest = worker.stdout.readline().strip().partition(" ")
        if word == "wait":
            self.waiting[worker.pid] = from_micros(int(rest))
            return
        assert word == "ask", f"a worker ended by itself: {worker.poll()}"
        self.asked.append((self.now, rest))
        if len(self.asked) >= self.kill_at and not self.killed:
            self.killed.append(rest)
            os.kill(worker.pid, signal.SIGKILL)
            self.selector.unregister(worker.stdout)
            worker.communicate()
            del self.workers[worker.pid]
            self.start()
            return
        self.tell(worker, "go")


def fill(store: Store, count: int, per_day: int) -> None:
    with store.begin() as connection:
        windows.declare(connection, "virustotal", {"minute": 4, "day": per_day})
        lookups.want(
            connection,
            [lookups.Question("virustotal", "sha256", f"{n:064x}", n % 7) for n in range(count)],
            START,
        )


def test_quotas_are_kept_exactly_and_nothing_is_lost_when_a_worker_is_killed(database_url: str) -> None:
    # The servers see fewer: each claim there is several round trips, and the shape is the same.
    jobs, per_day, kill_at = (20_000, 500, 700) if database_url.startswith("sqlite") else (1_000, 90, 120)
    store = open_store(database_url)
    fill(store, jobs, per_day)
    simulation = Simulation(database_url, days=3, kill_at=kill_at)
    simulation.run()
    per_minute = Counter(moment.replace(second=0) for moment, _ in simulation.asked)
    per_day_asked = Counter(moment.date() for moment, _ in simulation.asked)
    per_job = Counter(subject for _, subject in simulation.asked)
    assert max(per_minute.values()) == 4
    assert max(per_day_asked.values()) == per_day
    assert per_day_asked[START.date()] == 12, "the first day has three minutes left: 23:57, 23:58 and 23:59"
    assert len(per_day_asked) == 4 and list(per_day_asked.values())[1:3] == [per_day, per_day]
    repeated = {subject: n for subject, n in per_job.items() if n > 1}
    assert repeated in ({}, {simulation.killed[0]: 2}), "only what the killed worker was asking"
    assert simulation.started == 3 and len(simulation.killed) == 1
    with store.connect() as connection:
        rows = connection.execute(
            select(table.c.state, func.count().label("n")).group_by(table.c.state)
        ).all()
    states = {row.state: row.n for row in rows}
    assert sum(states.values()) == jobs, "no question is lost"
    assert states["done"] >= len(per_job) - 2, "in flight at the end: at most one of each worker"
    store.close()
