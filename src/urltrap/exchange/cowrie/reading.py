"""Cowrie's log lines as our events: a pure converter with a memory of the sessions that are open.

The same lines in the same order give the same event ids, so that reading a log twice changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from urltrap.exchange.cowrie.fields import (
    CowrieLineError,
    Line,
    digest,
    milliseconds,
    moment,
    number,
    raw,
    text,
)
from urltrap.exchange.cowrie.terminal import frames, in_pieces
from urltrap.model.event import (
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    DownloadAnswered,
    DownloadAsked,
    EnvironmentSet,
    EventBase,
    FileWritten,
    ForwardAsked,
    LoginTried,
    Malformed,
    ProgramRun,
    TerminalFrames,
    TerminalRequested,
    Uploaded,
)
from urltrap.model.ids import new_ulid, ulid_time_ms

LONGEST_LINE = 4_000_000
"""A longer line is set aside: no event of Cowrie's is that long, and the journal takes no such record."""

_REMEMBERED = 50_000
_KIPPO = {
    "0001": "session.connect",
    "0002": "login.success",
    "0003": "login.failed",
    "0004": "log.open",
    "0005": "command.success",
    "0006": "command.failed",
    "0007": "session.file_download",
    "0008": "session.input",
    "0009": "client.version",
    "0010": "client.size",
    "0011": "session.closed",
    "0012": "log.closed",
    "0013": "client.var",
}
"""Event numbers of the first versions, still Kippo's: `KIPP0001`, later `COW0001`."""


Recording = Callable[[str], bytes | None]


@dataclass(slots=True)
class OpenSession:
    """What is remembered of one session of Cowrie's."""

    id: str
    seq: int
    protocol: str


