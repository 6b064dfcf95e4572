from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from tests.pipeline.conftest import ELF, START, Bench

from urltrap.model.capture import Capture, Hop
from urltrap.model.event import Captured
from urltrap.model.ids import new_ulid
from urltrap.store.queries import intel as queries
from urltrap.store.queries import urls
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
    assert minutes[:10] == [0, 5, 15, 30, 60, 120, 240, 480, 960, 1440], "no window of the fetcher moves them"
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


def test_a_url_that_leads_to_another_host_for_good_has_moved(bench: Bench) -> None:
    begin(bench)
    answers = [
        (301, b"http://other.example/bot", "moved"), (302, b"http://other.example/bot", "online"),
        (308, b"//other.example/bot", "moved"), (301, b"/elsewhere", "online"),
        (301, b"https://198.51.100.9/bot", "online"), (301, b"http://[", "online"),
    ]  # fmt: skip
    for n, (status, location, state) in enumerate(answers, 1):
        bench.time = START + n * MINUTE
        hops = [Hop(url=URL.decode(), status=status, location=location)]
        capture = Capture(url=URL.decode(), at=bench.time, outcome="fetched", status=200, hops=hops)
        bench.fetcher_writer.append(
            Captured(session=bench.fetcher.stream, seq=900 + n, at=bench.time, capture=capture)
        )
        bench.line.drain()
        assert life(bench)["state"] == state == urls.page(bench.store).rows[0].lifecycle, location
        assert life(bench)["last_online"] == bench.time and life(bench)["gone"] is None


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


def test_checks_have_a_fifth_of_what_may_leave_the_machine_in_a_minute(bench: Bench) -> None:
    egress = bench.workshop.settings.egress.model_copy(update={"total_per_minute": 15})
    bench.workshop.settings = bench.workshop.settings.model_copy(update={"egress": egress})
    for n in range(8):
        url = f"http://198.51.100.{n}/bot".encode()
        bench.fetcher.bodies[url.decode()] = ELF
        bench.trap_fetches(url, bench.visit(b"wget " + url, asks=[(url, b"bot")]))
    bench.line.drain()
    looked: list[int] = []
    for minute in (5, 5, 6, 7, 8):
        bench.time = START + minute * MINUTE
        for _ in range(4):
            bench.line.drain()
            bench.asked()
        with bench.store.connect() as connection:
            looked.append(
                connection.execute(
                    select(func.count()).select_from(captures).where(captures.c.purpose == "recheck")
                ).scalar_one()
            )
    assert looked == [3, 3, 6, 8, 8], "those that are late are checked a minute later, none is left out"


def test_an_answer_that_is_taken_in_before_its_url_is_recovered_begins_the_checks(bench: Bench) -> None:
    url = b"http://198.51.100.7/early"
    bench.fetcher.bodies[url.decode()] = ELF
    session = new_ulid(1_795_000_100_001, (1).to_bytes(10, "big"))  # that of the visit to come
    bench.trap_fetches(url, session)
    bench.line.drain()
    assert bench.visit(b"wget " + url, asks=[(url, b"early")]) == session
    bench.line.drain()
    bench.time = START + 5 * MINUTE
    bench.line.drain()
    bench.asked()
    assert [(request.purpose, request.method) for request in bench.fetcher.requests][1:] == [
        ("recheck", "HEAD")
    ]
