"""Writers, an intake and a database under load, killed at random moments, and what must be left of it all.

Each process is forked from a server that has everything imported, so that a kill costs milliseconds and there can be
many. The intake is the pipeline's own loop without its stages: what it does when the store is away is what users get.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from sqlalchemy import select

from urltrap.journal import JournalFullError, JournalReader, JournalWriter
from urltrap.model.event import CommandEntered, Connected, Disconnected, EventBase, LoginTried, TerminalFrames
from urltrap.model.ids import new_ulid
from urltrap.model.settings import JournalSettings, Settings
from urltrap.pipeline.intake import Intake
from urltrap.pipeline.line import Line
from urltrap.pipeline.workshop import Workshop
from urltrap.store import Store, StoreError, open_store, spans, words
from urltrap.store.compare import checksums
from urltrap.store.schema import events

LENGTH = 8
"""Events of a session."""
PACE = 0.0005
"""Seconds from one event to the next while processes are killed.

A group of the journal is open at every moment, so that a kill always hits one; a writer that wrote flat out would fill
the time in which the others start with thousands of events more, all to be taken and compared.
"""
SETTINGS = JournalSettings(sync_milliseconds=2, sync_bytes=20_000, segment_bytes=65_536, free_bytes_reserve=0)
_LIFE = 1_000_000
_START = datetime(2026, 1, 2, tzinfo=UTC)

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.support.storm"])


def nth(number: int) -> EventBase:
    """The event of a number: sessions one after the other, each of an address of its own."""
    index, seq = divmod(number, LENGTH)
    session, at = (
        new_ulid(1_767_312_000_000 + index, index.to_bytes(10, "big")),
        _START + timedelta(seconds=index),
    )
    if seq == 0:
        address = f"2001:db8:{index >> 16 & 0xFFFF:x}:{index & 0xFFFF:x}::1"
        return Connected(
            session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip=address, src_port=4000,
            dst_ip="203.0.113.5", dst_port=22,
        )  # fmt: skip
    if seq < 3:
        return LoginTried(
            session=session, seq=seq, at=at, method="password", username=b"root", password=b"p%d" % (index % 50),
            accepted=seq == 2,
        )  # fmt: skip
    if seq < 6:
        text = b"wget http://203.0.113.7/" + bytes([number % 256]) * (number % 400)
        return CommandEntered(session=session, seq=seq, at=at, mode="exec", text=text)
    if seq == 6:
        return TerminalFrames(session=session, seq=seq, at=at, frames=[(1, "o", b"\xff" * (number % 90))])
    return Disconnected(session=session, seq=seq, at=at, reason="client", duration_ms=900)


def write(journal: Path, name: str, first: int, last: int | None, told: Connection, pace: float) -> None:
    """Append the events from `first` on (to `last`), and tell each number when, and only when, it is acknowledged.

    After each it rests for `pace` seconds.
    """

    def tell(number: int, error: BaseException | None) -> None:
        # One system call, so that a kill leaves a line whole or not there.
        os.write(told.fileno(), b"%d\n" % number if error is None else b"ERROR\n")

    with contextlib.suppress(JournalFullError), JournalWriter(journal, name, SETTINGS) as writer:
        number = first
        while last is None or number < last:
            position = writer.append(nth(number))
            writer.add_done_callback(position, lambda error, number=number: tell(number, error))  # type: ignore[misc]
            if number % 64 == 0:
                writer.wait_durable(position)
            if pace:
                time.sleep(pace)
            number += 1


def take(journal: Path, url: str) -> None:
    """Bring the journal into the store for ever, as the pipeline does; a store that cannot be opened is tried again."""
    while True:
        try:
            store = open_store(url)
        except StoreError:
            continue
        with JournalReader(journal) as reader:
            line(store, reader).run(threading.Event())


def line(store: Store, reader: JournalReader) -> Line:
    """The pipeline's loop without its stages."""
    settings = Settings(journal=SETTINGS)
    workshop = SimpleNamespace(
        settings=settings, store=store, now=lambda: datetime.now(UTC), wake=lambda: None
    )
    return Line(cast(Workshop, workshop), reader, ())


