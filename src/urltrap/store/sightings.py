"""Writing sightings: URLs are made or extended, and what they need next becomes due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from urltrap.model.sighting import Recovered
from urltrap.model.url import Url, parse_url
from urltrap.store.intake import in_parts
from urltrap.store.keys import is_among
from urltrap.store.rollups import add_tallies, tally_key
from urltrap.store.rows import url_key
from urltrap.store.schema import captures, sessions, sightings, url_sources, urls
from urltrap.store.types import DAY, to_micros
from urltrap.store.upsert import insert_new

DEEPEST = 4
"""A URL found in a payload of a payload … this deep is kept, but not captured: chains without end are possible."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The URLs recovered from one event, or from one artifact that came with it.

    `first`: number of the first sighting, so that texts of one event are told apart. `depth`: 0 for what an attacker
    named himself.
    """

    session: str
    seq: int
    at: datetime
    sensor: str
    src_ip: str
    recovered: Sequence[Recovered]
    first: int = 0
    depth: int = 0
    parent_sha256: str | None = None


def save_sightings(connection: Connection, batch: Sequence[Seen]) -> dict[str, bool]:
    """Insert what is new of `batch`; key of each URL that got a sighting → whether it is held back.

    Idempotent: sightings that are there already change nothing.
    """
    known = _known(connection, batch)
    rows: list[dict[str, Any]] = []
    touched: dict[str, dict[str, Any]] = {}
    per_session: dict[str, int] = {}
    sources: set[tuple[str, str]] = set()
    counted: dict[tuple[int, str, bytes], tuple[bytes, bytes, int]] = {}
    for seen in batch:
        for number, item in enumerate(seen.recovered, seen.first):
            if (seen.session, seen.seq, number) in known:
                continue
            key = url_key(item.url)
            rows.append(_sighting(seen, number, key, item))
            _touch(touched, key, seen, item)
            _count(counted, seen, key, item)
            per_session[seen.session] = per_session.get(seen.session, 0) + 1
            if seen.src_ip:
                sources.add((key, seen.src_ip))
    if not rows:
        return {}
    insert_new(connection, sightings, rows)
    new_sources = _new_sources(connection, sources)
    held = _write_urls(connection, touched, new_sources)
    add_tallies(connection, counted)
    if per_session:
        # An address that asked for a URL is a dropper whatever else it did, save sending a file itself.
        connection.execute(
            update(sessions)
            .where(sessions.c.id == bindparam("b_id"))
            .values(
                urls=sessions.c.urls + bindparam("b_n"),
                classed=case((sessions.c.classed == "upload", "upload"), else_="dropper"),
            ),
            [{"b_id": session, "b_n": n} for session, n in per_session.items()],
        )
    return held


def newest_captures(connection: Connection, keys: Sequence[str]) -> dict[str, datetime]:
    """The moment of the newest capture of each URL that has one (no look, and none for which nothing was sent)."""
    found: dict[str, datetime] = {}
    for part in in_parts(keys):
        rows = connection.execute(
            select(captures.c.url_key, func.max(captures.c.at).label("at"))
            .where(
                captures.c.url_key.in_(part), captures.c.outcome != "limited", captures.c.purpose != "recheck"
            )
            .group_by(captures.c.url_key)
        )
        found.update((row.url_key, row.at) for row in rows)
    return found


def _known(connection: Connection, batch: Sequence[Seen]) -> set[tuple[str, int, int]]:
    known: set[tuple[str, int, int]] = set()
    for part in in_parts(dict.fromkeys((seen.session, seen.seq) for seen in batch)):
        rows = connection.execute(
            select(sightings.c.session, sightings.c.seq, sightings.c.n).where(
                is_among(connection.dialect.name, (sightings.c.session, sightings.c.seq), part)
            )
        )
        known.update((row.session, row.seq, row.n) for row in rows)
    return known


def _sighting(seen: Seen, number: int, key: str, item: Recovered) -> dict[str, Any]:
    return {
        "session": seen.session, "seq": seen.seq, "n": number, "url_key": key, "at": seen.at, "src_ip": seen.src_ip,
        "sensor": seen.sensor, "raw": item.raw, "span_start": item.span[0], "span_end": item.span[1],
        "method": item.method, "chain": item.chain, "client": item.client[:40], "confidence": item.confidence,
        "flags": list(item.flags), "parent_sha256": seen.parent_sha256,
    }  # fmt: skip


def _touch(touched: dict[str, dict[str, Any]], key: str, seen: Seen, item: Recovered) -> None:
    entry = touched.setdefault(
        key,
        {
            "url": item.url,
            "first": seen.at,
            "last": seen.at,
            "n": 0,
            "depth": seen.depth,
            "held": True,
            "flags": set(),
        },
    )
    entry["first"] = min(entry["first"], seen.at)
    entry["last"] = max(entry["last"], seen.at)
    entry["n"] += 1
    entry["depth"] = min(entry["depth"], seen.depth)
    entry["held"] = entry["held"] and bool(item.flags)
    entry["flags"].update(item.flags)


def _count(
    counted: dict[tuple[int, str, bytes], tuple[bytes, bytes, int]], seen: Seen, key: str, item: Recovered
) -> None:
    day = to_micros(seen.at) // DAY * DAY
    for what, text in (("url", key), ("host", parse_url(item.url).host[:255])):
        value = text.encode()
        place = (day, what, tally_key(value))
        counted[place] = (value, b"", counted.get(place, (b"", b"", 0))[2] + 1)


def _new_sources(connection: Connection, sources: set[tuple[str, str]]) -> dict[str, int]:
    missing = set(sources)
    for part in in_parts(sorted(sources)):
        rows = connection.execute(
            select(url_sources.c.url_key, url_sources.c.address).where(
                is_among(connection.dialect.name, (url_sources.c.url_key, url_sources.c.address), part)
            )
        )
        missing.difference_update((row.url_key, row.address) for row in rows)
    insert_new(
        connection, url_sources, [{"url_key": key, "address": address} for key, address in sorted(missing)]
    )
    counts: dict[str, int] = {}
    for key, _ in missing:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _write_urls(
    connection: Connection, touched: dict[str, dict[str, Any]], new_sources: dict[str, int]
) -> dict[str, bool]:
    existing: dict[str, Any] = {}
    for part in in_parts(touched):
        for row in connection.execute(select(urls).where(urls.c.key.in_(part))).mappings():
            existing[row["key"]] = row
    held: dict[str, bool] = {}
    for key, entry in touched.items():
        before = existing.get(key)
        held[key] = entry["held"] and (before is None or before["held"])
        flags = sorted(entry["flags"] | set(before["flags"] if before else ())) if held[key] else []
        if before is None:
            connection.execute(
                urls.insert().values(_new_url(key, entry, new_sources.get(key, 0), held[key], flags))
            )
            continue
        connection.execute(
            update(urls)
            .where(urls.c.key == key)
            .values(
                first_seen=min(before["first_seen"], entry["first"]),
                last_seen=max(before["last_seen"], entry["last"]),
                sightings=before["sightings"] + entry["n"],
                sources=before["sources"] + new_sources.get(key, 0),
                depth=min(before["depth"], entry["depth"]),
                held=held[key],
                flags=flags,
            )
        )
    return held


def _new_url(key: str, entry: dict[str, Any], sources: int, held: bool, flags: list[str]) -> dict[str, Any]:
    parsed: Url = parse_url(entry["url"])
    return {
        "key": key, "url": parsed.text, "scheme": parsed.scheme, "host": parsed.host[:255], "port": parsed.port,
        "first_seen": entry["first"], "last_seen": entry["last"], "sightings": entry["n"], "sources": sources,
        "depth": entry["depth"], "held": held, "flags": flags, "outcome": "", "status": None, "captured_at": None,
        "sha256": None, "kind": "", "verdict": "unknown", "confidence": 0, "publish_after": None,
        "published_at": None,
    }  # fmt: skip
