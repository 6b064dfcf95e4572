"""Follow: what an outcome of a capture asks for next: another try, another client, the same for other processors.

Decided from the journalled capture, whoever made it (a program of the machine's, or the pipeline), and once for each.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from urltrap.egress.clients import DEFAULT_USER_AGENT, Family, family
from urltrap.model.capture import Capture, CaptureOutcome
from urltrap.model.event import Captured, decode_event
from urltrap.model.url import parse_url
from urltrap.pipeline.siblings import siblings_of
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import QuarantineError
from urltrap.store import work
from urltrap.store.rows import url_key
from urltrap.store.schema import captures, events, urls
from urltrap.store.schema_capture import capture_tasks
from urltrap.store.upsert import insert_new, upsert

ERRAND = "errand"
"""The stage that asks; its jobs are "PURPOSE/CLIENT OR NUMBER OF THE TRY/KEY OF THE URL"."""

MEMORY = timedelta(days=1)
"""A client, a sibling or a whole series of retries is not tried again for the same URL within this time."""

_UNREACHABLE: frozenset[CaptureOutcome] = frozenset(("dns-failure", "connect-failed", "timed-out"))
_BUSY = frozenset((408, 425, 429))
_NOT_THE_CLIENT = frozenset((401, 407, 408, 425, 429))
"""Errors (4xx) that another client would get as well."""

_UNKNOWN_YET = timedelta(minutes=2)
_HOST_SHARE = 2
"""Siblings asked of one host within `MEMORY`, as a multiple of those of one URL."""

_HEAD = 512


class FollowStage:
    """Jobs: "SESSION/SEQ" of a capture."""

    name = "follow"

    def run(self, workshop: Workshop) -> int:
        """Decide about a batch of captures."""
        return each(workshop, self.name, lambda connection, job: _follow(workshop, connection, job.subject))


def is_transient(capture: Capture) -> bool:
    """Whether asking again later makes sense: nobody answered, half an answer came, or the server is in trouble."""
    status = capture.status or 0
    if capture.outcome in _UNREACHABLE:
        return True
    return capture.outcome == "fetched" and (not capture.complete or status >= 500 or status in _BUSY)


def is_payload(capture: Capture, head: bytes) -> bool:
    """Whether a capture brought a file: a body that is no web page, with a status that does not say it is an error."""
    return (
        capture.outcome in ("fetched", "too-large")
        and capture.sha256 is not None
        and bool(head)
        and (capture.status is None or not 400 <= capture.status < 600)
        and not is_page(head)
    )


def is_page(head: bytes) -> bool:
    """Whether a body begins as HTML does."""
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:100].lower()
    return beginning.startswith(
        (b"<!doctype html", b"<html", b"<head", b"<body", b"<title", b"<h1", b"<center")
    )


def _follow(workshop: Workshop, connection: Connection, subject: str) -> None:
    session, _, seq = subject.rpartition("/")
    body = connection.execute(
        select(events.c.body).where(events.c.session == session, events.c.seq == int(seq))
    ).scalar()
    event = decode_event(body) if body else None
    if not isinstance(event, Captured):
        return
    capture, now = event.capture, workshop.now()
    if capture.purpose in ("recheck", "sibling") or now - capture.at > MEMORY:
        return  # of a sibling nothing follows, and what is long ago (a rebuild) is over
    key = url_key(capture.url)
    row = connection.execute(select(urls.c.held).where(urls.c.key == key)).first()
    if row is None:
        if now - capture.at < _UNKNOWN_YET:
            # The fetcher's journal was read before the trap's.
            work.put(connection, _Later.name, [subject], now + _Later.pause)
        return
    if row.held:
        return
    head = _head(workshop, capture)
    if is_transient(capture):
        _retry(workshop, connection, key, capture)
    elif is_payload(capture, head):
        _settled(connection, key)
        if head.startswith((b"\x7fELF", b"#!")):
            _siblings(workshop, connection, key, capture)
    elif _picky(capture, head):
        _settled(connection, key)
        _other_client(workshop, connection, key, capture)
    else:
        _settled(connection, key)


class _Later:
    """A capture whose URL is not in the store yet comes back under another name: its own job ends with this one."""

    name = "follow-later"
    pause = timedelta(seconds=2)


class FollowLaterStage:
    """Jobs: "SESSION/SEQ" of a capture that was decided about too early."""

    name = _Later.name

    def run(self, workshop: Workshop) -> int:
        """Hand them back."""
        return each(
            workshop,
            self.name,
            lambda connection, job: work.put(connection, FollowStage.name, [job.subject], workshop.now()),
        )


def _head(workshop: Workshop, capture: Capture) -> bytes:
    if capture.sha256 is None:
        return b""
    try:
        return workshop.quarantine.read(capture.sha256, 0, _HEAD)
    except QuarantineError:
        return b""  # retention took it


def _picky(capture: Capture, head: bytes) -> bool:
    """Whether the server may have answered so because of the client that asked."""
    if not capture.url.startswith(("http://", "https://")):
        return False
    if capture.outcome in ("protocol-error", "too-many-redirects"):
        return capture.outcome == "protocol-error" and capture.sha256 is not None
    if capture.outcome != "fetched" or capture.status is None:
        return False
    if 400 <= capture.status < 500:
        return capture.status not in _NOT_THE_CLIENT
    return capture.status < 400 and (is_page(head) or not head)


def _retry(workshop: Workshop, connection: Connection, key: str, capture: Capture) -> None:
    pauses, now = workshop.settings.egress.retry_seconds, workshop.now()
    found = connection.execute(
        select(capture_tasks.c.made, capture_tasks.c.tries, capture_tasks.c.asked).where(
            capture_tasks.c.url_key == key, capture_tasks.c.purpose == "retry"
        )
    ).first()
    if found is not None and now - found.made > MEMORY and capture.purpose == "attack":
        connection.execute(
            delete(capture_tasks).where(capture_tasks.c.url_key == key, capture_tasks.c.purpose == "retry")
        )
        found = None
    tries = found.tries if found is not None else 0
    if tries >= len(pauses) or (found is not None and capture.purpose != "retry"):
        return  # given up, or a series is under way already
    if found is None:
        _add(connection, workshop, key, "retry", "", capture.url, key, capture.for_session)
    work.put(connection, ERRAND, [f"retry/{tries}/{key}"], capture.at + timedelta(seconds=pauses[tries]))


def _settled(connection: Connection, key: str) -> None:
    """The server answered: what is left of a series of retries is not needed."""
    work.finish(connection, ERRAND, [f"retry/{number}/{key}" for number in range(16)])


def _other_client(workshop: Workshop, connection: Connection, key: str, capture: Capture) -> None:
    if not workshop.settings.egress.other_clients:
        return
    since = workshop.now() - MEMORY
    tried: set[str] = {family(capture.client)}
    rows = connection.execute(
        select(captures.c.body)
        .where(captures.c.url_key == key, captures.c.at >= since, captures.c.purpose.not_in(["recheck"]))
        .order_by(captures.c.at.desc())
        .limit(20)
    ).scalars()
    for body in rows:
        other = Capture.model_validate_json(body)
        tried.add(family(other.client))
        if is_payload(other, _head(workshop, other)):
            return  # one of them got the file
    tasks = select(capture_tasks.c.client).where(
        capture_tasks.c.url_key == key, capture_tasks.c.purpose == "client", capture_tasks.c.made >= since
    )
    tried.update(connection.execute(tasks).scalars())
    left: list[Family] = [name for name in DEFAULT_USER_AGENT if name not in tried]
    if left:
        # One after the other: each answer decides whether the next is asked.
        _add(connection, workshop, key, "client", left[0], capture.url, key, capture.for_session)
        work.put(connection, ERRAND, [f"client/{left[0]}/{key}"], workshop.now())


def _siblings(workshop: Workshop, connection: Connection, key: str, capture: Capture) -> None:
    egress, now = workshop.settings.egress, workshop.now()
    found = siblings_of(capture.url)[: egress.siblings]
    if not found:
        return
    host = parse_url(capture.url).host[:255]
    keys = {url_key(url): url for url in found}
    known = set(
        connection.execute(
            select(captures.c.url_key).where(captures.c.url_key.in_(keys), captures.c.at >= now - MEMORY)
        ).scalars()
    ) | set(
        connection.execute(
            select(capture_tasks.c.url_key).where(
                capture_tasks.c.url_key.in_(keys),
                capture_tasks.c.purpose == "sibling",
                capture_tasks.c.made >= now - MEMORY,
            )
        ).scalars()
    )
    asked: int = connection.execute(
        select(func.count())
        .select_from(capture_tasks)
        .where(
            capture_tasks.c.host == host,
            capture_tasks.c.purpose == "sibling",
            capture_tasks.c.made >= now - MEMORY,
        )
    ).scalar_one()
    room = _HOST_SHARE * egress.siblings - asked
    new = [name for name in keys if name not in known][: max(0, room)]
    for number, name in enumerate(new, 1):
        _add(connection, workshop, name, "sibling", "", keys[name], key, "")
        due: datetime = now + number * timedelta(seconds=egress.sibling_seconds)
        work.put(connection, ERRAND, [f"sibling//{name}"], due)


def _add(
    connection: Connection,
    workshop: Workshop,
    key: str,
    purpose: str,
    client: str,
    url: str,
    origin: str,
    session: str,
) -> None:
    row = {
        "url_key": key, "purpose": purpose, "client": client, "url": url, "host": parse_url(url).host[:255],
        "origin": origin, "session": session, "made": workshop.now(), "asked": None, "tries": 0, "outcome": "",
    }  # fmt: skip
    if purpose == "retry":
        insert_new(connection, capture_tasks, [row])
    else:
        upsert(
            connection, capture_tasks, [row],
            replace=["url", "host", "origin", "session", "made", "asked", "tries", "outcome"],
        )  # fmt: skip
