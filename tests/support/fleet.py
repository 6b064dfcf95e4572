"""Sensors and collectors as processes of their own, and what became of every event that the sensors recorded."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql

from urltrap.journal import BEGINNING, JournalWriter
from urltrap.journal.shipping.process import STATE
from urltrap.journal.shipping.state import ShippingState
from urltrap.model.event import CommandEntered, Connected, Disconnected, EventBase
from urltrap.model.fleet_settings import FleetSettings
from urltrap.model.ids import new_ulid
from urltrap.model.settings import JournalSettings, Settings, StoreSettings
from urltrap.ops.processes import Launch, ProcessPlan
from urltrap.pipeline.fleet.naming import fleet_session
from urltrap.store import open_store

JOURNAL: dict[str, Any] = {"sync_milliseconds": 5, "free_bytes_reserve": 0, "segment_bytes": 1_000_000}


class Machine:
    """One process of `urltrap up`, without the others; may be killed and started again."""

    def __init__(self, plan: ProcessPlan, data: Path, settings: Settings, prefix: Sequence[str] = ()) -> None:
        self.plan, self.data, self.settings, self._prefix = plan, data, settings, prefix
        self.log = data.parent / f"{data.name}-{plan.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def start(self) -> None:
        """Start it as the supervisor does."""
        reading, self._pipe = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "urltrap.ops.worker", str(reading)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, pass_fds=[reading],
            )  # fmt: skip
        os.close(reading)
        os.write(self._pipe, Launch(self.plan, self.data, self.settings, None).to_json())

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            os.close(self._pipe)
            self.process = None

    @property
    def is_ready(self) -> bool:
        """Whether it said so."""
        assert self.process is not None and self.process.poll() is None, self.log.read_text()[-2000:]
        return b'{"ready": true' in self.log.read_bytes()


class Recorder:
    """A sensor's trap: sessions that overlap, a few events at a time."""

    def __init__(self, data: Path, seed: int, command_bytes: int = 60) -> None:
        self.data = data
        self._command_bytes = command_bytes
        for name in ("journal", "quarantine", "keys", "run"):
            (data / name).mkdir(parents=True, exist_ok=True)
        self.events: list[tuple[str, int]] = []
        self.commands = 0
        self._random = random.Random(seed)
        self._open: list[list[EventBase]] = []
        self._count = 0
        self._end = BEGINNING
        self._writer = JournalWriter(data / "journal", "trap-0", JournalSettings(**JOURNAL))

    def record(self, events: int) -> None:
        """Record so many events."""
        batch: list[EventBase] = []
        while len(batch) < events:
            while len(self._open) < 5:
                self._open.append(self._session())
            session = self._random.choice(self._open)
            batch.append(session.pop(0))
            if not session:
                self._open.remove(session)
        self._end = self._writer.append_all(batch)
        self._writer.wait_durable(self._end, 60)
        self.events += [(event.session, event.seq) for event in batch]
        self.commands += sum(isinstance(event, CommandEntered) for event in batch)

    def is_acknowledged(self) -> bool:
        """Whether the shipper was told that the collector's store has everything."""
        state = ShippingState(self.data / "journal" / STATE)
        return state.acknowledged("trap-0") >= self._end

    def close(self) -> None:
        """Nothing more comes."""
        self._writer.close()

    def _session(self) -> list[EventBase]:
        # The same ids on every sensor: they must not meet at the collector.
        self._count += 1
        session, at = (
            new_ulid(1_795_000_000_000 + self._count, self._count.to_bytes(10, "big")),
            datetime.now(UTC),
        )
        texts = [self._random.randbytes(self._command_bytes) for _ in range(self._random.randint(1, 10))]
        commands = [
            CommandEntered(session=session, seq=seq, at=at, mode="exec", text=text)
            for seq, text in enumerate(texts, 1)
        ]
        return [
            Connected(
                session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip="198.51.100.7", src_port=40000,
                dst_ip="203.0.113.5", dst_port=22,
            ),
            *commands,
            Disconnected(session=session, seq=len(commands) + 1, at=at, reason="client", duration_ms=1),
        ]  # fmt: skip


def ship_settings(**ship: str) -> Settings:
    """Of a thin sensor."""
    return Settings(journal=JournalSettings.model_validate({**JOURNAL, **ship}))


def collect_settings(url: str, **fleet: Any) -> Settings:
    """Of a collector on the store at `url`."""
    return Settings(
        journal=JournalSettings(**JOURNAL), store=StoreSettings(url=url), fleet=FleetSettings(**fleet)
    )


def outcome(url: str, recorders: Mapping[str, Recorder]) -> dict[str, int]:
    """What the store at `url` (SQLite, or a fresh PostgreSQL) has: events lost, doubled, strange, and sessions of which
    a later event was put in before an earlier one."""
    store = open_store(url, migrate=False)
    try:
        with store.connect() as connection:
            # When it was put in: the row, or the transaction.
            moment = "rowid" if store.dialect == "sqlite" else "CAST(CAST(xmin AS text) AS bigint)"
            rows = connection.execute(
                sql(f"SELECT session, seq, {moment} FROM events ORDER BY session, seq")
            ).all()
            commands = connection.execute(sql("SELECT count(*) FROM commands")).scalar() or 0
    finally:
        store.close()
    recorded = {
        (fleet_session(sensor, session), seq)
        for sensor, recorder in recorders.items()
        for session, seq in recorder.events
    }
    came: dict[str, list[int]] = defaultdict(list)
    for session, _, moment_put_in in rows:
        came[session].append(moment_put_in)
    there = [(session, seq) for session, seq, _ in rows]
    typed = sum(recorder.commands for recorder in recorders.values())
    return {
        "events": len(recorded),
        "lost": len(recorded - set(there)),
        "doubled": len(there) - len(set(there)) + max(0, commands - typed),
        "strange": len(set(there) - recorded),
        "out_of_order": sum(moments != sorted(moments) for moments in came.values()),
    }
