"""Data that ages out: raw events, sessions, and addresses, which lose their last part or go altogether."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from urltrap.model.event import Connected, EventBase, FloodCounted, decode_event, encode_event
from urltrap.store import partitions
from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.rollups import rename_addresses
from urltrap.store.rows import SESSIONLESS
from urltrap.store.schema import (
    addresses,
    commands,
    events,
    facts,
    files,
    floods,
    forwards,
    logins,
    metadata,
    observations,
    program_runs,
    recordings,
    sessions,
    sightings,
    troubles,
    url_sources,
)
from urltrap.store.schema_cowrie import answers, environment, not_found
from urltrap.store.types import from_micros, to_micros
from urltrap.store.upsert import insert_new, upsert

ChangeAddress = Callable[[str], str]
"""An address → what is kept of it (itself where nothing has to change)."""

_COARSE_UNTIL = "addresses.coarse_until"
_PART = 500
_DETAILS = (
    logins, commands, program_runs, forwards, files, recordings, troubles, answers, environment, not_found,
)  # fmt: skip


def coarse(address: str) -> str:
    """The network of an address that is kept when it has aged: /24, or /48 of IPv6; what is no address stays."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, bits), strict=False).network_address)


def nobody(address: str) -> ChangeAddress:
    """A change that replaces this one address by the unspecified one."""
    unspecified = "::" if ":" in address else "0.0.0.0"
    return lambda found: unspecified if found == address else found


def changed_event(event: EventBase, change: ChangeAddress) -> EventBase:
    """The event with its source address changed; the same object where nothing changes."""
    if isinstance(event, Connected | FloodCounted) and (new := change(event.src_ip)) != event.src_ip:
        return event.model_copy(update={"src_ip": new})
    return event


def expire(store: Store, events_before: datetime, sessions_before: datetime) -> dict[str, int]:
    """Delete raw events (and terminal recordings) older than one moment, whole sessions older than the other.

    Rows deleted per table. Figures, URLs, captures and artifacts stay. In parts, so that intake is never held up long.
    """
    gone: dict[str, int] = {}
    if store.dialect == "postgresql":
        with store.begin() as connection:
            partitions.prepare(connection, datetime.now(UTC))
            dropped, bound = partitions.drop_months(connection, events_before, SESSIONLESS)
            if bound:
                gone["events"] = dropped
                _delete(connection, gone, recordings, recordings.c.session < bound)
    while True:
        with store.begin() as connection:
            old = _ids(
                connection, select(sessions.c.id).where(sessions.c.started < sessions_before).limit(_PART)
            )
            for table in (*_DETAILS, events):
                _delete(connection, gone, table, table.c.session.in_(old))
            _delete(connection, gone, sessions, sessions.c.id.in_(old))
        if not old:
            break
    while True:
        with store.begin() as connection:
            has_events = exists().where(events.c.session == sessions.c.id)
            old = _ids(
                connection,
                select(sessions.c.id).where(sessions.c.started < events_before, has_events).limit(_PART),
            )
            _delete(connection, gone, events, events.c.session.in_(old))
            _delete(connection, gone, recordings, recordings.c.session.in_(old))
        if not old:
            return gone


def coarsen(store: Store, before: datetime) -> int:
    """Keep only the network of addresses in everything older than `before`; how many sessions were changed.

    Continues where the last call ended. An address that came again since keeps its own row until it has aged, too.
    """
    with store.connect() as connection:
        done = connection.execute(select(facts.c.value).where(facts.c.name == _COARSE_UNTIL)).scalar()
    since = from_micros(int(done)) if done else from_micros(0)
    if since >= before:
        return 0
    changed = 0
    with store.connect() as connection:
        found = connection.execute(
            select(sessions.c.id, sessions.c.src_ip).where(
                sessions.c.started >= since, sessions.c.started < before
            )
        ).all()
    for part in in_parts([row for row in found if coarse(row.src_ip) != row.src_ip], _PART):
        with store.begin() as connection:
            _change_sessions(connection, {row.id: row.src_ip for row in part}, coarse)
        changed += len(part)
    with store.begin() as connection:
        shed = select(floods.c.session, floods.c.seq, floods.c.src_ip).where(
            floods.c.since >= since, floods.c.since < before
        )
        _change_floods(connection, connection.execute(shed).all(), coarse)
        aged = connection.execute(select(addresses.c.address).where(addresses.c.last_seen < before)).scalars()
        _move_addresses(connection, [address for address in aged if coarse(address) != address], coarse)
        upsert(
            connection, facts, [{"name": _COARSE_UNTIL, "value": str(to_micros(before))}], replace=["value"]
        )
    return changed


def forget(store: Store, address: str) -> int:
    """Replace one source address everywhere by the unspecified one; how many sessions it had."""
    change = nobody(address)
    with store.begin() as connection:
        ids = _ids(connection, select(sessions.c.id).where(sessions.c.src_ip == address))
        for part in in_parts(ids, _PART):
            _change_sessions(connection, dict.fromkeys(part, address), change)
        shed = select(floods.c.session, floods.c.seq, floods.c.src_ip).where(floods.c.src_ip == address)
        _change_floods(connection, connection.execute(shed).all(), change)
        _move_addresses(connection, [address], change)
        seen = connection.execute(select(sightings.c.session).where(sightings.c.src_ip == address)).scalars()
        for part in in_parts(set(seen), _PART):
            connection.execute(
                update(sightings)
                .where(sightings.c.session.in_(part), sightings.c.src_ip == address)
                .values(src_ip=change(address))
            )
    return len(ids)


