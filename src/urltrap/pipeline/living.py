"""Live: is a URL still there? Checked after 5, 15, 30 minutes, then doubling to a day, then weekly to 30 days.

A check asks with HEAD, or for the first byte (stage `look`): no payload is fetched for it, and the fetcher answers it
from the server and never from memory, so that its window moves none. Checks have a fifth of the requests per minute
that may leave the machine; what is over it waits for the next minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from sqlalchemy import Connection, select

from urltrap.model.capture import Capture
from urltrap.model.url import canonical, parse_url
from urltrap.pipeline.errands import LOOK
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.schema import captures, urls
from urltrap.store.schema_intel import liveness
from urltrap.store.upsert import upsert

OFFSETS = (
    *(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120, 240, 480, 960, 1440)),
    *(timedelta(days=days) for days in (7, 14, 21, 28, 30)),
)
"""When a URL is checked, counted from its first capture."""

_GIVEN_UP = timedelta(days=8)
"""What is gone for so long is not checked any more."""

_PERMANENT = (301, 308)
_HOST_ANSWERS = {"too-large", "too-many-redirects", "not-found"}
_HOST_SILENT = {"dns-failure", "connect-failed", "timed-out", "tls-failed", "protocol-error"}


class LiveStage:
    """Jobs: the key of a URL that was captured; it makes the next check due."""

    name = "alive"

    def run(self, workshop: Workshop) -> int:
        """Take captures into the liveness of their URLs."""
        return each(workshop, self.name, lambda connection, job: _note(workshop, connection, job.subject))


class RecheckStage:
    """Jobs: the key of a URL whose next check is due; the stage `look` makes it."""

    name = "recheck"

    def run(self, workshop: Workshop) -> int:
        """Have URLs looked at again."""
        return each(
            workshop,
            self.name,
            lambda connection, job: work.put(connection, LOOK, [job.subject], workshop.now()),
        )


def _note(workshop: Workshop, connection: Connection, key: str) -> None:
    seen = connection.execute(
        select(captures.c.at, captures.c.outcome, captures.c.status)
        .where(captures.c.url_key == key)
        .order_by(captures.c.at, captures.c.session, captures.c.seq)
    ).all()
    told = [(row.at, state) for row in seen if (state := _state(row.outcome, row.status))]
    if not told:
        return  # nothing was sent: nothing is known of it
    row = _life(told)
    if row["state"] == "online" and _moved(connection, key):
        row["state"] = "moved"
    following = _next(told[0][0], told[-1][0], row["gone"])
    held = connection.execute(select(urls.c.held).where(urls.c.key == key)).scalar()
    if held:  # a URL that recovery has not come to yet may be one that is checked: `look` asks again
        following = None
    upsert(
        connection, liveness, [{"url_key": key, **row, "next": following}],
        replace=["state", "first_online", "last_online", "gone", "checked", "checks", "next"],
    )  # fmt: skip
    if following is not None:
        work.put(connection, RecheckStage.name, [key], following)


def _moved(connection: Connection, key: str) -> bool:
    """Whether the newest answer began with "moved permanently", to another host (RFC 9110, sections 15.4.2, 15.4.9)."""
    body = connection.execute(
        select(captures.c.body)
        .where(captures.c.url_key == key)
        .order_by(captures.c.at.desc(), captures.c.session.desc(), captures.c.seq.desc())
        .limit(1)
    ).scalar_one()
    found = Capture.model_validate_json(body)
    first = found.hops[0] if found.hops else None
    if first is None or first.status not in _PERMANENT:
        return False
    try:
        here = parse_url(found.url)
        there = parse_url(canonical(urljoin(here.text, first.location.decode("utf-8", "replace"))))
    except ValueError:
        return False
    return there.host != here.host


def _state(outcome: str, status: int | None) -> str:
    """online, taken-down (the host answers, the file is gone), offline (nobody answers), or nothing."""
    if outcome == "fetched":
        return "online" if status is None or status < 400 else "taken-down"
    if outcome in _HOST_ANSWERS:
        return "taken-down" if outcome == "not-found" else "online"
    return "offline" if outcome in _HOST_SILENT else ""


def _life(told: list[tuple[datetime, str]]) -> dict[str, Any]:
    online = [at for at, state in told if state == "online"]
    state = told[-1][1]
    gone = None
    if online and state != "online":
        gone = next(at for at, _ in told if at > online[-1])
    return {
        "state": state if online else "never-alive",
        "first_online": online[0] if online else None,
        "last_online": online[-1] if online else None,
        "gone": gone,
        "checked": told[-1][0],
        "checks": len(told),
    }


def _next(first: datetime, last: datetime, gone: datetime | None) -> datetime | None:
    """The next check after the newest one; None where there is none any more."""
    if gone is not None and last - gone > _GIVEN_UP:
        return None
    return next((first + offset for offset in OFFSETS if first + offset > last), None)
