"""Observations into the store, and how long a URL was known here before a provider listed it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from urltrap.model.verdict import Observation
from urltrap.store.intake import in_parts
from urltrap.store.schema import captures, observations, urls
from urltrap.store.schema_intel import leads
from urltrap.store.upsert import insert_new, upsert

_MOST_URLS = 1000


def record(connection: Connection, answers: Iterable[Observation]) -> list[str]:
    """Keep answers; the keys of the URLs that they say something about (to be judged again).

    That a provider cannot say (`error`) does not take back what it said before.
    """
    rows = {(row["provider"], row["subject_kind"], row["subject_sha256"]): row for row in map(_row, answers)}
    upsert(
        connection,
        observations,
        [row for row in rows.values() if row["result"] != "error"],
        replace=["at", "result", "detail", "tags", "reference", "since"],
        lowest=["first_listed"],
    )
    insert_new(connection, observations, [row for row in rows.values() if row["result"] == "error"])
    touched: dict[str, None] = {}
    led: list[dict[str, Any]] = []
    for row in rows.values():
        about = _urls(connection, row["subject_kind"], row["subject"], row["subject_sha256"])
        touched.update(dict.fromkeys(key for key, _ in about))
        # That something on a host is listed says nothing about one URL of it.
        if row["result"] == "listed" and row["subject_kind"] in ("url", "sha256"):
            led += [_lead(key, first_seen, row) for key, first_seen in about]
    _keep_leads(connection, led)
    return list(touched)


def _row(answer: Observation) -> dict[str, Any]:
    return {
        "provider": answer.provider, "subject_kind": answer.subject_kind,
        "subject_sha256": hashlib.sha256(answer.subject.encode()).hexdigest(), "subject": answer.subject,
        "at": answer.at, "result": answer.result, "detail": answer.detail, "tags": answer.tags,
        "reference": answer.reference, "first_listed": answer.at if answer.result == "listed" else None,
        "since": answer.since,
    }  # fmt: skip


def _urls(connection: Connection, kind: str, subject: str, key: str) -> Sequence[tuple[str, datetime]]:
    if kind == "url":
        wanted = urls.c.key == key
    elif kind == "sha256":
        wanted = urls.c.key.in_(select(captures.c.url_key).where(captures.c.sha256 == subject))
    else:
        wanted = urls.c.host == subject
    rows = connection.execute(select(urls.c.key, urls.c.first_seen).where(wanted).limit(_MOST_URLS)).all()
    return [(row.key, row.first_seen) for row in rows]


def _lead(key: str, first_seen: datetime, row: dict[str, Any]) -> dict[str, Any]:
    listed: datetime = row["since"] or row["first_listed"]
    return {
        "url_key": key, "provider": row["provider"], "first_seen": first_seen, "listed": listed,
        "basis": "stated" if row["since"] else "observed",
        "seconds": (listed - first_seen) // timedelta(seconds=1),
    }  # fmt: skip


def _keep_leads(connection: Connection, found: list[dict[str, Any]]) -> None:
    """Earlier listings win: of the URL before its payload, stated before observed later."""
    known: dict[tuple[str, str], Any] = {}
    keys = list(dict.fromkeys(row["url_key"] for row in found))
    for part in in_parts(keys):
        for row in connection.execute(select(leads).where(leads.c.url_key.in_(part))):
            known[row.url_key, row.provider] = row
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for lead in found:
        key = (lead["url_key"], lead["provider"])
        before = known.get(key)
        if before is not None and before.listed <= lead["listed"]:
            # The same listing, but an older sighting of ours may have come in since.
            lead = {**lead, "listed": before.listed, "basis": before.basis}
            lead["seconds"] = (lead["listed"] - lead["first_seen"]) // timedelta(seconds=1)
        other = best.get(key)
        if other is None or lead["listed"] < other["listed"]:
            best[key] = lead
    upsert(connection, leads, list(best.values()), replace=["first_seen", "listed", "basis", "seconds"])
