"""Recover: URLs out of events and out of the scripts that came with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from urltrap import recover
from urltrap.model.artifact import Analysis
from urltrap.model.event import (
    Captured,
    CommandEntered,
    DownloadAsked,
    Event,
    WireSeen,
    decode_event,
    owner_of,
)
from urltrap.model.sighting import Recovered
from urltrap.model.url import parse_url
from urltrap.pipeline.stage import BATCH, note_failure
from urltrap.pipeline.workshop import Workshop
from urltrap.recover import Context
from urltrap.recover.flags import host_address
from urltrap.store import StoreError, work
from urltrap.store.intake import in_parts
from urltrap.store.keys import is_among
from urltrap.store.rows import url_key
from urltrap.store.schema import artifacts, events, sessions, urls
from urltrap.store.sightings import DEEPEST, Seen, newest_captures, save_sightings

SETTLE = timedelta(milliseconds=200)
"""A named URL waits this long before the pipeline asks for it: mostly the attacker's own program does, with the same
bytes for both, and then there is nothing left to ask."""

_SPELL_SECONDS = 0.1
_LARGEST_SCRIPT = 1_000_000
_LARGEST_STUB = 65_536
_LEAST_CERTAIN = 60


@dataclass(frozen=True, slots=True)
class _Text:
    """One job with what it needs: its event, and the session that the event belongs to."""

    job: work.Job
    event: Event
    session: dict[str, Any]
    artifact: str


class RecoverStage:
    """Jobs: "SESSION/SEQ" (the event's text) and "SESSION/SEQ/SHA256" (an artifact that is a script)."""

    name = "recover"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds, monotonic."""
        self._clock = clock
        # Builds the recovery machine now: the first attacker's URLs would wait for it, and be late.
        recover.urls(b":")

    def run(self, workshop: Workshop) -> int:
        """Recover a batch; a text that fails is tried again later and stops nobody.

        A batch ends early where its texts take long: what they named is to be asked for meanwhile.
        """
        due = _first_ones(workshop)
        if not due:
            return 0
        until = self._clock() + _SPELL_SECONDS
        failed: list[tuple[work.Job, Exception]] = []
        seen: list[Seen] = []
        with workshop.store.connect() as connection:
            for number, text in enumerate(texts := _load(connection, due)):
                if number and self._clock() > until:
                    left = {later.job.subject for later in texts[number:]}
                    due = [job for job in due if job.subject not in left]
                    break
                try:
                    found = _recover(workshop, connection, text)
                except StoreError:
                    raise
                except Exception as error:
                    failed.append((text.job, error))
                    continue
                if found is not None and found.recovered:
                    seen.append(found)
        bad = {job.subject for job, _ in failed}
        with workshop.store.begin() as connection:
            held = save_sightings(connection, seen)
            _make_due(workshop, connection, seen, held)
            work.finish(connection, self.name, [job.subject for job in due if job.subject not in bad])
        for job, reason in failed:
            note_failure(workshop, job, reason)
        return len(due) - len(failed)


def _first_ones(workshop: Workshop) -> list[work.Job]:
    """What is due: typed lines before files, which take longer; where more waits than a batch, the newest first."""
    now = workshop.now()
    due = work.due(workshop.store, RecoverStage.name, now, BATCH)
    if len(due) == BATCH:
        due = [*work.newest(workshop.store, RecoverStage.name, now, BATCH // 2), *due[: BATCH // 2]]
    due = list({job.subject: job for job in due}.values())
    lines = [job for job in due if job.subject.count("/") == 1]
    files = [job for job in due if job.subject.count("/") != 1]
    # One file early: lines without an end do not hold all of them up.
    return [*lines[:1], *files[:1], *lines[1:], *files[1:]]


def _load(connection: Connection, due: Sequence[work.Job]) -> list[_Text]:
    parts: list[tuple[work.Job, str, int, str]] = []
    for job in due:
        owner, number, artifact = (*job.subject.split("/", 2), "")[:3]
        parts.append((job, owner, int(number), artifact))
    bodies: dict[tuple[str, int], Event] = {}
    for keys in in_parts(dict.fromkeys((part[1], part[2]) for part in parts)):
        rows = connection.execute(
            select(events.c.session, events.c.seq, events.c.body).where(
                is_among(connection.dialect.name, (events.c.session, events.c.seq), keys)
            )
        )
        bodies.update(((row.session, row.seq), decode_event(row.body)) for row in rows)
    owners: dict[str, dict[str, Any]] = {}
    for ids in in_parts(dict.fromkeys(owner_of(event) for event in bodies.values())):
        rows = connection.execute(
            select(sessions.c.id, sessions.c.src_ip, sessions.c.dst_ip, sessions.c.sensor).where(
                sessions.c.id.in_(ids)
            )
        )
        owners.update(
            (row.id, {"src_ip": row.src_ip, "dst_ip": row.dst_ip, "sensor": row.sensor}) for row in rows
        )
    nobody = {"src_ip": "", "dst_ip": "", "sensor": ""}
    loaded = []
    for job, session, seq, artifact in parts:
        event = bodies.get((session, seq))
        if event is not None:
            loaded.append(_Text(job, event, owners.get(owner_of(event), nobody), artifact))
    return loaded


def _recover(workshop: Workshop, connection: Connection, text: _Text) -> Seen | None:
    if text.artifact:
        return _from_artifact(workshop, connection, text.event, text.session, text.artifact)
    return _from_event(workshop, text.event, text.session)


def _from_event(workshop: Workshop, event: Event, session: dict[str, Any]) -> Seen | None:
    if isinstance(event, CommandEntered):
        context = workshop.context(session["dst_ip"], cut=event.truncated_from is not None)
        found = recover.urls(event.text, context)
    elif isinstance(event, DownloadAsked):
        asked = recover.asked(event.url, event.client, workshop.context(session["dst_ip"]))
        found = [asked] if asked else []
    elif isinstance(event, WireSeen):
        asked = recover.asked(event.url, event.client, workshop.context(session["dst_ip"]), method="wire")
        found = [asked] if asked else []
        return Seen(event.session, event.seq, event.at, session["sensor"], session["src_ip"], found)
    else:
        return None
    return Seen(event.session, event.seq, event.at, session["sensor"], session["src_ip"], found)


def _from_artifact(
    workshop: Workshop, connection: Connection, event: Event, session: dict[str, Any], sha256: str
) -> Seen | None:
    analysis = connection.execute(select(artifacts.c.analysis).where(artifacts.c.sha256 == sha256)).scalar()
    seen = Analysis.model_validate(analysis) if analysis else None
    if seen is not None and seen.kind not in ("script", "text"):
        found = _from_found_texts(workshop.context(session["dst_ip"], shell=False), seen)
        if seen.kind == "elf":
            # A downloader stub has its address in its code, or apart from its path: no string of it is a URL.
            program = workshop.quarantine.read(sha256, 0, _LARGEST_STUB + 1)
            if len(program) <= _LARGEST_STUB:
                known = {item.url for item in found}
                read = recover.urls(program, workshop.context(session["dst_ip"]))
                found += [item for item in read if item.url not in known]
    else:
        text = workshop.quarantine.read(sha256, 0, _LARGEST_SCRIPT + 1)
        context = workshop.context(session["dst_ip"], cut=len(text) > _LARGEST_SCRIPT)
        found = recover.urls(text[:_LARGEST_SCRIPT], context)
    depth = 0
    if isinstance(event, Captured):
        own = url_key(event.capture.url)
        parent = connection.execute(select(urls.c.depth).where(urls.c.key == own)).scalar()
        depth = min((parent or 0) + 1, DEEPEST + 1)
        # A script that names the URL it came from is not found there a second time.
        found = [item for item in found if item.url != event.capture.url]
    return Seen(
        event.session, event.seq, event.at, session["sensor"], session["src_ip"], found, depth=depth,
        parent_sha256=sha256,
    )  # fmt: skip


def _from_found_texts(context: Context, analysis: Analysis) -> list[Recovered]:
    """URLs that analysis saw in a program or archive. What a library names (its home page) stands there as well: only
    what was hidden, lies on a bare address, or stands in a payload of a known family is asked for."""
    found = []
    for item in analysis.found:
        if item.kind != "url":
            continue
        for url in recover.urls(item.text, context):
            *layers, how = item.how.split("+")
            hidden = how != "plain"
            suspect = hidden or analysis.family or host_address(parse_url(url.url).host) is not None
            found.append(
                url.model_copy(
                    update={
                        "confidence": 80 if hidden else 60 if suspect else 30,
                        "chain": [
                            part for part in (*layers, item.member[:80], how if hidden else "strings") if part
                        ],
                        "span": (0, 0),
                    }
                )
            )
    return found


def _make_due(
    workshop: Workshop, connection: Connection, seen: Sequence[Seen], held: dict[str, bool]
) -> None:
    now = workshop.now()
    work.put(connection, "lookup", [key for key, is_held in held.items() if not is_held], now)
    work.put(connection, "judge", held, now)
    work.put(connection, "campaign", [f"url/{key}" for key, is_held in held.items() if not is_held], now)
    # Which moment each URL was worth asking for last: an attempt within the window before it answers for it.
    wanted: dict[str, datetime] = {}
    for part in seen:
        if part.depth > DEEPEST:
            continue
        for item in part.recovered:
            if item.confidence < _LEAST_CERTAIN or item.flags:
                continue
            key = url_key(item.url)
            if not held.get(key, True):
                wanted[key] = max(wanted.get(key, part.at), part.at)
    window = timedelta(seconds=workshop.settings.egress.window_seconds)
    attempts = newest_captures(connection, list(wanted))
    due = [key for key, at in wanted.items() if key not in attempts or attempts[key] < min(at, now) - window]
    work.put(connection, "capture", due, now + SETTLE)
