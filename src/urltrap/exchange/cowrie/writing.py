"""Our events as lines of Cowrie's JSON log, so that what reads Cowrie's reads ours."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from urltrap.model.event import (
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    DownloadAnswered,
    EnvironmentSet,
    EventBase,
    FileWritten,
    ForwardAsked,
    LoginTried,
    Malformed,
    ProgramRun,
    TerminalRequested,
    Uploaded,
)

_REMEMBERED = 50_000
_KEPT = "var/lib/cowrie/downloads/"

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Whose:
    """What every line of a session repeats."""

    sensor: str
    src_ip: str
    protocol: str
    destination: str


class CowrieWriter:
    """Turns events into lines; it remembers whose the open sessions are, for every line of Cowrie's says so."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._sessions: OrderedDict[str, _Whose] = OrderedDict()

    def lines(self, event: EventBase) -> list[bytes]:
        """The event's lines, each with its end; none where Cowrie has no word for it."""
        return [
            json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
            for line in self.records(event)
        ]

    def records(self, event: EventBase) -> list[Fields]:
        """The event as the objects that Cowrie would have written."""
        if isinstance(event, Connected):
            self._remember(event)
        maker = _MAKERS.get(type(event))
        if maker is None:
            return []
        whose = self._sessions.get(event.session, _Whose("", "", "ssh", ""))
        return [
            {
                "eventid": f"cowrie.{kind}",
                **fields,
                "sensor": whose.sensor,
                "timestamp": _stamp(event.at),
                "src_ip": whose.src_ip,
                "session": event.session,
                "protocol": whose.protocol,
            }
            for kind, fields in maker(event, whose)
        ]

    def memory(self) -> list[list[str]]:
        """Whose the open sessions are, for JSON: `recall` takes it back."""
        return [
            [session, whose.sensor, whose.src_ip, whose.protocol, whose.destination]
            for session, whose in self._sessions.items()
        ]

    def recall(self, memory: list[list[str]]) -> None:
        """Go on where `memory` was taken."""
        for session, sensor, src_ip, protocol, destination in memory:
            self._sessions[session] = _Whose(sensor, src_ip, protocol, destination)

    def _remember(self, event: Connected) -> None:
        self._sessions[event.session] = _Whose(
            event.sensor, event.src_ip, event.protocol, f"{event.dst_ip}:{event.dst_port}"
        )
        if len(self._sessions) > self._remembered:
            self._sessions.popitem(last=False)


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _text(value: bytes) -> str:
    """Bytes as Cowrie shows them: UTF-8, what is none as escapes."""
    return value.decode("utf-8", "backslashreplace")


def _connected(event: Connected, whose: _Whose) -> list[tuple[str, Fields]]:
    message = (
        f"New connection: {event.src_ip}:{event.src_port} ({whose.destination}) [session: {event.session}]"
    )
    fields = {
        "src_port": event.src_port,
        "dst_ip": event.dst_ip,
        "dst_port": event.dst_port,
        "message": message,
    }
    return [("session.connect", fields)]


def _identified(event: ClientIdentified, whose: _Whose) -> list[tuple[str, Fields]]:
    made: list[tuple[str, Fields]] = []
    if event.version:
        version = _text(event.version)
        made.append(("client.version", {"version": version, "message": f"Remote SSH version: {version}"}))
    if event.hassh:
        made.append(("client.kex", _key_exchange(event)))
    return made


def _key_exchange(event: ClientIdentified) -> Fields:
    kex, ciphers, macs, compression = (*event.hassh_algorithms.split(";"), "", "", "", "")[:4]
    return {
        "hassh": event.hassh,
        "hasshAlgorithms": event.hassh_algorithms,
        "kexAlgs": _names(kex),
        "encCS": _names(ciphers),
        "macCS": _names(macs),
        "compCS": _names(compression),
        "message": f"SSH client hassh fingerprint: {event.hassh}",
    }


def _names(listed: str) -> list[str]:
    return listed.split(",") if listed else []


def _terminal(event: TerminalRequested, whose: _Whose) -> list[tuple[str, Fields]]:
    size = {"width": event.columns, "height": event.rows}
    return [("client.size", {**size, "message": f"Terminal Size: {event.columns} {event.rows}"})]


def _variable(event: EnvironmentSet, whose: _Whose) -> list[tuple[str, Fields]]:
    name, value = _text(event.name), _text(event.value)
    if event.name == b"cowrie.arch":
        return [("session.params", {"arch": value, "message": []})]
    return [("client.var", {"name": name, "value": value, "message": f"request_env: {name}={value}"})]


