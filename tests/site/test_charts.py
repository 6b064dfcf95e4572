from __future__ import annotations

from datetime import timedelta

from tests.site.conftest import NOW

from urltrap.model.views import CountryRow, TimelinePoint
from urltrap.site.charts import bars, country_counts, timeline_option
from urltrap.site.ranges import range_of

HOUR = NOW.replace(minute=0)


def point(hours_ago: int, sensor: str, sessions: int) -> TimelinePoint:
    return TimelinePoint(hour=HOUR - timedelta(hours=hours_ago), sensor=sensor, sessions=sessions)


def test_a_day_has_a_bar_for_each_hour_also_for_empty_ones() -> None:
    sensors, row = bars([point(3, "ssh", 5), point(3, "telnet", 2)], range_of("24h", NOW), NOW)
    assert sensors == ["ssh", "telnet"]
    assert len(row) == 25 and row[-1].label == "04:00"
    assert row[-4].counts == {"ssh": 5, "telnet": 2}
    assert sum(sum(bar.counts.values()) for bar in row) == 7


def test_a_month_is_told_by_days() -> None:
    _, row = bars([point(0, "ssh", 1), point(4, "ssh", 2), point(5, "ssh", 4)], range_of("30d", NOW), NOW)
    assert len(row) == 31
    assert [bar.counts for bar in row[-2:]] == [{"ssh": 4}, {"ssh": 3}]


def test_everything_begins_with_the_first_event_and_nothing_gives_nothing() -> None:
    _, row = bars([point(24 * 9, "ssh", 1)], range_of("all", NOW), NOW)
    assert len(row) == 10
    assert bars([], range_of("all", NOW), NOW) == ([], [])


def test_a_very_old_event_does_not_make_endless_bars() -> None:
    _, row = bars([point(24 * 5000, "ssh", 1)], range_of("all", NOW), NOW)
    assert len(row) <= 801


def test_each_bar_leads_to_the_sessions_behind_it() -> None:
    sensors, row = bars([point(3, "s h&x", 5)], range_of("24h", NOW), NOW)
    option = timeline_option(sensors, row, timedelta(hours=1))
    data = option["series"][0]["data"]
    assert data[0] == 0
    assert data[-4] == {
        "value": 5,
        "link": "/sessions?sensor=s+h%26x&since=2026-11-24T01%3A00%3A00Z&until=2026-11-24T02%3A00%3A00Z",
    }


def test_unknown_places_are_not_on_the_map() -> None:
    rows = [
        CountryRow(country="", sessions=9, addresses=1),
        CountryRow(country="DE", sessions=2, addresses=1),
    ]
    assert country_counts(rows) == {"DE": 2}
