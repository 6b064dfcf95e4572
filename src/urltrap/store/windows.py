"""What providers allow: fixed windows of UTC, counted in the transaction that uses them.

Windows are fixed (the full minute, hour, day, month), because that is how the providers count: VirusTotal's day ends at
00:00 UTC. A clock that is set back opens no window twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Connection, bindparam, select, update

from urltrap.store.schema_intel import provider_windows
from urltrap.store.upsert import insert_new

Span = Literal["minute", "hour", "day", "month"]
SPANS: tuple[Span, ...] = ("minute", "hour", "day", "month")

_LENGTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_SEEN = select(provider_windows).where(provider_windows.c.provider == bindparam("p"))
_OF_PROVIDER = _SEEN.with_for_update()
_USE = (
    update(provider_windows)
    .where(provider_windows.c.provider == bindparam("p"), provider_windows.c.span == bindparam("s"))
    .values(starts=bindparam("new_starts"), used=bindparam("new_used"))
)


def span_start(span: Span, moment: datetime) -> datetime:
    """The beginning of the window that `moment` (UTC) lies in."""
    if span == "minute":
        return moment.replace(second=0, microsecond=0)
    if span == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if span == "day" else midnight.replace(day=1)


def span_end(span: Span, start: datetime) -> datetime:
    """The end of the window that begins at `start`."""
    if span == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + _LENGTHS[span]


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a provider as it is at some moment."""

    span: Span
    starts: datetime
    used: int
    most: int

    @property
    def left(self) -> int:
        """How many requests it still allows."""
        return max(0, self.most - self.used)

    @property
    def ends(self) -> datetime:
        """When the next one begins."""
        return span_end(self.span, self.starts)


def declare(
    connection: Connection, provider: str, limits: Mapping[Span, int], forced: Iterable[Span] = ()
) -> None:
    """Make the windows of a provider. What is there stays (the provider may have told better), save `forced` spans."""
    insert_new(
        connection,
        provider_windows,
        [
            {"provider": provider, "span": span, "starts": 0, "used": 0, "most": most}
            for span, most in limits.items()
        ],
    )
    for span in forced:
        connection.execute(
            update(provider_windows)
            .where(provider_windows.c.provider == provider, provider_windows.c.span == span)
            .values(most=limits[span])
        )


def seen(connection: Connection, provider: str, now: datetime) -> list[Window]:
    """The windows of a provider at `now`, for looking only: nothing is locked."""
    return _windows(connection.execute(_SEEN, {"p": provider}), now)


def current(connection: Connection, provider: str, now: datetime) -> list[Window]:
    """The windows of a provider at `now`, locked until the transaction ends (where rows can be locked)."""
    return _windows(connection.execute(_OF_PROVIDER, {"p": provider}), now)


def _windows(rows: Iterable[Any], now: datetime) -> list[Window]:
    found = []
    for row in rows:
        span = cast(Span, row.span)
        start = span_start(span, now)
        fresh = row.starts < start
        found.append(Window(span, start if fresh else row.starts, 0 if fresh else row.used, row.most))
    return found


def use(connection: Connection, provider: str, windows: Iterable[Window], count: int) -> None:
    """Burn `count` requests of windows that `current` gave in this transaction."""
    rows = [
        {"p": provider, "s": window.span, "new_starts": window.starts, "new_used": window.used + count}
        for window in windows
    ]
    if rows:
        connection.execute(_USE, rows)


def take(connection: Connection, provider: str, now: datetime, count: int) -> tuple[int, datetime | None]:
    """Burn up to `count` requests; how many were granted, and until when to wait where none was."""
    windows = current(connection, provider, now)
    granted = min([count, *(window.left for window in windows)])
    if granted:
        use(connection, provider, windows, granted)
        return granted, None
    return 0, spent_until(windows)


def spent_until(windows: Iterable[Window]) -> datetime | None:
    """When all of these windows allow something again; None where they do now."""
    return max((window.ends for window in windows if not window.left), default=None)


def learn(
    connection: Connection, provider: str, span: Span, now: datetime, *, most: int, used: int | None = None
) -> None:
    """Take over what the provider itself says of a window. `used` only rises: it does not count requests in flight."""
    insert_new(
        connection,
        provider_windows,
        [{"provider": provider, "span": span, "starts": span_start(span, now), "used": 0, "most": most}],
    )
    window = next(item for item in current(connection, provider, now) if item.span == span)
    connection.execute(
        update(provider_windows)
        .where(provider_windows.c.provider == provider, provider_windows.c.span == span)
        .values(most=most, starts=window.starts, used=max(window.used, used or 0))
    )


def expected(windows: Iterable[Window], position: int, now: datetime) -> datetime:
    """The moment before which the question that waits behind `position` others cannot be asked."""
    moment = now
    for window in windows:
        if position < window.left:
            continue
        start, behind = window.ends, position - window.left
        if window.most <= 0:
            return datetime.max.replace(tzinfo=now.tzinfo)
        for _ in range(min(behind // window.most, 100_000) if window.span == "month" else 0):
            start = span_end(window.span, start)
        if window.span != "month":
            start += _LENGTHS[window.span] * (behind // window.most)
        moment = max(moment, start)
    return moment
