"""Evidence about URLs, gathered from the store: a few statements for many URLs, so that judging everything is cheap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, func, select, type_coerce

from urltrap.judge import Evidence, Payload
from urltrap.judge.evidence import Decided
from urltrap.judge.unmasking import Unmasking
from urltrap.model.verdict import Observation
from urltrap.pipeline.sessions_of import SessionFacts, load_sessions
from urltrap.pipeline.showings import Showings, load_showings
from urltrap.pipeline.workshop import Workshop
from urltrap.recover import Context
from urltrap.recover.context import IpNetwork
from urltrap.recover.flags import host_address
from urltrap.store.among import MANY, among
from urltrap.store.decisions import AllowList, Made, allow_list, made_of
from urltrap.store.intake import in_parts
from urltrap.store.rows import url_key
from urltrap.store.schema import artifacts, captures, files, observations, sightings, url_sources, urls
from urltrap.store.schema_intel import liveness

_SIGHTINGS = 200
_SESSIONS = 20
_CAPTURES = 20
_SOURCES = 3
_MOST_SOURCES = 200
_NOT_NEEDED = ("last_seen", "flags")
KEPT = (
    "outcome", "status", "captured_at", "sha256", "kind", "verdict", "confidence", "publish_after", "published_at",
    "action", "role", "delivery", "target", "hosting", "lifecycle", "family",
)  # fmt: skip
"""What a URL's row keeps of its captures and its verdict."""
_URL = [column for column in urls.c if column.name not in (*_NOT_NEEDED, *KEPT)]
KEPT_PLACES = slice(len(_URL), len(_URL) + len(KEPT))
"""Where that stands in `Gathered.before`, in that order."""
_URL += [urls.c[name] for name in KEPT]
_ARTIFACT = [artifacts.c[name] for name in ("sha256", "kind", "architecture", "size", "complete", "analysis")]
_MOMENT = type_coerce(sightings.c.at, BigInteger).label("at")  # only compared: no use for a datetime
_AGE = attrgetter("at", "session", "seq")


@dataclass(frozen=True)
class Gathered:
    """The evidence about one URL, what its row should say of its captures (the first of `KEPT`), and the row."""

    evidence: Evidence
    summary: tuple[Any, ...]
    before: Any


@dataclass
class _Loaded:
    """What was read for a batch, by URL key, SHA-256, session or address."""

    rows: dict[str, Any]
    seen: dict[str, list[Any]]
    first: dict[str, str]
    attempts: dict[str, list[Any]]
    artifacts: dict[str, Any]
    observations: dict[str, list[Observation]]
    parents: dict[str, set[str]]
    executable: set[str]
    sessions: dict[str, SessionFacts]
    sources: dict[str, list[str]]
    named: dict[str, int]
    liveness: dict[str, Any]
    showings: dict[str, Showings]
    decided: dict[str, Made]
    allowed: AllowList
    subjects: dict[str, str]
    """Host or payload → its key among subjects of observations."""


def gather(workshop: Workshop, connection: Connection, keys: Sequence[str]) -> dict[str, Gathered]:
    """The evidence about the URLs of these keys; those that do not exist are left out."""
    loaded = _load(workshop, connection, keys)
    return {key: _one(workshop, loaded, key) for key in loaded.rows}