@dataclass
class Storm:
    """One journal and one database, and the processes that are killed over them."""

    folder: Path
    url: str
    chance: random.Random
    writers: tuple[str, ...] = ("trap-0", "trap-1")
    acknowledged: set[int] = field(default_factory=set)
    kills: dict[str, int] = field(default_factory=dict)
    _processes: dict[str, ForkServerProcess] = field(default_factory=dict)
    _pipes: dict[str, Connection] = field(default_factory=dict)
    _lives: int = 0
    _rest: bytes = b""

    @property
    def journal(self) -> Path:
        """Where the writers write."""
        return self.folder / "journal"

    def start(self, name: str, events: int | None = None, pace: float = 0) -> None:
        """Start a writer, or the intake. A writer's life begins with a number that no other one came near."""
        if name == "intake":
            process = _server.Process(target=take, args=(self.journal, self.url), daemon=True)
            process.start()
        else:
            first = self._lives * _LIFE // LENGTH * LENGTH
            self._lives += 1
            last = None if events is None else first + events
            reading, writing = _server.Pipe(duplex=False)
            process = _server.Process(
                target=write, args=(self.journal, name, first, last, writing, pace), daemon=True
            )
            process.start()
            writing.close()
            self._pipes[name] = reading
        self._processes[name] = process

    def kill(self, name: str) -> None:
        """SIGKILL a process, which must have lived till now; what its pipe still holds was acknowledged as well."""
        process = self._processes.pop(name)
        assert process.pid is not None
        assert process.exitcode is None, f"{name} ended by itself with {process.exitcode}"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        if name != "intake":
            while self._read(name):
                pass
            self._pipes.pop(name).close()
        self.kills[name] = self.kills.get(name, 0) + 1

    def wait_for(self, name: str, more: int) -> None:
        """Wait until a writer has told so many more acknowledgements."""
        until = len(self.acknowledged) + more
        while len(self.acknowledged) < until:
            assert self._read(name), f"{name} ended by itself"

    def finish(self, name: str) -> None:
        """Wait until a writer ends by itself: it has written all that it was given, or its disk is full."""
        while self._read(name):
            pass
        process = self._processes.pop(name)
        process.join()
        assert process.exitcode == 0
        self._pipes.pop(name).close()

    def pause(self) -> None:
        """A random moment, in which whoever is killed next gets anywhere."""
        threading.Event().wait(self.chance.random() / 50)

    def _read(self, name: str) -> bool:
        data = os.read(self._pipes[name].fileno(), 65_536)
        lines = data.split()
        assert b"ERROR" not in lines, "an event was refused after it was taken"
        self.acknowledged.update(map(int, lines))
        return bool(data)

    def rage(self, times: int, others: dict[str, Callable[[], None]] | None = None) -> None:
        """Kill so many times: a writer, the intake, all of them, or what `others` names (by doing what it says)."""
        for name in (*self.writers, "intake"):
            self.start(name, pace=PACE)
        everybody = [[name] for name in self._processes] + [list(self._processes)]
        choices = [*everybody, *([name] for name in others or {})]
        for number in range(times):
            self.wait_for(self.chance.choice(self.writers), self.chance.randrange(1, 150))
            self.pause()
            # Everyone has its turn, in an order of chance.
            if number % len(choices) == 0:
                self.chance.shuffle(choices)
            for name in choices[number % len(choices)]:
                if others and name in others:
                    others[name]()
                    self.kills[name] = self.kills.get(name, 0) + 1
                else:
                    self.kill(name)
                    self.start(name, pace=PACE)
        for name in list(self._processes):
            self.kill(name)
            self.kills[name] -= 1  # this was the end, no moment of chance

    def stop(self) -> None:
        """Kill what is left."""
        for name, process in list(self._processes.items()):
            if process.pid is not None and process.exitcode is None:
                os.kill(process.pid, signal.SIGKILL)
            process.join()
            if name in self._pipes:
                self._pipes.pop(name).close()
        self._processes.clear()

    def check(self) -> dict[str, int]:
        """Take what is left of the journal, and compare the store with one that saw no trouble; the counts."""
        drain(self.journal, self.url)
        calm = f"sqlite:///{self.folder / 'calm.db'}"
        drain(self.journal, calm)
        with opened(self.url) as store, store.connect() as connection:
            stored = connection.execute(select(events.c.session, events.c.seq)).all()
            found = checksums(connection)
        with opened(calm) as store, store.connect() as connection:
            wanted = checksums(connection)
        ids = {(nth(number).session, number % LENGTH) for number in self.acknowledged}
        lost = ids - {(row.session, row.seq) for row in stored}
        assert not lost, f"{len(lost)} of {len(ids)} acknowledged events are not in the store"
        assert len(stored) == len(set(stored)), "an event is in the store twice"
        # Figures too: rows of sessions, hours, tallies and what is due are those of a store that was never killed.
        wrong = sorted(name for name in wanted if found.get(name) != wanted[name])
        assert not wrong, (
            f"{', '.join(wrong)} differ from what an undisturbed intake makes of the same journal"
        )
        return {"acknowledged": len(ids), "stored": len(stored), "lost": 0, "twice": 0, **self.kills}


@contextlib.contextmanager
def opened(url: str) -> Iterator[Store]:
    """A store, closed at the end."""
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def drain(journal: Path, url: str) -> None:
    """Bring all that a journal holds into a store, in this process."""
    with opened(url) as store, JournalReader(journal) as reader:
        intake = Intake(reader, store, SETTINGS, lambda: datetime.now(UTC))
        while intake.step():
            pass
        # What the intake process does once a day, and may have been killed before or amid.
        spans.roll(store, datetime.now(UTC))
        words.roll(store, datetime.now(UTC))


def root() -> str:
    """Where the server that processes are forked from finds this module (PYTHONPATH)."""
    return str(Path(__file__).resolve().parents[2])
