"""Events into rows: what one batch of events adds to each table, computed before anything is written."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import zstandard

from urltrap.model.event import (
    FETCHED_ON_THE_WIRE,
    BudgetSpent,
    Captured,
    ClientIdentified,
    CommandEntered,
    Connected,
    Decided,
    Disconnected,
    DownloadAnswered,
    DownloadAsked,
    EnvironmentSet,
    EventBase,
    FileWritten,
    FloodCounted,
    ForwardAsked,
    LoginTried,
    Malformed,
    ProgramRun,
    RecordsLeftOut,
    TerminalFrames,
    Uploaded,
    WireScanned,
    WireSeen,
    encode_event,
)
from urltrap.store.rollups import tally_key, value_key
from urltrap.store.types import DAY, HOUR, to_micros

SESSIONLESS = ("url.captured", "decision.made", "flood.counted", "journal.left_out")
"""Kinds that say nothing about a session of an attacker's own."""

MISSED = ("not-found", "not-executable", "not-implemented")
"""Outcomes of a program that the machine does not have."""

_COMPRESSOR = zstandard.ZstdCompressor(level=3)


def url_key(url: str) -> str:
    """The key of a canonical URL: SHA-256 in hexadecimal. It is also the URL's id in pages and feeds."""
    return hashlib.sha256(url.encode()).hexdigest()


def client_key(version: bytes) -> str:
    """What sessions are looked up by for the client that they said they are."""
    return hashlib.sha256(version).hexdigest()[:16]


def name_number(name: bytes) -> int:
    """A number of 48 bits for a name, where others expect one; the same in every store."""
    return int.from_bytes(hashlib.sha256(name).digest()[:6], "big")


def blank_session(session: str, at: datetime) -> dict[str, Any]:
    """A session's row before anything is known of it."""
    return {
        "id": session, "sensor": "", "protocol": "", "src_ip": "", "src_port": 0, "dst_ip": "", "dst_port": 0,
        "persona": "", "connected": False, "started": at, "ended": None, "duration_ms": None, "classed": "probe",
        "client": b"", "client_key": "", "hassh": "", "hassh_algorithms": "", "username": None, "password": None,
        "accepted": False, "login_tries": 0, "commands": 0, "programs": 0, "urls": 0, "downloads": 0,
        "uploads": 0, "artifacts": 0, "forwards": 0, "malformed": 0, "bytes_in": None, "bytes_out": None,
        "close_reason": "", "close_detail": "",
    }  # fmt: skip


def classify(session: dict[str, Any]) -> str:
    """What a session did at most (model.session.SessionClass); bursts become `flood` later."""
    if session["uploads"]:
        return "upload"
    if session["downloads"] or session["urls"]:
        return "dropper"
    if session["commands"] or session["forwards"]:
        return "interactive"
    if session["accepted"]:
        return "login-only"
    return "brute-force" if session["login_tries"] else "probe"