class CowrieReader:
    """Turns lines into events. `sensor` replaces the name that the log gives its sensor.

    `recording` gives the content of a terminal's recording by the name that the log has for it, None where it is not
    at hand. `ignored` counts kinds of lines that carry nothing which an event of ours would hold.
    """

    def __init__(
        self, sensor: str = "", recording: Recording | None = None, remembered: int = _REMEMBERED
    ) -> None:
        self._sensor = sensor
        self._recording = recording
        self._remembered = remembered
        self._sessions: OrderedDict[tuple[str, str], OpenSession] = OrderedDict()
        self.ignored: Counter[str] = Counter()

    def read(self, line: bytes) -> list[EventBase]:
        """The events of one line, none for a blank one. CowrieLineError where it is no event of Cowrie's."""
        if not line.strip():
            return []
        if len(line) > LONGEST_LINE:
            raise CowrieLineError(f"{len(line)} bytes long, {LONGEST_LINE} at most are an event")
        try:
            found = _parsed(line)
        except (ValueError, RecursionError) as error:
            raise CowrieLineError(f"not JSON: {error}") from error
        if not isinstance(found, dict):
            raise CowrieLineError("not a JSON object")
        return self.convert(found)

    def convert(self, line: Line) -> list[EventBase]:
        """The events of one line that is parsed already."""
        kind = _kind(line)
        make = self._recorded if kind == "log.closed" and self._recording else _MAKERS.get(kind)
        if make is None:
            self.ignored[kind] += 1
            return []
        session = text(line, "session")
        if not session:
            raise CowrieLineError("no session")
        at = moment(line)
        events: list[EventBase] = []
        held = self._session(session, kind, line, at, events)
        try:
            made = make(held, line, at)
        except ValueError as error:
            raise CowrieLineError(f"{kind}: {str(error).splitlines()[0]}") from error
        held.seq += len(made)
        return events + made

    def memory(self) -> list[list[Any]]:
        """What is remembered of sessions, for JSON: `recall` takes it back."""
        return [[*key, held.id, held.seq, held.protocol] for key, held in self._sessions.items()]

    def recall(self, memory: list[list[Any]]) -> None:
        """Go on where `memory` was taken."""
        for sensor, session, identifier, seq, protocol in memory:
            self._sessions[sensor, session] = OpenSession(identifier, seq, protocol)

    def _recorded(self, held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
        content = self._recording(text(line, "ttylog")) if self._recording else None
        if content is None:
            return []
        pieces = in_pieces(frames(content, ulid_time_ms(held.id)))
        return [
            TerminalFrames(session=held.id, seq=held.seq + place, at=at, frames=piece)
            for place, piece in enumerate(pieces)
        ]

    def _session(
        self, session: str, kind: str, line: Line, at: datetime, events: list[EventBase]
    ) -> OpenSession:
        sensor = self._sensor or text(line, "sensor") or text(line, "system") or "cowrie"
        held = self._sessions.get((sensor, session))
        if held is not None:
            self._sessions.move_to_end((sensor, session))
            return held
        entropy = hashlib.sha256(f"{sensor}\0{session}".encode("utf-8", "replace")).digest()[:10]
        protocol = text(line, "protocol")
        if protocol not in ("ssh", "telnet"):
            protocol = "telnet" if number(line, "dst_port", 65535) in (23, 2323) else "ssh"
        try:
            identifier = new_ulid(int(at.timestamp() * 1000), entropy)
        except ValueError as error:
            raise CowrieLineError(f"a time before 1970: {at.isoformat()}") from error
        # A log may begin in the middle of a session: each gets a beginning, from the first line that names it.
        events.append(
            Connected(
                session=identifier, seq=0, at=at, sensor=sensor[:200], protocol=protocol,
                src_ip=text(line, "src_ip")[:64], src_port=number(line, "src_port", 65535),
                dst_ip=text(line, "dst_ip")[:64], dst_port=number(line, "dst_port", 65535), persona="cowrie",
            )
        )  # fmt: skip
        held = OpenSession(identifier, 1, protocol)
        self._sessions[sensor, session] = held
        if len(self._sessions) > self._remembered:
            self._sessions.popitem(last=False)
        return held


def _parsed(line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError:
        # The quick parser refuses what Python wrote for bytes that are not UTF-8 (lone surrogates).
        return json.loads(line)


def _kind(line: Line) -> str:
    """The kind of a line without the name of its maker, such as "login.failed"."""
    name = line.get("eventid")
    if not isinstance(name, str) or not name:
        raise CowrieLineError("no eventid")
    if name.startswith("cowrie."):
        return name[7:]
    if name.startswith(("KIPP", "COW")):
        return _KIPPO.get(name[-4:], name)
    return name


def _connected(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return []  # every session begins with one, made where it is seen first


def _version(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return [ClientIdentified(session=held.id, seq=held.seq, at=at, version=raw(line, "version"))]


def _key_exchange(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return [
        ClientIdentified(
            session=held.id, seq=held.seq, at=at, hassh=text(line, "hassh")[:32],
            hassh_algorithms=text(line, "hasshAlgorithms"),
        )
    ]  # fmt: skip


def _size(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return [
        TerminalRequested(
            session=held.id, seq=held.seq, at=at, columns=number(line, "width"), rows=number(line, "height")
        )
    ]


def _variable(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    name = "name" if "name" in line else "key"
    return [
        EnvironmentSet(session=held.id, seq=held.seq, at=at, name=raw(line, name), value=raw(line, "value"))
    ]


def _architecture(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    # What Cowrie chose to be in this session; shown as it names it, for its own tools read it back.
    return [
        EnvironmentSet(session=held.id, seq=held.seq, at=at, name=b"cowrie.arch", value=raw(line, "arch"))
    ]


def _key(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return [
        LoginTried(
            session=held.id, seq=held.seq, at=at, method="publickey", username=raw(line, "username"),
            public_key=text(line, "key"), key_fingerprint=text(line, "fingerprint"), accepted=False,
        )
    ]  # fmt: skip


def _login(accepted: bool) -> Callable[[OpenSession, Line, datetime], list[EventBase]]:
    def make(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
        by_key = "password" not in line and ("key" in line or "fingerprint" in line)
        return [
            LoginTried(
                session=held.id, seq=held.seq, at=at, method="publickey" if by_key else "password",
                username=raw(line, "username"), password=None if by_key else raw(line, "password"),
                public_key=text(line, "key"), key_fingerprint=text(line, "fingerprint"), accepted=accepted,
            )
        ]  # fmt: skip

    return make


def _command(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return [CommandEntered(session=held.id, seq=held.seq, at=at, mode="shell", text=raw(line, "input"))]


def _program(outcome: str) -> Callable[[OpenSession, Line, datetime], list[EventBase]]:
    def make(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
        argv = raw(line, "input").split()
        return [ProgramRun(session=held.id, seq=held.seq, at=at, argv=argv, outcome=outcome)]

    return make


def _downloaded(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    sha256, url = digest(line), raw(line, "url")
    where = raw(line, "destfile") or raw(line, "outfile")
    if not url:
        # Redirected output and standard input are kept as files, and logged as downloads without a URL.
        return [
            FileWritten(
                session=held.id, seq=held.seq, at=at, path=where, size=number(line, "size"), mode=0o644,
                sha256=sha256,
            )
        ]  # fmt: skip
    return [
        DownloadAsked(session=held.id, seq=held.seq, at=at, url=url, client="", output=raw(line, "destfile")),
        DownloadAnswered(
            session=held.id, seq=held.seq + 1, at=at, url=url, outcome="fetched", sha256=sha256,
            size=number(line, "size") if "size" in line else None,
        ),
    ]  # fmt: skip


def _not_downloaded(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    url = raw(line, "url")
    return [
        DownloadAsked(session=held.id, seq=held.seq, at=at, url=url, client=""),
        DownloadAnswered(session=held.id, seq=held.seq + 1, at=at, url=url, outcome="connect-failed"),
    ]


def _uploaded(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    sha256 = digest(line)
    if sha256 is None:
        raise ValueError("an upload without the hash of its content")
    return [
        Uploaded(
            session=held.id, seq=held.seq, at=at, via="sftp", path=raw(line, "filename") or raw(line, "destfile"),
            size=number(line, "size"), sha256=sha256,
        )
    ]  # fmt: skip


def _forward(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return [
        ForwardAsked(
            session=held.id, seq=held.seq, at=at, direction="direct", host=raw(line, "dst_ip"),
            port=number(line, "dst_port", 65535), origin_host=raw(line, "orig_ip") or raw(line, "src_ip"),
            origin_port=number(line, "orig_port", 65535), first_bytes=raw(line, "data"),
        )
    ]  # fmt: skip


def _malformed(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    shown = text(line, "data")
    try:
        data = bytes.fromhex(shown)
    except ValueError:
        data = shown.encode("utf-8", "replace")
    return [Malformed(session=held.id, seq=held.seq, at=at, what="packet", data=data)]


def _closed(held: OpenSession, line: Line, at: datetime) -> list[EventBase]:
    return [
        Disconnected(
            session=held.id, seq=held.seq, at=at, reason="client", duration_ms=milliseconds(line),
            detail=text(line, "message")[:200] if isinstance(line.get("message"), str) else "",
        )
    ]  # fmt: skip


_MAKERS: Mapping[str, Callable[[OpenSession, Line, datetime], list[EventBase]]] = {
    "session.connect": _connected,
    "client.version": _version,
    "client.kex": _key_exchange,
    "client.size": _size,
    "client.var": _variable,
    "client.fingerprint": _key,
    "client.malformed_packet": _malformed,
    "session.params": _architecture,
    "login.success": _login(accepted=True),
    "login.failed": _login(accepted=False),
    "command.input": _command,
    "command.success": _program("ran"),
    "command.failed": _program("not-found"),
    "session.file_download": _downloaded,
    "session.file_download.failed": _not_downloaded,
    "session.file_upload": _uploaded,
    "direct-tcpip.request": _forward,
    "direct-tcpip.data": _forward,
    "session.closed": _closed,
}
