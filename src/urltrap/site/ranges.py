"""The time range of a page: the last day, week or month, or everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

RangeName = Literal["24h", "7d", "30d", "all"]
RANGES: tuple[RangeName, ...] = get_args(RangeName)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any event."""

_SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_WORDS = {"24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days", "all": "all time"}


@dataclass(frozen=True, slots=True)
class Range:
    """A range that ends now. `since` is a whole hour (24h, 7d) or day (30d), None for everything."""

    name: RangeName
    since: datetime | None

    @property
    def words(self) -> str:
        """For headings."""
        return _WORDS[self.name]

    @property
    def step(self) -> timedelta:
        """The width of one bar of the timeline."""
        return timedelta(hours=1) if self.name in ("24h", "7d") else timedelta(days=1)


def range_of(name: RangeName, now: datetime) -> Range:
    """The range of that name, ending at `now`."""
    span = _SPANS.get(name)
    if span is None:
        return Range(name, None)
    since = (now - span).replace(minute=0, second=0, microsecond=0)
    return Range(name, since.replace(hour=0) if name == "30d" else since)
