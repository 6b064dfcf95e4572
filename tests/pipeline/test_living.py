from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.pipeline.conftest import ELF, START, Bench

from urltrap.pipeline import living
from urltrap.store.queries import intel as queries
from urltrap.store.rows import url_key
from urltrap.store.schema import captures, jobs

URL = b"http://198.51.100.9/bot"
KEY = url_key(URL.decode())
MINUTE = timedelta(minutes=1)


def begin(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    session = bench.visit(b"wget " + URL, asks=[(URL, b"bot")])
    bench.trap_fetches(URL, session)
    bench.line.drain()


def life(bench: Bench) -> dict[str, object]:
    found = queries.alive(bench.store, KEY)
    assert found is not None
    return found


def go_on(bench: Bench, until: timedelta) -> None:
    """Let the line run to `until` after the start, always to the next thing that is due."""
    while True:
        with bench.store.connect() as connection:
            due = connection.execute(
                select(jobs.c.due)
                .where(jobs.c.stage.in_(["recheck", "capture"]))
                .order_by(jobs.c.due)
                .limit(1)
            ).scalar()
        if due is None or due > START + until:
            bench.time = max(bench.time, START + until)
            return
        bench.time = max(due, bench.time)
        bench.line.drain()
        bench.asked()
        bench.line.drain()


def test_a_url_that_stays_is_checked_at_growing_distances(bench: Bench) -> None:
    begin(bench)
    go_on(bench, timedelta(days=40))
    with bench.store.connect() as connection:
        moments = connection.execute(select(captures.c.at).order_by(captures.c.at)).scalars().all()
    minutes = [(at - START) // MINUTE for at in moments]
    # The window of ten minutes moves the check at 5 to 10, and that at 15 to 20.
    assert minutes[:10] == [0, 10, 20, 30, 60, 120, 240, 480, 960, 1440]
    assert [round(m / 1440) for m in minutes[10:]] == [7, 14, 21, 28, 30]
    assert life(bench)["state"] == "online" and life(bench)["next"] is None


def test_when_a_url_goes_away_its_end_is_known(bench: Bench) -> None:
    begin(bench)
    go_on(bench, 65 * MINUTE)
    assert life(bench)["first_online"] == START and life(bench)["last_online"] == START + 60 * MINUTE
    bench.fetcher.bodies[URL.decode()] = "connect-failed"
    go_on(bench, 130 * MINUTE)
    assert (life(bench)["state"], life(bench)["gone"]) == ("offline", START + 120 * MINUTE)
    bench.fetcher.bodies[URL.decode()] = ELF
    go_on(bench, 250 * MINUTE)
    assert (life(bench)["state"], life(bench)["gone"]) == ("online", None)
    bench.fetcher.bodies[URL.decode()] = "not-found"
    go_on(bench, timedelta(days=40))
    assert life(bench)["state"] == "taken-down"
    assert life(bench)["gone"] == START + 480 * MINUTE
    with bench.store.connect() as connection:
        last = connection.execute(select(captures.c.at).order_by(captures.c.at.desc()).limit(1)).scalar_one()
    assert last - START == timedelta(days=14), "what is gone for a week is checked no more"


def test_what_never_answered_was_never_alive(bench: Bench) -> None:
    session = bench.visit(b"wget " + URL, asks=[(URL, b"bot")])
    bench.trap_fetches(URL, session)
    bench.line.drain()
    assert (life(bench)["state"], life(bench)["first_online"]) == ("never-alive", None)


def test_a_capture_for_which_nothing_was_sent_says_nothing(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = "withheld"
    session = bench.visit(b"wget " + URL, asks=[(URL, b"bot")])
    bench.trap_fetches(URL, session)
    bench.line.drain()
    assert queries.alive(bench.store, KEY) is None


@pytest.mark.parametrize(
    ("window", "offsets"), [(60, [5, 15, 30, 60, 120]), (600, [10, 20, 30, 60, 120]), (3600, [60, 120, 240])]
)
def test_checks_come_at_5_15_30_minutes_and_never_within_the_fetcher_s_window(
    window: float, offsets: list[int]
) -> None:
    last = START
    for expected in offsets:
        found = living._next(START, last, None, window)
        assert found is not None and (found - START) // MINUTE == expected
        last = found
