"""What people decided: the newest word on a URL counts, the allow-list is what was put on and not taken off since.

Rows come from the journal (`event.Decided`) and are never changed: each decision stands beside those before it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, not_, or_, select

from urltrap.model.decisions import LIST_DECISIONS, URL_DECISIONS
from urltrap.model.verdict import Reason
from urltrap.model.views import UrlPage
from urltrap.store.among import MANY, among
from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.queries.shared import PAGE, make_cursor, page_size, read_cursor, url_row
from urltrap.store.rows import url_key
from urltrap.store.schema import decisions, urls, verdicts

Queue = Literal["open", "left"]

_ORDER = (decisions.c.at, decisions.c.session, decisions.c.seq)


@dataclass(frozen=True, slots=True)
class Made:
    """One decision: what about, by whom, when, and why."""

    subject: str
    decision: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AllowList:
    """The entries that stand. Few: people write them."""

    entries: dict[str, Made] = field(default_factory=dict)
    _networks: tuple[tuple[Any, str], ...] = ()

    @classmethod
    def of(cls, entries: dict[str, Made]) -> AllowList:
        """The list of these entries."""
        networks = [(ipaddress.ip_network(entry), entry) for entry in entries if "/" in entry]
        return cls(entries, tuple(networks))

    def entry_of(self, host: str) -> str:
        """The entry that allows a canonical host; empty where none does."""
        name = host.strip("[]").rstrip(".").lower()
        if not self.entries:
            return ""
        if name in self.entries:
            return name
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            parts = name.split(".")
            above = ("." + ".".join(parts[start:]) for start in range(len(parts)))
            return next((entry for entry in above if entry in self.entries), "")
        return next((entry for network, entry in self._networks if address in network), "")


def made_of(connection: Connection, keys: Iterable[str]) -> dict[str, Made]:
    """The decision that counts of each URL, by its key; without those that were withdrawn."""
    found: dict[str, Made] = {}
    for part in in_parts(keys, MANY):
        query = select(decisions).where(
            among(connection, decisions.c.subject_sha256, part), decisions.c.decision.in_(URL_DECISIONS)
        )
        for row in connection.execute(query.order_by(*_ORDER)):
            found[row.subject_sha256] = _made(row)
    return {key: made for key, made in found.items() if made.decision != "withdrawn"}


def allow_list(connection: Connection) -> AllowList:
    """The allow-list as it stands."""
    entries: dict[str, Made] = {}
    query = select(decisions).where(decisions.c.decision.in_(LIST_DECISIONS))
    for row in connection.execute(query.order_by(*_ORDER)):
        if row.decision == "allow":
            entries[row.subject] = _made(row)
        else:
            entries.pop(row.subject, None)
    return AllowList.of(entries)


def history(store: Store, subject: str, limit: int = 100) -> list[Made]:
    """All that was decided about a URL or an entry, newest first."""
    query = select(decisions).where(decisions.c.subject_sha256 == url_key(subject))
    with store.connect() as connection:
        rows = connection.execute(query.order_by(*(column.desc() for column in _ORDER)).limit(limit)).all()
    return [_made(row) for row in rows]


def queue(store: Store, which: Queue = "open", cursor: str | None = None, limit: int = PAGE) -> UrlPage:
    """Suspicious URLs to look at, most recently seen first: those that nobody decided about
    (`open`), or those that were looked at and left. Raises shared.BadCursor."""
    limit = page_size(limit)
    query = select(urls).where(
        urls.c.verdict == "suspicious", _looked_at() if which == "left" else not_(_looked_at())
    )
    if cursor:
        seen, key = read_cursor(cursor)
        query = query.where(or_(urls.c.last_seen < seen, and_(urls.c.last_seen == seen, urls.c.key < key)))
    query = query.order_by(urls.c.last_seen.desc(), urls.c.key.desc()).limit(limit + 1)
    with store.connect() as connection:
        found = connection.execute(query).mappings().all()
    rows = [url_row(row) for row in found[:limit]]
    following = make_cursor(rows[-1].last_seen, rows[-1].id) if len(found) > limit else None
    return UrlPage(rows=rows, next=following)


def count_open(store: Store, most: int = 1000) -> int:
    """How many URLs wait in the queue, counted up to `most`."""
    waiting = (
        select(urls.c.key).where(urls.c.verdict == "suspicious", not_(_looked_at())).limit(most).subquery()
    )
    with store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(waiting)).scalar_one())


def reasons(store: Store, keys: list[str]) -> dict[str, list[Reason]]:
    """The reasons of these URLs' verdicts, in their order."""
    query = select(verdicts.c.url_key, verdicts.c.reasons).where(verdicts.c.url_key.in_(keys))
    with store.connect() as connection:
        rows = connection.execute(query).all()
    return {row.url_key: [Reason.model_validate(reason) for reason in row.reasons] for row in rows}


def keys_below(connection: Connection, entry: str) -> list[str]:
    """Keys of all URLs whose host an entry of the allow-list is about."""
    if "/" in entry:
        network = ipaddress.ip_network(entry)
        # Hosts that are addresses: they begin with a digit or hold colons, and no index knows networks.
        numbers = or_(urls.c.host.contains(":"), *(urls.c.host.startswith(digit) for digit in "0123456789"))
        rows = connection.execute(select(urls.c.key, urls.c.host).where(numbers)).all()
        return [row.key for row in rows if _is_in(row.host, network)]
    name = entry.removeprefix(".")
    wanted: ColumnElement[bool] = urls.c.host == name
    if entry.startswith("."):
        wanted = or_(wanted, urls.c.host.endswith(entry, autoescape=True))
    return list(connection.execute(select(urls.c.key).where(wanted)).scalars())


def _looked_at() -> ColumnElement[bool]:
    """Whether the newest word on a URL is that it is left as it is."""
    later = decisions.alias()
    about = and_(decisions.c.subject_sha256 == urls.c.key, decisions.c.decision.in_(URL_DECISIONS))
    newer = exists().where(
        later.c.subject_sha256 == decisions.c.subject_sha256,
        later.c.decision.in_(URL_DECISIONS),
        or_(
            later.c.at > decisions.c.at,
            and_(later.c.at == decisions.c.at, later.c.session > decisions.c.session),
        ),
    )
    return exists().where(about, decisions.c.decision == "leave", not_(newer))


def _is_in(host: str, network: Any) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")) in network
    except ValueError:
        return False


def _made(row: Row[Any]) -> Made:
    return Made(row.subject, row.decision, row.by, row.at, row.reason)