def _login(event: LoginTried, whose: _Whose) -> list[tuple[str, Fields]]:
    user = _text(event.username)
    made: list[tuple[str, Fields]] = []
    if event.method == "publickey":
        kind = event.public_key.partition(" ")[0]
        made.append(
            (
                "client.fingerprint",
                {
                    "username": user,
                    "fingerprint": event.key_fingerprint,
                    "key": event.public_key,
                    "type": kind,
                    "message": f"public key attempt for user {user} of type {kind} "
                    f"with fingerprint {event.key_fingerprint}",
                },
            )
        )
    if event.password is not None or event.accepted:
        password = _text(event.password or b"")
        ended = "succeeded" if event.accepted else "failed"
        fields = {
            "username": user,
            "password": password,
            "message": f"login attempt [{user}/{password}] {ended}",
        }
        made.append(("login.success" if event.accepted else "login.failed", fields))
    return made


def _command(event: CommandEntered, whose: _Whose) -> list[tuple[str, Fields]]:
    typed = _text(event.text)
    return [("command.input", {"input": typed, "message": f"CMD: {typed}"})]


def _program(event: ProgramRun, whose: _Whose) -> list[tuple[str, Fields]]:
    if event.outcome != "not-found":
        return []  # Cowrie tells of programs only where it has none of that name
    typed = _text(b" ".join(event.argv))
    return [("command.failed", {"input": typed, "message": f"Command not found: {typed}"})]


def _answered(event: DownloadAnswered, whose: _Whose) -> list[tuple[str, Fields]]:
    url = _text(event.url)
    if not event.sha256:
        return [
            (
                "session.file_download.failed",
                {"url": url, "message": f"Attempt to download file(s) from URL ({url}) failed"},
            )
        ]
    fields = {
        "url": url,
        "outfile": _KEPT + event.sha256,
        "shasum": event.sha256,
        "message": f"Downloaded URL ({url}) with SHA-256 {event.sha256} to {_KEPT}{event.sha256}",
    }
    return [("session.file_download", fields)]


def _written(event: FileWritten, whose: _Whose) -> list[tuple[str, Fields]]:
    if not event.sha256:
        return []
    path = _text(event.path)
    return [
        (
            "session.file_download",
            {
                "outfile": _KEPT + event.sha256,
                "shasum": event.sha256,
                "destfile": path,
                "message": f"Saved redir contents with SHA-256 {event.sha256} to {_KEPT}{event.sha256}",
            },
        )
    ]


def _uploaded(event: Uploaded, whose: _Whose) -> list[tuple[str, Fields]]:
    name = _text(event.path)
    return [
        (
            "session.file_upload",
            {
                "filename": name,
                "outfile": _KEPT + event.sha256,
                "shasum": event.sha256,
                "destfile": name,
                "message": f'{event.via.upper()} Uploaded file "{name}" to {_KEPT}{event.sha256}',
            },
        )
    ]


def _forward(event: ForwardAsked, whose: _Whose) -> list[tuple[str, Fields]]:
    if event.direction != "direct":
        return []  # Cowrie refuses reverse forwards without a word
    host, origin = _text(event.host), _text(event.origin_host)
    target: Fields = {"dst_ip": host, "dst_port": event.port}
    made: list[tuple[str, Fields]] = [
        (
            "direct-tcpip.request",
            {
                **target,
                "orig_ip": origin,
                "orig_port": event.origin_port,
                "message": f"direct-tcp connection request to {host}:{event.port} from {origin}:{event.origin_port}",
            },
        )
    ]
    if event.first_bytes:
        data = repr(event.first_bytes)
        made.append(
            (
                "direct-tcpip.data",
                {
                    **target,
                    "data": data,
                    "message": f"direct-tcp forward to {host}:{event.port} with data {data}",
                },
            )
        )
    return made


def _malformed(event: Malformed, whose: _Whose) -> list[tuple[str, Fields]]:
    data = event.data[:256].hex()
    return [
        (
            "client.malformed_packet",
            {"data": data, "datalen": len(event.data), "message": f"Malformed: {event.what}"},
        )
    ]


def _closed(event: Disconnected, whose: _Whose) -> list[tuple[str, Fields]]:
    seconds = event.duration_ms / 1000
    return [
        (
            "session.closed",
            {
                "duration": seconds,
                "duration_ms": event.duration_ms,
                "message": f"Connection lost after {seconds:.1f} seconds",
            },
        )
    ]


_MAKERS: Mapping[type[EventBase], Callable[[Any, _Whose], list[tuple[str, Fields]]]] = {
    Connected: _connected,
    ClientIdentified: _identified,
    TerminalRequested: _terminal,
    EnvironmentSet: _variable,
    LoginTried: _login,
    CommandEntered: _command,
    ProgramRun: _program,
    DownloadAnswered: _answered,
    FileWritten: _written,
    Uploaded: _uploaded,
    ForwardAsked: _forward,
    Malformed: _malformed,
    Disconnected: _closed,
}
