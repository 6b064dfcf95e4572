"""Events: immutable facts about a session. Everything else is derived from them.

The journal keeps them as JSON, one record each; ``EventRecord`` reads any of them back by its ``kind``.
What was seen is kept raw (`RawBytes`); judgement is added later and elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from urltrap.model.base import Model, RawBytes, Utc
from urltrap.model.capture import Capture
from urltrap.model.ids import event_id

SCHEMA_VERSION = 1
"""Version of the record layout, written into every journal segment. Older ones stay readable for ever."""

Protocol = Literal["ssh", "telnet", "http", "smtp"]
CloseReason = Literal[
    "client", "server", "timeout", "budget", "error", "shutdown", "refused", "protocol-error", "reset"
]
LoginMethod = Literal["password", "publickey", "keyboard-interactive", "none"]
UploadVia = Literal["scp", "sftp", "stdin", "http", "smtp"]


class EventBase(Model):
    """What every event carries: whose session, which place in it, and when (UTC)."""

    session: str
    seq: int = Field(ge=0)
    at: Utc

    @property
    def id(self) -> str:
        """``SESSION/SEQ``."""
        return event_id(self.session, self.seq)


class Connected(EventBase):
    """A connection was accepted."""

    kind: Literal["session.connect"] = "session.connect"
    sensor: str
    protocol: Protocol
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int
    persona: str = ""


class ClientIdentified(EventBase):
    """What the client said of itself before log-in: version line, and for SSH its key-exchange fingerprint."""

    kind: Literal["client.identified"] = "client.identified"
    version: RawBytes = b""
    hassh: str = ""
    hassh_algorithms: str = ""


class TerminalRequested(EventBase):
    """A pseudo-terminal was asked for or resized."""

    kind: Literal["terminal.requested"] = "terminal.requested"
    channel: int = 0
    term: RawBytes = b""
    columns: int = 0
    rows: int = 0


class EnvironmentSet(EventBase):
    """The client asked for an environment variable."""

    kind: Literal["environment.set"] = "environment.set"
    channel: int = 0
    name: RawBytes
    value: RawBytes


class LoginTried(EventBase):
    """One log-in try with what was tried."""

    kind: Literal["login.tried"] = "login.tried"
    method: LoginMethod
    username: RawBytes
    password: RawBytes | None = None
    public_key: str = ""
    key_fingerprint: str = ""
    accepted: bool


class CommandEntered(EventBase):
    """A command line reached the shell: an exec request, or a line typed at a prompt."""

    kind: Literal["command.entered"] = "command.entered"
    channel: int = 0
    mode: Literal["exec", "shell", "subsystem"]
    text: RawBytes
    truncated_from: int | None = Field(
        default=None, description="full length in bytes, where the text was cut"
    )


class ProgramRun(EventBase):
    """A program, built-in or unknown name was run by the machine."""

    kind: Literal["program.run"] = "program.run"
    channel: int = 0
    argv: list[RawBytes]
    path: str = ""
    outcome: Literal["ran", "builtin", "not-found", "not-executable", "not-implemented"]
    status: int | None = None


class FileWritten(EventBase):
    """A file of the machine was created or changed; its content is an artifact where it was worth keeping."""

    kind: Literal["file.written"] = "file.written"
    channel: int = 0
    path: RawBytes
    size: int
    mode: int
    sha256: str | None = None


class Uploaded(EventBase):
    """The attacker sent a file; its content is in the quarantine."""

    kind: Literal["file.uploaded"] = "file.uploaded"
    channel: int = 0
    via: UploadVia
    path: RawBytes
    size: int
    sha256: str
    complete: bool = True


class DownloadAsked(EventBase):
    """A program of the machine asked for a URL. The answer is a `Captured` event of the fetcher's own."""

    kind: Literal["download.asked"] = "download.asked"
    channel: int = 0
    url: RawBytes
    client: str
    argv: list[RawBytes] = []
    output: RawBytes = b""


class DownloadAnswered(EventBase):
    """What the attacker's program was told about the URL that it asked for."""

    kind: Literal["download.answered"] = "download.answered"
    channel: int = 0
    url: RawBytes
    outcome: str
    status: int | None = None
    sha256: str | None = None
    size: int | None = None


class ForwardAsked(EventBase):
    """A port forward was asked for; it is answered but nothing is ever connected."""

    kind: Literal["forward.asked"] = "forward.asked"
    channel: int = 0
    direction: Literal["direct", "reverse", "direct-unix", "reverse-unix"]
    host: RawBytes
    port: int
    origin_host: RawBytes = b""
    origin_port: int = 0
    first_bytes: RawBytes = b""


WireProtocol = Literal["dns", "http", "https", "ftp", "tftp", "smtp", "tls", "tcp", "udp", "icmp"]


