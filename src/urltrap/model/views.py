"""What the store's queries answer: rows and pages as the site, the command line and the feeds show them."""

from __future__ import annotations

from typing import Literal

from urltrap.model.artifact import Analysis, Artifact
from urltrap.model.base import Model, RawBytes, Utc
from urltrap.model.capture import Capture, CaptureOutcome
from urltrap.model.event import Event, Protocol
from urltrap.model.session import SessionClass, SessionSummary
from urltrap.model.sighting import Sighting, UrlFlag
from urltrap.model.verdict import Observation, Verdict, VerdictName

TopKind = Literal[
    "username", "password", "pair", "command", "client", "address", "network", "country", "url", "host"
]


class Counters(Model):
    """The figures at the top of the overview. `day` values are of the last 24 hours."""

    sessions: int
    sessions_day: int
    addresses: int
    logins: int
    logins_day: int
    commands: int
    commands_day: int
    downloads: int
    shed: int
    urls: int
    urls_malicious: int
    urls_published: int
    artifacts: int
    waiting: int
    dead_letters: int
    last_event: Utc | None


class Pulse(Model):
    """Changes whenever something new is to be shown; compared by live updates."""

    events: int
    urls: int
    last_event: Utc | None


class TimelinePoint(Model):
    """One hour of one sensor."""

    hour: Utc
    sensor: str
    sessions: int = 0
    logins: int = 0
    commands: int = 0
    downloads: int = 0
    uploads: int = 0
    shed: int = 0


class TopRow(Model):
    """One line of a top list.

    `value` is what was counted (attackers' bytes for log-ins, commands and clients); `second` the password of a pair,
    the network's number ("AS64500") of a network, the key of a URL, the country of an address.
    """

    value: RawBytes
    second: RawBytes = b""
    count: int


class CountryRow(Model):
    """A country (ISO 3166 letters, empty: unknown) with what came from it; the map is made of these."""

    country: str
    sessions: int
    addresses: int


class SessionFilter(Model):
    """Which sessions a list shows; what is None does not matter. `text` is looked for in the commands."""

    sensor: str | None = None
    protocol: Protocol | None = None
    classed: SessionClass | None = None
    src_ip: str | None = None
    country: str | None = None
    asn: int | None = None
    hassh: str | None = None
    client: str | None = None
    since: Utc | None = None
    until: Utc | None = None
    text: str | None = None


class SessionPage(Model):
    """Sessions, newest first. `next` goes into the next call as its cursor; None at the end."""

    rows: list[SessionSummary]
    next: str | None


class SessionDetail(Model):
    """One session with its events in order (terminal frames are in its recording)."""

    summary: SessionSummary
    persona: str
    hassh_algorithms: str
    bytes_in: int | None
    bytes_out: int | None
    events: list[Event]
    sightings: list[Sighting]
    more_events: bool
    recorded: bool


class Recording(Model):
    """The terminal stream of one channel: (milliseconds since connect, "i" or "o", bytes), in order."""

    session: str
    channel: int
    channels: list[int]
    columns: int
    rows: int
    frames: list[tuple[int, Literal["i", "o"], RawBytes]]


class UrlFilter(Model):
    """Which URLs a list shows; what is None does not matter.

    `text` is looked for in the URL; `provider` lists it; `source` is an address that brought it, `asn` the network of
    one; it was seen from `since` on and before `until`.
    """

    verdict: VerdictName | None = None
    malicious: bool | None = None
    published: bool | None = None
    held: bool | None = None
    host: str | None = None
    kind: str | None = None
    action: str | None = None
    role: str | None = None
    delivery: str | None = None
    target: str | None = None
    hosting: str | None = None
    lifecycle: str | None = None
    family: str | None = None
    campaign: str | None = None
    provider: str | None = None
    sensor: str | None = None
    source: str | None = None
    asn: int | None = None
    min_confidence: int | None = None
    since: Utc | None = None
    until: Utc | None = None
    text: str | None = None


class UrlRow(Model):
    """One URL as lists show it. `id` is the SHA-256 of the canonical form; `kind` that of its newest payload."""

    id: str
    url: str
    scheme: str
    host: str
    port: int
    first_seen: Utc
    last_seen: Utc
    sightings: int
    sources: int
    held: bool
    flags: list[UrlFlag]
    outcome: CaptureOutcome | None
    status: int | None
    captured_at: Utc | None
    sha256: str | None
    kind: str
    verdict: VerdictName
    confidence: int
    publish_after: Utc | None
    published_at: Utc | None
    action: str = ""
    role: str = ""
    delivery: str = ""
    target: str = ""
    hosting: str = ""
    lifecycle: str = ""
    family: str = ""
    campaign: str = ""


class UrlPage(Model):
    """URLs, most recently seen first. `next` goes into the next call as its cursor; None at the end."""

    rows: list[UrlRow]
    next: str | None


class SightingRow(Model):
    """A sighting with where it was made."""

    sighting: Sighting
    sensor: str
    src_ip: str


class ServedRow(Model):
    """One payload of a URL: when it was served first and last, and by how many captures."""

    sha256: str
    first: Utc
    last: Utc
    captures: int


class UrlDetail(Model):
    """One URL with everything known of it; sightings and captures newest first."""

    row: UrlRow
    verdict: Verdict | None
    sightings: list[SightingRow]
    captures: list[Capture]
    observations: list[Observation]
    artifacts: list[ArtifactRow]
    payloads: list[ServedRow] = []
    """What it served over time, in the order in which it began to."""


class ArtifactRow(Model):
    """One payload as lists show it. `analysis` is None until it was analysed."""

    artifact: Artifact
    analysis: Analysis | None
    first_seen: Utc
    last_seen: Utc
    times: int
    via: str


class ArtifactPage(Model):
    """Artifacts, most recently seen first. `next` goes into the next call as its cursor; None at the end."""

    rows: list[ArtifactRow]
    next: str | None


class ArtifactDetail(Model):
    """One payload with the URLs that served it and the sessions that sent or wrote it."""

    row: ArtifactRow
    urls: list[UrlRow]
    sessions: list[str]


class FeedRow(Model):
    """One published URL, as feeds carry it: times are whole hours, nothing of sensors or sessions."""

    id: str
    url: str
    host: str
    first_seen: Utc
    last_seen: Utc
    verdict: VerdictName
    confidence: int
    reasons: list[str]
    sha256: str | None
    kind: str
    architecture: str


class CommandRow(Model):
    """One command line that an attacker gave, with the session that it belongs to."""

    session: str
    seq: int
    at: Utc
    mode: str
    text: RawBytes


class GapRow(Model):
    """A program that attackers asked for and did not get as they should have, by how often."""

    name: RawBytes
    outcome: Literal["not-found", "not-executable", "not-implemented"]
    count: int
    sessions: int


class Gaps(Model):
    """Program runs by outcome, and the names behind what did not run: the list of what to write next."""

    outcomes: dict[str, int]
    rows: list[GapRow]


class WireGap(Model):
    """A URL that a box asked for and that no text had shown: the program's arguments, the last command before it."""

    url: str
    at: Utc
    times: int
    session: str
    argv: list[RawBytes]
    command: RawBytes


class WireGaps(Model):
    """URLs seen on the wire, those of them that were recovered from text too, and those that were not."""

    urls: int
    recovered: int
    rows: list[WireGap]


UrlDetail.model_rebuild()