def _one(workshop: Workshop, loaded: _Loaded, key: str) -> Gathered:
    row, seen, attempts = loaded.rows[key], loaded.seen.get(key, []), loaded.attempts.get(key, [])
    payloads = _payloads(loaded, attempts)
    direct = [item for item in seen if item.parent_sha256 is None]
    visits = [
        loaded.sessions[session]
        for session in list(dict.fromkeys(item.session for item in direct))[:_SESSIONS]
        if session in loaded.sessions
    ]
    raws = {bytes(item.raw) for item in direct}
    answers = [
        item.at
        for item in attempts
        if item.outcome == "fetched" and (item.status or 200) < 400 and item.sha256
    ]
    live = loaded.liveness.get(key)
    sources = loaded.sources.get(key, [])
    foreign = [address for address in sources if not workshop.is_operator(address)]
    named = [loaded.named.get(address, 0) for address in foreign[:_SOURCES]]
    evidence = Evidence(
        url=row.url, host=row.host, port=row.port, scheme=row.scheme,
        raw_address=host_address(row.host) is not None,
        first_seen=row.first_seen,
        # The first session's id has 80 bits of chance, is in the journal, and is published nowhere.
        secret=loaded.first.get(key, ""),
        sources=max(0, row.sources - (len(sources) - len(foreign))), sightings=row.sightings,
        asked=any(item.method in ("asked", "wire") for item in seen),
        commanded=row.depth == 0 and any(item.client for item in seen),
        run=any(item.sha256 in loaded.executable for item in payloads)
        or any(visit.ran(row.url, raws) for visit in visits),
        from_malicious=any(
            parent != key
            for item in seen
            if item.parent_sha256
            for parent in loaded.parents.get(item.parent_sha256, ())
        ),
        held=row.held,
        carries_own_address=_carries_own(workshop, row.url, visits),
        shown_first=loaded.showings[key].first, shown_days=loaded.showings[key].days,
        certainty=max((item.confidence for item in seen), default=0),
        payloads=payloads,
        outcomes=tuple(dict.fromkeys(item.outcome for item in attempts)),
        observations=tuple(
            item
            for subject in (
                key, loaded.subjects[row.host], *(loaded.subjects[payload.sha256] for payload in payloads)
            )
            for item in loaded.observations.get(subject, ())
        )
        if loaded.observations
        else (),
        labels=workshop.known_hosts.labels(row.host),
        operator=bool(sources) and not foreign,
        # The least talkative source counts: one that names little else is believed whatever others do.
        named_hosts=min(named, default=0) if len(foreign) <= _SOURCES else 0,
        protocols=tuple(dict.fromkeys(visit.protocol for visit in visits if visit.protocol)),
        clients=tuple(dict.fromkeys(item.client for item in seen if item.client)),
        techniques=tuple(sorted({tag for visit in visits for tag in visit.techniques})),
        campaign=row.campaign,
        first_online=(live.first_online if live else None) or min(answers, default=None),
        last_online=(live.last_online if live else None) or max(answers, default=None),
        liveness=live.state if live else "",
        decided=_decided(loaded.decided.get(key)),
        allowed=loaded.allowed.entry_of(row.host),
    )  # fmt: skip
    newest = attempts[0] if attempts else None
    kept = payloads[0] if payloads else None
    summary = (
        newest.outcome if newest else "", newest.status if newest else None, newest.at if newest else None,
        kept.sha256 if kept else None, kept.kind if kept else "",
    )  # fmt: skip
    return Gathered(evidence, summary, row)


def _decided(made: Made | None) -> Decided:
    if made is None or (made.decision != "malicious" and made.decision != "benign"):
        return ""  # it was looked at, and is left to the evidence
    return "malicious" if made.decision == "malicious" else "benign"


def _payloads(loaded: _Loaded, attempts: Sequence[Any]) -> tuple[Payload, ...]:
    statuses: dict[str, int | None] = {}
    for item in attempts:
        if item.sha256:
            statuses.setdefault(item.sha256, item.status)
    return tuple(
        _payload(loaded.artifacts[sha256], status)
        for sha256, status in statuses.items()
        if sha256 in loaded.artifacts and loaded.artifacts[sha256].kind
    )


def _payload(row: Any, status: int | None) -> Payload:
    # What analysis wrote, its defaults left out; made a model again, it would cost as much as judging does.
    found: dict[str, Any] = row.analysis
    said = found.get
    return Payload(
        sha256=row.sha256, kind=row.kind, architecture=row.architecture, interpreter=said("interpreter", ""),
        size=row.size or 0, complete=row.complete, status=status, family=said("family", ""),
        action=said("action", ""), role=said("role", ""),
        rules=tuple(match["rule"] for match in said("matches", ())), packer=said("packer", ""),
        antivirus=said("antivirus", ""),
    )  # fmt: skip


