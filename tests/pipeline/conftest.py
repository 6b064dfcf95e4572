"""A pipeline over a journal folder, with a fetcher that answers from a table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from urltrap.intel import known
from urltrap.journal import JournalReader, JournalWriter
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import (
    Captured,
    CommandEntered,
    Connected,
    Disconnected,
    DownloadAsked,
    EventBase,
    LoginTried,
    ProgramRun,
    Uploaded,
)
from urltrap.model.ids import new_ulid
from urltrap.model.settings import Settings
from urltrap.model.url import canonical
from urltrap.model.verdict import Place
from urltrap.pipeline.laboratory import InProcess
from urltrap.pipeline.line import Line
from urltrap.pipeline.stages import stages
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import Quarantine
from urltrap.store import Store, open_store

START = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
ELF = b"\x7fELF\x01\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (8).to_bytes(2, "little") + bytes(60)

EXAMINER, _ = InProcess.from_folder(None)
"""The laboratory's work without its process, which has tests of its own."""


class FakePlaces:
    version = "test@1"

    def find(self, address: str) -> Place:
        if address.startswith("203.0.113."):
            return Place(country="NL", asn=64500, network="Example", sources=["test"])
        return Place()


class FakeFetcher:
    """Answers from `bodies` (URL → bytes or an outcome), keeps the body, and journals the capture as the real one."""

    def __init__(self, quarantine: Quarantine, writer: JournalWriter, now: Callable[[], datetime]) -> None:
        self.quarantine, self.writer, self.now = quarantine, writer, now
        self.bodies: dict[str, bytes | str] = {}
        self.requests: list[FetchRequest] = []
        self.stream = new_ulid(1_795_000_000_000, b"fetcher---")
        self.seq = 0
        self.turn = threading.Lock()  # several are asked at once: each event has a number of its own

    def fetch(self, request: FetchRequest, timeout: float = 120.0) -> Capture:
        self.requests.append(request)
        url = canonical(request.url)
        body = self.bodies.get(url, "dns-failure")
        if isinstance(body, bytes):
            kept = self.quarantine.put(body)
            capture = Capture(
                url=url, at=self.now(), client=request.client, outcome="fetched", status=200, sha256=kept.sha256,
                size=kept.size, for_session=request.for_session, purpose=request.purpose,
            )  # fmt: skip
            if request.method == "HEAD" or request.probe:
                capture = capture.model_copy(update={"sha256": None, "size": None})
        else:
            capture = Capture.model_validate(
                {"url": url, "at": self.now(), "client": request.client, "outcome": body,
                 "for_session": request.for_session, "purpose": request.purpose}
            )  # fmt: skip
        with self.turn:
            place = self.writer.append(
                Captured(session=self.stream, seq=self.seq, at=self.now(), capture=capture)
            )
            self.seq += 1
        self.writer.wait_durable(place, 20)  # whoever has the answer can read the event
        return capture


class Bench:
    """One data folder with everything that a pipeline needs, a clock that stands still, and an attacker."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.folder = folder
        self.time = START
        settings = Settings.model_validate({"publish": {"delay_minutes": [0, 0]}, **changes})
        self.settings = settings
        self.quarantine = Quarantine(folder / "quarantine")
        self.trap = JournalWriter(folder / "journal", "trap-0", settings.journal)
        self.fetcher_writer = JournalWriter(folder / "journal", "fetcher", settings.journal)
        self.fetcher = FakeFetcher(self.quarantine, self.fetcher_writer, lambda: self.time)
        self.reader = JournalReader(folder / "journal")
        self.store = open_store(str(folder / "urltrap.db"))
        self.workshop = self.make_workshop(self.store)
        self.line = Line(self.workshop, self.reader, stages())
        self.visits = 0

    def make_workshop(self, store: Store) -> Workshop:
        return Workshop(
            settings=self.settings, store=store, quarantine=self.quarantine, fetcher=self.fetcher,
            places=FakePlaces(), providers=[], known_hosts=known.shipped(), laboratory=EXAMINER,
            now=lambda: self.time,
        )  # fmt: skip

    def write(self, events: Sequence[EventBase]) -> None:
        for event in events:
            place = self.trap.append(event)
        self.trap.wait_durable(place, 20)

    def visit(
        self,
        *commands: bytes,
        asks: Sequence[tuple[bytes, bytes]] = (),
        runs: Sequence[list[bytes]] = (),
        uploads: Sequence[bytes] = (),
        address: str = "203.0.113.77",
        own: str = "192.0.2.10",
    ) -> str:
        """A session that enters commands, whose programs ask for (url, output) and run programs; its id."""
        self.visits += 1
        session = new_ulid(1_795_000_100_000 + self.visits, self.visits.to_bytes(10, "big"))
        at = self.time
        events: list[EventBase] = [
            Connected(
                session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip=address, src_port=4,
                dst_ip=own, dst_port=22,
            ),
            LoginTried(session=session, seq=1, at=at, method="password", username=b"root", accepted=True),
        ]  # fmt: skip
        for text in commands:
            events.append(CommandEntered(session=session, seq=len(events), at=at, mode="exec", text=text))
        for url, output in asks:
            events.append(
                DownloadAsked(session=session, seq=len(events), at=at, url=url, client="wget", output=output)
            )
        for argv in runs:
            events.append(ProgramRun(session=session, seq=len(events), at=at, argv=argv, outcome="ran"))
        for body in uploads:
            kept = self.quarantine.put(body)
            events.append(
                Uploaded(
                    session=session, seq=len(events), at=at, via="scp", path=b"/tmp/u", size=kept.size,
                    sha256=kept.sha256,
                )
            )  # fmt: skip
        events.append(Disconnected(session=session, seq=len(events), at=at, reason="client", duration_ms=5))
        self.write(events)
        return session

    def trap_fetches(self, url: bytes, session: str) -> None:
        """What the trap does for a program that asked: it asks the fetcher itself."""
        self.fetcher.fetch(FetchRequest(url=url, client="wget", for_session=session))

    def settle(self, minutes: float = 2) -> None:
        """Let the line run until nothing is due, with the clock moving on, and threads finishing."""
        for _ in range(8):
            self.line.drain()
            self.time += timedelta(minutes=minutes / 8)
            self.asked()
        self.line.drain()

    def asked(self) -> None:
        """Wait for what is being asked of the fetcher."""
        for stage in self.line._stages:
            if stage.name in ("capture", "errand", "look"):
                for future in stage.waiting():  # type: ignore[attr-defined]
                    future.exception(timeout=20)

    def close(self) -> None:
        self.line.close()
        self.reader.close()
        self.trap.close()
        self.fetcher_writer.close()
        self.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    # Most tests count what attackers' questions lead to; what we ask besides has tests of its own.
    egress = {"siblings": 0, "other_clients": False}
    made = Bench(tmp_path, testing={"public_networks": ["198.51.100.0/24"]}, egress=egress)
    yield made
    made.close()