def _ids(connection: Connection, query: Any) -> list[str]:
    return list(connection.execute(query).scalars())


def _delete(connection: Connection, gone: dict[str, int], table: Any, condition: Any) -> None:
    count = connection.execute(delete(table).where(condition)).rowcount
    if count:
        gone[table.name] = gone.get(table.name, 0) + count


def _change_sessions(connection: Connection, found: dict[str, str], change: ChangeAddress) -> None:
    """Change the address of sessions, of their connect events and sightings, and of the URLs' sources."""
    sightings_of = select(sightings.c.url_key, sightings.c.src_ip).where(sightings.c.session.in_(list(found)))
    pairs = {(row.url_key, row.src_ip) for row in connection.execute(sightings_of)}
    rows = [{"b_id": id_, "b_ip": change(address)} for id_, address in found.items()]
    connection.execute(
        update(sessions).where(sessions.c.id == bindparam("b_id")).values(src_ip=bindparam("b_ip")), rows
    )
    connection.execute(
        update(sightings).where(sightings.c.session == bindparam("b_id")).values(src_ip=bindparam("b_ip")),
        rows,
    )
    _change_bodies(
        connection,
        select(events.c.session, events.c.seq, events.c.body).where(
            events.c.session.in_(list(found)), events.c.kind == "session.connect"
        ),
        change,
    )
    _ensure_addresses(connection, set(found.values()), change)
    insert_new(
        connection,
        url_sources,
        [
            {"url_key": key, "address": address}
            for key, address in {(key, change(ip)) for key, ip in pairs if ip}
        ],
    )
    for key, address in pairs:
        still = select(sightings.c.session).where(sightings.c.url_key == key, sightings.c.src_ip == address)
        if change(address) != address and connection.execute(still.limit(1)).first() is None:
            connection.execute(
                delete(url_sources).where(url_sources.c.url_key == key, url_sources.c.address == address)
            )


def _change_bodies(connection: Connection, query: Any, change: ChangeAddress) -> None:
    rows = []
    for row in connection.execute(query).all():
        if row.body:
            body = encode_event(changed_event(decode_event(row.body), change))
            if body != row.body:
                rows.append({"b_session": row.session, "b_seq": row.seq, "b_body": body})
    if rows:
        connection.execute(
            update(events)
            .where(events.c.session == bindparam("b_session"), events.c.seq == bindparam("b_seq"))
            .values(body=bindparam("b_body")),
            rows,
        )


def _change_floods(connection: Connection, found: Iterable[Any], change: ChangeAddress) -> None:
    rows = [
        {"b_session": row.session, "b_seq": row.seq, "b_ip": change(row.src_ip)}
        for row in found
        if change(row.src_ip) != row.src_ip
    ]
    if not rows:
        return
    connection.execute(
        update(floods)
        .where(floods.c.session == bindparam("b_session"), floods.c.seq == bindparam("b_seq"))
        .values(src_ip=bindparam("b_ip")),
        rows,
    )
    for part in in_parts({row["b_session"] for row in rows}, _PART):
        _change_bodies(
            connection,
            select(events.c.session, events.c.seq, events.c.body).where(
                events.c.session.in_(part), events.c.kind == "flood.counted"
            ),
            change,
        )


def _ensure_addresses(connection: Connection, found: set[str], change: ChangeAddress) -> None:
    """A row for every changed address, which has the place of the one it stands for."""
    for part in in_parts(sorted(found), _PART):
        rows = connection.execute(select(addresses).where(addresses.c.address.in_(part))).mappings().all()
        new = {change(row["address"]): {**row, "address": change(row["address"])} for row in rows}
        insert_new(connection, addresses, [{**row, "sessions": 0, "shed": 0} for row in new.values()])


def _move_addresses(connection: Connection, found: list[str], change: ChangeAddress) -> None:
    """Add the figures of addresses to what is kept of them, and delete every row that names them."""
    for part in in_parts(found, _PART):
        rows = connection.execute(select(addresses).where(addresses.c.address.in_(part))).mappings().all()
        joined: dict[str, dict[str, Any]] = {}
        for row in rows:
            new = change(row["address"])
            into = joined.setdefault(new, {**row, "address": new, "sessions": 0, "shed": 0})
            into["first_seen"] = min(into["first_seen"], row["first_seen"])
            into["last_seen"] = max(into["last_seen"], row["last_seen"])
            into["sessions"] += row["sessions"]
            into["shed"] += row["shed"]
        upsert(
            connection, addresses, list(joined.values()), add=["sessions", "shed"], lowest=["first_seen"],
            highest=["last_seen"],
        )  # fmt: skip
        connection.execute(delete(addresses).where(addresses.c.address.in_(part)))
        rename_addresses(connection, {address: change(address) for address in part})
        for name in ("names", "address_labels"):
            table = metadata.tables[name]
            connection.execute(delete(table).where(table.c.address.in_(part)))
        for table in (observations, metadata.tables["lookups"]):
            connection.execute(delete(table).where(table.c.subject_kind == "ip", table.c.subject.in_(part)))