def _load(workshop: Workshop, connection: Connection, keys: Sequence[str]) -> _Loaded:
    rows: dict[str, Any] = {}
    for part in in_parts(dict.fromkeys(keys), MANY):
        found_rows = connection.execute(select(*_URL).where(among(connection, urls.c.key, part))).all()
        rows.update((row.key, row) for row in found_rows)
    seen = _newest(
        connection,
        sightings,
        ("session", "seq", _MOMENT, "parent_sha256", "raw", "method", "client", "confidence"),
        rows,
        _SIGHTINGS,
    )
    attempts = _newest(
        connection,
        captures,
        ("outcome", "status", "sha256", "at"),
        rows,
        _CAPTURES,
        captures.c.purpose != "recheck",  # looks bring nothing, and must not hide what did
    )
    payloads = {item.sha256 for found in attempts.values() for item in found if item.sha256}
    parents = {item.parent_sha256 for found in seen.values() for item in found if item.parent_sha256}
    direct: dict[str, None] = {}
    for found in seen.values():
        own = dict.fromkeys(item.session for item in found if item.parent_sha256 is None)
        direct.update(dict.fromkeys(list(own)[:_SESSIONS]))
    subjects = {name: url_key(name) for name in {*payloads, *(row.host for row in rows.values())}}
    sources = _sources(connection, rows)
    return _Loaded(
        rows=rows, seen=seen, first=_first(connection, seen), attempts=attempts,
        artifacts=_by(connection, select(*_ARTIFACT), artifacts.c.sha256, payloads, "sha256"),
        observations=_observations(connection, {*rows, *subjects.values()}),
        parents=_malicious(connection, parents), executable=_executable(connection, payloads),
        sessions=load_sessions(connection, list(direct), {row.url for row in rows.values()}), sources=sources,
        named=_named(connection, {item for found in sources.values() for item in found[:_SOURCES]}),
        liveness=_by(connection, select(liveness), liveness.c.url_key, rows, "url_key"),
        decided=made_of(connection, rows), allowed=allow_list(connection),
        showings=load_showings(workshop, connection, rows), subjects=subjects,
    )  # fmt: skip