FETCHED_ON_THE_WIRE: frozenset[WireProtocol] = frozenset({"http", "https", "ftp", "tftp"})
"""Protocols whose URLs are those of files: what is seen by them is a sighting."""


class WireSeen(EventBase):
    """A program in a box asked for something on the network: seen on the wire, whatever its command looked like.

    `session` is a stream of the recording process' own, `for_session` the attacker's. `url` is the whole URL, or where
    it went (``tcp://host:port``); `host` the name that the box had been given the address `dst_ip` for. `argv`: the
    program's, empty where it could not be known; `client`: its name. `size`: bytes that the box sent besides what the
    protocol needs, of which `first` are the first. `outcome`: what it was told, in a word.
    """

    kind: Literal["wire.seen"] = "wire.seen"
    for_session: str
    protocol: WireProtocol
    url: RawBytes
    host: str = ""
    dst_ip: str = ""
    dst_port: int = 0
    method: str = ""
    client: str = ""
    user_agent: RawBytes = b""
    argv: list[RawBytes] = []
    size: int = 0
    first: RawBytes = b""
    outcome: str = ""


class WireScanned(EventBase):
    """Connections that a box tried since `since` and that nobody answered; `ports` and `addresses`: a sample."""

    kind: Literal["wire.scanned"] = "wire.scanned"
    for_session: str
    since: Utc
    count: int
    ports: list[int] = []
    addresses: list[str] = []


class TerminalFrames(EventBase):
    """A piece of the terminal stream, for replay: (milliseconds since connect, "i" or "o", bytes)."""

    kind: Literal["terminal.frames"] = "terminal.frames"
    channel: int = 0
    frames: list[tuple[int, Literal["i", "o"], RawBytes]]


class BudgetSpent(EventBase):
    """A session met one of its limits; it was slowed or ended, others were not touched."""

    kind: Literal["budget.spent"] = "budget.spent"
    channel: int = 0
    what: str
    limit: int


class Malformed(EventBase):
    """Input that the protocol does not allow, its beginning kept verbatim."""

    kind: Literal["client.malformed"] = "client.malformed"
    what: str
    data: RawBytes = b""


class FloodCounted(EventBase):
    """Connections that were shed rather than served, counted per source and minute."""

    kind: Literal["flood.counted"] = "flood.counted"
    sensor: str
    src_ip: str
    since: Utc
    count: int


LeftOutClass = Literal["keystrokes", "connections", "commands"]


class RecordsLeftOut(EventBase):
    """Records that a sensor did not write since `since`, because its disk was nearly full."""

    kind: Literal["journal.left_out"] = "journal.left_out"
    since: Utc
    what: LeftOutClass
    count: int = Field(ge=1)


class Disconnected(EventBase):
    """The session ended."""

    kind: Literal["session.close"] = "session.close"
    reason: CloseReason
    duration_ms: int
    bytes_in: int = 0
    bytes_out: int = 0
    detail: str = ""


class Captured(EventBase):
    """The fetcher's own event: one attempt to fetch a URL, with its outcome."""

    kind: Literal["url.captured"] = "url.captured"
    capture: Capture


class Decided(EventBase):
    """A person's decision (allow-list, dispute, verdict set by hand): journalled so that a rebuild keeps it."""

    kind: Literal["decision.made"] = "decision.made"
    by: str
    subject: str
    decision: str
    reason: str = ""


def owner_of(event: EventBase) -> str:
    """The attacker's session that an event belongs to: captures and what boxes asked for are in streams of those who
    record them. Empty where it is nobody's."""
    if isinstance(event, WireSeen | WireScanned):
        return event.for_session
    return event.capture.for_session if isinstance(event, Captured) else event.session


Event = Annotated[
    Connected
    | ClientIdentified
    | TerminalRequested
    | EnvironmentSet
    | LoginTried
    | CommandEntered
    | ProgramRun
    | FileWritten
    | Uploaded
    | DownloadAsked
    | DownloadAnswered
    | ForwardAsked
    | WireSeen
    | WireScanned
    | TerminalFrames
    | BudgetSpent
    | Malformed
    | FloodCounted
    | RecordsLeftOut
    | Disconnected
    | Captured
    | Decided,
    Field(discriminator="kind"),
]
"""Any event, told apart by its ``kind``."""

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def encode_event(event: EventBase) -> bytes:
    """The journal record of an event: compact JSON in UTF-8, without fields that hold their default."""
    return event.__pydantic_serializer__.to_json(event, exclude_defaults=False, exclude_none=True)


def decode_event(record: bytes) -> Event:
    """The event of a journal record; pydantic.ValidationError where it is not one of this schema."""
    return _ADAPTER.validate_json(record)


def event_schema() -> dict[str, object]:
    """JSON Schema of all events, for the documentation."""
    return _ADAPTER.json_schema(mode="serialization")
