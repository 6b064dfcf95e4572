"""What the charts draw, as plain data: the timeline of visits by sensor, and counts by country."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from urltrap.model.views import CountryRow, TimelinePoint
from urltrap.site.ranges import Range

_MOST_BARS = 800
_LABELS = {"24h": "%H:%M", "7d": "%d %b %H:%M", "30d": "%d %b", "all": "%d %b %Y"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the timeline: sessions per sensor from `begin` on."""

    begin: datetime
    label: str
    counts: dict[str, int]


def bars(points: Iterable[TimelinePoint], span: Range, now: datetime) -> tuple[list[str], list[Bar]]:
    """The sensors, and one bar per step of the range with nothing left out, oldest first."""
    counts: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    sensors: set[str] = set()
    for point in points:
        if point.sessions:
            sensors.add(point.sensor)
            counts[_floor(point.hour, span.step)][point.sensor] += point.sessions
    if not counts and span.since is None:
        return [], []
    last = _floor(now, span.step)
    begin = _floor(span.since, span.step) if span.since else min(counts)
    begin = max(begin, last - span.step * _MOST_BARS)
    form = _LABELS[span.name]
    row: list[Bar] = []
    while begin <= last:
        row.append(Bar(begin, begin.strftime(form), dict(counts.get(begin, {}))))
        begin += span.step
    return sorted(sensors), row


def timeline_option(sensors: list[str], row: list[Bar], step: timedelta) -> dict[str, Any]:
    """The ECharts option of the stacked timeline; each bar carries the address of the list behind it."""
    ranges = [
        f"since={quote(moment_text(bar.begin))}&until={quote(moment_text(bar.begin + step))}" for bar in row
    ]
    return {
        "animation": False,
        "grid": {"left": 8, "right": 8, "top": 34, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "icon": "roundRect", "itemWidth": 10, "itemHeight": 10},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {"type": "category", "data": [bar.label for bar in row], "axisTick": {"show": False}},
        "yAxis": {"type": "value", "minInterval": 1, "splitNumber": 4},
        "series": [
            {
                "name": sensor,
                "type": "bar",
                "stack": "sessions",
                "barCategoryGap": "18%",
                "data": _data(sensor, row, ranges),
            }
            for sensor in sensors
        ],
    }


def country_counts(rows: Iterable[CountryRow]) -> dict[str, int]:
    """Sessions by country letters, for the map; unknown places are not on it."""
    return {row.country: row.sessions for row in rows if row.country and row.sessions}


def moment_text(moment: datetime) -> str:
    """A moment as filters take it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _data(sensor: str, row: list[Bar], ranges: list[str]) -> list[dict[str, Any] | int]:
    beginning = f"/sessions?{urlencode({'sensor': sensor})}&"
    return [
        {"value": count, "link": beginning + within} if (count := bar.counts.get(sensor, 0)) else 0
        for bar, within in zip(row, ranges, strict=True)
    ]


def _floor(moment: datetime, step: timedelta) -> datetime:
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole if step <= timedelta(hours=1) else whole.replace(hour=0)