def _by(connection: Connection, query: Any, column: Any, values: Iterable[str], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in in_parts(sorted(values), MANY):
        rows = connection.execute(query.where(among(connection, column, part))).all()
        found.update((getattr(row, name), row) for row in rows)
    return found


def _newest(
    connection: Connection,
    table: Any,
    names: Sequence[str | ColumnElement[int]],
    keys: Iterable[str],
    most: int,
    only: ColumnElement[bool] | None = None,
) -> dict[str, list[Any]]:
    """The newest `most` rows of each URL."""
    found: dict[str, list[Any]] = {}
    place = func.row_number().over(
        partition_by=table.c.url_key, order_by=(table.c.at.desc(), table.c.session, table.c.seq)
    )
    for part in in_parts(keys, MANY):
        numbered = (
            select(
                table.c.url_key,
                *(table.c[name] if isinstance(name, str) else name for name in names),
                place.label("place"),
            )
            .where(among(connection, table.c.url_key, part), *(() if only is None else (only,)))
            .subquery()
        )
        query = (
            select(numbered).where(numbered.c.place <= most).order_by(numbered.c.url_key, numbered.c.place)
        )
        for row in connection.execute(query).all():
            found.setdefault(row.url_key, []).append(row)
    return found


def _first(connection: Connection, seen: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """The session that showed each URL first; of its `seen` sightings where these are all."""
    found: dict[str, str] = {}
    for key, items in seen.items():
        if len(items) < _SIGHTINGS:
            found[key] = min(items, key=_AGE).session
    order = (sightings.c.at, sightings.c.session, sightings.c.seq)
    for part in in_parts((key for key in seen if key not in found), MANY):
        place = func.row_number().over(partition_by=sightings.c.url_key, order_by=order)
        numbered = (
            select(sightings.c.url_key, sightings.c.session, place.label("place"))
            .where(among(connection, sightings.c.url_key, part))
            .subquery()
        )
        rows = connection.execute(select(numbered).where(numbered.c.place == 1)).all()
        found.update((row.url_key, row.session) for row in rows)
    return found


def _observations(connection: Connection, subjects: Iterable[str]) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = {}
    for part in in_parts(sorted(subjects), MANY):
        rows = connection.execute(
            select(observations)
            .where(among(connection, observations.c.subject_sha256, part))
            .order_by(observations.c.provider, observations.c.subject_kind)
        ).all()
        for row in rows:
            found.setdefault(row.subject_sha256, []).append(
                Observation(
                    provider=row.provider, subject_kind=row.subject_kind, subject=row.subject, at=row.at,
                    result=row.result, detail=row.detail, tags=row.tags, reference=row.reference,
                )
            )  # fmt: skip
    return found


def _malicious(connection: Connection, payloads: Iterable[str]) -> dict[str, set[str]]:
    """Payload → keys of malicious URLs that served it."""
    found: dict[str, set[str]] = {}
    for part in in_parts(sorted(payloads), MANY):
        rows = connection.execute(
            select(captures.c.sha256, urls.c.key)
            .join(captures, captures.c.url_key == urls.c.key)
            .where(among(connection, captures.c.sha256, part), urls.c.verdict.like("malicious-%"))
            .distinct()
        ).all()
        for row in rows:
            found.setdefault(row.sha256, set()).add(row.key)
    return found


def _executable(connection: Connection, payloads: Iterable[str]) -> set[str]:
    """Payloads that lay on an attacker's machine as a file that may be run."""
    found: set[str] = set()
    for part in in_parts(sorted(payloads), MANY):
        rows = connection.execute(
            select(files.c.sha256, files.c.mode)
            .where(among(connection, files.c.sha256, part), files.c.mode.is_not(None))
            .distinct()
        ).all()
        found.update(row.sha256 for row in rows if row.mode & 0o111)
    return found


def _sources(connection: Connection, rows: Mapping[str, Any]) -> dict[str, list[str]]:
    """Source addresses of each URL; of those that very many showed, none is needed."""
    found: dict[str, list[str]] = {}
    few = [key for key, row in rows.items() if row.sources <= _MOST_SOURCES]
    for part in in_parts(few, MANY):
        query = (
            select(url_sources)
            .where(among(connection, url_sources.c.url_key, part))
            .order_by(url_sources.c.address)
        )
        for row in connection.execute(query).all():
            found.setdefault(row.url_key, []).append(row.address)
    return found


def _named(connection: Connection, addresses: Iterable[str]) -> dict[str, int]:
    """How many hosts each address has named."""
    found: dict[str, int] = {}
    for part in in_parts(sorted(addresses), MANY):
        rows = connection.execute(
            select(url_sources.c.address, func.count(urls.c.host.distinct()).label("n"))
            .join(urls, urls.c.key == url_sources.c.url_key)
            .where(among(connection, url_sources.c.address, part))
            .group_by(url_sources.c.address)
        ).all()
        found.update((row.address, row.n) for row in rows)
    return found


def _carries_own(workshop: Workshop, url: str, visits: Sequence[SessionFacts]) -> bool:
    """Whether an address or the name of a machine that the URL was shown to, or of ours, stands anywhere in it."""
    addresses = {*workshop.own_addresses, *(visit.dst_ip for visit in visits)}
    names = {*workshop.settings.public.hidden, *(visit.persona for visit in visits)}
    return _unmasking(frozenset(addresses), frozenset(names), workshop.public_networks).carries(url)


@lru_cache(maxsize=256)
def _unmasking(addresses: frozenset[str], names: frozenset[str], public: tuple[IpNetwork, ...]) -> Unmasking:
    """Without those that tell nobody where a sensor is."""
    telling = []
    for text in addresses | names:
        address = host_address(text)
        if address is not None and not Context(public_networks=public).is_public_by_setting(address):
            telling.append(text)
    return Unmasking(telling, (name for name in names if host_address(name) is None))