@dataclass
class Batch:
    """Rows of one batch. `sessions` holds the rows as they will be after it, loaded ones included."""

    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    tallies: dict[tuple[int, str, bytes], list[Any]] = field(default_factory=dict)
    hourly: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    addresses: dict[str, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[tuple[str, str], datetime] = field(default_factory=dict)
    captured: dict[str, str] = field(default_factory=dict)
    sensors: set[str] = field(default_factory=set)
    clients: set[bytes] = field(default_factory=set)
    ran: Counter[str] = field(default_factory=Counter)
    missed: Counter[tuple[str, bytes, str]] = field(default_factory=Counter)
    """(outcome, name, session) → runs of programs that the machine does not have."""

    def add(self, event: EventBase) -> None:
        """Add one event that the store does not have."""
        kind: str = event.kind  # type: ignore[attr-defined]
        body = b"" if kind == "terminal.frames" else encode_event(event)
        self.tables["events"].append(
            {"session": event.session, "seq": event.seq, "kind": kind, "at": event.at, "body": body}
        )
        if kind not in SESSIONLESS and event.session not in self.sessions:
            self.sessions[event.session] = blank_session(event.session, event.at)
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def row(self, table: str, event: EventBase, **values: Any) -> None:
        """A row keyed by the event."""
        self.tables[table].append({"session": event.session, "seq": event.seq, **values})

    def tally(self, event: EventBase, what: str, value: bytes, second: bytes = b"") -> None:
        """Count a value in its day."""
        day = to_micros(event.at) // DAY * DAY
        key = tally_key(value, second)
        entry = self.tallies.setdefault((day, what, key), [value, second, 0])
        entry[2] += 1

    def count(self, at: datetime, sensor: str, what: str, n: int = 1) -> None:
        """Count in the hour of a sensor."""
        self.hourly[to_micros(at) // HOUR * HOUR, sensor, what] += n

    def address(self, at: datetime, address: str, sessions: int = 0, shed: int = 0) -> None:
        """Count a source address."""
        row = self.addresses.setdefault(
            address, {"address": address, "first_seen": at, "last_seen": at, "sessions": 0, "shed": 0}
        )
        row["first_seen"] = min(row["first_seen"], at)
        row["last_seen"] = max(row["last_seen"], at)
        row["sessions"] += sessions
        row["shed"] += shed

    def artifact(self, event: EventBase, sha256: str, size: int | None, via: str, complete: bool) -> None:
        """Count an artifact and ask for its analysis, and for the URLs in it."""
        row = self.artifacts.setdefault(
            sha256,
            {"sha256": sha256, "size": size, "complete": complete, "first_seen": event.at, "last_seen": event.at,
             "times": 0, "via": via},
        )  # fmt: skip
        row["first_seen"] = min(row["first_seen"], event.at)
        row["last_seen"] = max(row["last_seen"], event.at)
        row["times"] += 1
        self.jobs["analyse", f"{event.id}/{sha256}"] = event.at


def _connected(batch: Batch, event: Connected) -> None:
    session = batch.sessions[event.session]
    for name in ("sensor", "protocol", "src_ip", "src_port", "dst_ip", "dst_port", "persona"):
        session[name] = getattr(event, name)
    session["connected"] = True
    session["started"] = event.at
    batch.sensors.add(event.sensor)
    batch.count(event.at, event.sensor, "sessions")
    batch.address(event.at, event.src_ip, sessions=1)
    batch.tally(event, "address", event.src_ip.encode())


def _identified(batch: Batch, event: ClientIdentified) -> None:
    session = batch.sessions[event.session]
    if event.version:
        session["client"], session["client_key"] = event.version, client_key(event.version)
    session["hassh"] = event.hassh[:32] or session["hassh"]
    session["hassh_algorithms"] = event.hassh_algorithms or session["hassh_algorithms"]
    if event.version:
        batch.clients.add(event.version)
        batch.tally(event, "client", event.version)


def _login(batch: Batch, event: LoginTried) -> None:
    session = batch.sessions[event.session]
    # Every OpenSSH client asks with method "none" first, to learn which others there are: that tries nothing.
    tried = event.method != "none" or event.accepted
    session["login_tries"] += tried
    if event.accepted or not session["accepted"]:
        session["username"], session["password"] = event.username, event.password
    session["accepted"] = session["accepted"] or event.accepted
    batch.row(
        "logins", event, at=event.at, method=event.method, username=event.username, password=event.password,
        public_key=event.public_key, key_fingerprint=event.key_fingerprint[:128], accepted=event.accepted,
        username_key=value_key(event.username), password_key=value_key(event.password),
    )  # fmt: skip
    if not tried:
        return
    batch.count(event.at, session["sensor"], "logins")
    batch.tally(event, "username", event.username)
    if event.password is not None:
        batch.tally(event, "password", event.password)
        batch.tally(event, "pair", event.username, event.password)


def _command(batch: Batch, event: CommandEntered) -> None:
    session = batch.sessions[event.session]
    session["commands"] += 1
    batch.row(
        "commands", event, at=event.at, mode=event.mode, text=event.text,
        text_sha256=hashlib.sha256(event.text).hexdigest(),
    )  # fmt: skip
    batch.count(event.at, session["sensor"], "commands")
    batch.tally(event, "command", event.text)
    batch.jobs["recover", event.id] = event.at


def _program(batch: Batch, event: ProgramRun) -> None:
    batch.sessions[event.session]["programs"] += 1
    name = event.argv[0] if event.argv else b""
    batch.row(
        "program_runs", event, name=name, argv=b"\0".join(event.argv),
        path=event.path.replace("\0", ""), outcome=event.outcome, status=event.status,
    )  # fmt: skip
    if event.outcome in MISSED:
        batch.missed[event.outcome, name, event.session] += 1
    else:
        batch.ran[event.outcome] += 1
    if event.outcome == "not-found":
        batch.row("not_found", event, at=event.at, text=b" ".join(event.argv))


def _written(batch: Batch, event: FileWritten) -> None:
    batch.row(
        "files", event, at=event.at, via="written", path=event.path, size=event.size, mode=event.mode,
        sha256=event.sha256, complete=True,
    )  # fmt: skip
    if event.sha256:
        batch.sessions[event.session]["artifacts"] += 1
        batch.artifact(event, event.sha256, event.size, "written", True)


def _uploaded(batch: Batch, event: Uploaded) -> None:
    session = batch.sessions[event.session]
    session["uploads"] += 1
    session["artifacts"] += 1
    batch.row(
        "files", event, at=event.at, via=event.via, path=event.path, size=event.size, mode=None,
        sha256=event.sha256, complete=event.complete,
    )  # fmt: skip
    batch.count(event.at, session["sensor"], "uploads")
    batch.artifact(event, event.sha256, event.size, event.via, event.complete)


def _asked(batch: Batch, event: DownloadAsked) -> None:
    session = batch.sessions[event.session]
    session["downloads"] += 1
    batch.count(event.at, session["sensor"], "downloads")
    batch.jobs["recover", event.id] = event.at


def _answered(batch: Batch, event: DownloadAnswered) -> None:
    batch.row(
        "answers", event, at=event.at, url=event.url, sha256=event.sha256,
        outcome=event.outcome.replace("\0", ""),
    )  # fmt: skip
    if event.sha256:
        batch.sessions[event.session]["artifacts"] += 1


def _forward(batch: Batch, event: ForwardAsked) -> None:
    session = batch.sessions[event.session]
    session["forwards"] += 1
    batch.row(
        "forwards", event, at=event.at, direction=event.direction, host=event.host, port=event.port,
        first_bytes=event.first_bytes,
    )  # fmt: skip
    batch.count(event.at, session["sensor"], "forwards")


def _variable(batch: Batch, event: EnvironmentSet) -> None:
    batch.row("environment", event, at=event.at, name=event.name, value=event.value)


def _frames(batch: Batch, event: TerminalFrames) -> None:
    batch.row("recordings", event, channel=event.channel, frames=_COMPRESSOR.compress(encode_event(event)))


def _trouble(batch: Batch, event: Malformed | BudgetSpent) -> None:
    session = batch.sessions[event.session]
    if isinstance(event, Malformed):
        session["malformed"] += 1
        data = event.data
    else:
        data = str(event.limit).encode()
    batch.row("troubles", event, at=event.at, kind=event.kind, what=event.what.replace("\0", ""), data=data)


def _flood(batch: Batch, event: FloodCounted) -> None:
    batch.row("floods", event, sensor=event.sensor, src_ip=event.src_ip, since=event.since, count=event.count)
    batch.count(event.since, event.sensor, "shed", event.count)
    batch.address(event.since, event.src_ip, shed=event.count)


def _left_out(batch: Batch, event: RecordsLeftOut) -> None:
    """Nothing to derive: the raw event is what there is to know."""


def _wire(batch: Batch, event: WireSeen) -> None:
    if event.protocol in FETCHED_ON_THE_WIRE:
        batch.jobs["recover", event.id] = event.at


def _scanned(batch: Batch, event: WireScanned) -> None:
    """Nothing to derive: the raw event is what there is to know."""


def _closed(batch: Batch, event: Disconnected) -> None:
    batch.sessions[event.session].update(
        ended=event.at, duration_ms=event.duration_ms, bytes_in=event.bytes_in, bytes_out=event.bytes_out,
        close_reason=event.reason, close_detail=event.detail.replace("\0", ""),
    )  # fmt: skip
    if batch.sessions[event.session]["commands"]:
        batch.jobs["conclude", event.session] = event.at


def _captured(batch: Batch, event: Captured) -> None:
    capture = event.capture
    key = url_key(capture.url)
    batch.row(
        "captures", event, url_key=key, at=capture.at, outcome=capture.outcome, status=capture.status,
        sha256=capture.sha256, size=capture.size, complete=capture.complete, for_session=capture.for_session,
        body=capture.model_dump_json().encode(), purpose=capture.purpose,
    )  # fmt: skip
    if capture.sha256:
        batch.artifact(event, capture.sha256, capture.size, "capture", capture.complete)
    if capture.purpose != "recheck":  # a look brings no payload, so what waits for one still does
        batch.captured[key] = capture.outcome
    if not capture.shared:
        batch.jobs["follow", event.id] = event.at
    batch.jobs["judge", key] = event.at
    batch.jobs["alive", key] = event.at
    if capture.sha256:
        # What it served may be known where the URL is not.
        batch.jobs["lookup", key] = event.at


def _decided(batch: Batch, event: Decided) -> None:
    batch.row(
        "decisions", event, at=event.at, by=event.by, subject=event.subject, decision=event.decision,
        subject_sha256=hashlib.sha256(event.subject.encode()).hexdigest(), reason=event.reason,
    )  # fmt: skip
    batch.jobs["decide", event.id] = event.at


_HANDLERS: dict[type[EventBase], Callable[[Batch, Any], None]] = {
    Connected: _connected,
    ClientIdentified: _identified,
    LoginTried: _login,
    CommandEntered: _command,
    ProgramRun: _program,
    FileWritten: _written,
    Uploaded: _uploaded,
    DownloadAsked: _asked,
    DownloadAnswered: _answered,
    EnvironmentSet: _variable,
    ForwardAsked: _forward,
    TerminalFrames: _frames,
    Malformed: _trouble,
    BudgetSpent: _trouble,
    FloodCounted: _flood,
    RecordsLeftOut: _left_out,
    WireSeen: _wire,
    WireScanned: _scanned,
    Disconnected: _closed,
    Captured: _captured,
    Decided: _decided,
}
