"""What a capture makes us ask next: retries, other clients, siblings, looks; each bounded and settable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.pipeline.conftest import ELF, START, Bench

from urltrap.model.capture import Capture, FetchRequest
from urltrap.pipeline.following import is_page, is_transient
from urltrap.pipeline.siblings import siblings_of
from urltrap.store.schema import captures, jobs, urls
from urltrap.store.schema_capture import capture_tasks

URL = b"http://198.51.100.9/bins/mips"
PAGE = b"<!DOCTYPE html><html>Nothing here</html>"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def build(**egress: object) -> Bench:
        testing = {"public_networks": ["198.51.100.0/24"]}
        made.append(
            Bench(tmp_path, testing=testing, egress={"siblings": 0, "other_clients": False, **egress})
        )
        return made[-1]

    yield build
    for bench in made:
        bench.close()


def attack(bench: Bench, url: bytes = URL) -> str:
    session = bench.visit(b"wget " + url, asks=[(url, b"x")])
    bench.trap_fetches(url, session)
    bench.line.drain()
    return session


def go_on(bench: Bench, until: timedelta) -> None:
    """Let the line run to `until` after the start, from one errand to the next."""
    while True:
        with bench.store.connect() as connection:
            due = connection.execute(
                select(jobs.c.due)
                .where(jobs.c.stage.in_(["errand", "capture"]))
                .order_by(jobs.c.due)
                .limit(1)
            ).scalar()
        if due is None or due > START + until:
            bench.time = START + until
            return
        bench.time = max(due, bench.time)
        bench.line.drain()
        bench.asked()
        bench.line.drain()


def asked(bench: Bench, purpose: str) -> list[FetchRequest]:
    return [request for request in bench.fetcher.requests if request.purpose == purpose]


def moments(bench: Bench, purpose: str) -> list[int]:
    with bench.store.connect() as connection:
        rows = connection.execute(
            select(captures.c.at).where(captures.c.purpose == purpose).order_by(captures.c.at)
        ).scalars()
        return [(at - START) // MINUTE for at in rows]


def test_a_server_that_does_not_answer_is_tried_after_5_minutes_30_minutes_and_2_hours(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    bench.fetcher.bodies[URL.decode()] = "connect-failed"
    session = attack(bench)
    go_on(bench, timedelta(days=3))
    assert moments(bench, "retry") == [5, 35, 155]
    assert {request.for_session for request in asked(bench, "retry")} == {session}


def test_a_server_that_comes_alive_is_captured_and_not_tried_again(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.fetcher.bodies[URL.decode()] = "timed-out"
    attack(bench)
    go_on(bench, 10 * MINUTE)
    bench.fetcher.bodies[URL.decode()] = ELF
    go_on(bench, timedelta(days=3))
    assert moments(bench, "retry") == [5, 35]
    with bench.store.connect() as connection:
        row = connection.execute(select(urls.c.outcome, urls.c.kind)).one()
    assert (row.outcome, row.kind) == ("fetched", "elf")


@pytest.mark.parametrize(
    "outcome", ["not-found", "bad-url", "withheld", "refused-address", "recorded", "tls-failed"]
)
def test_what_will_not_change_is_not_tried_again(make: Callable[..., Bench], outcome: str) -> None:
    bench = make()
    bench.fetcher.bodies[URL.decode()] = outcome
    attack(bench)
    go_on(bench, timedelta(days=1))
    assert asked(bench, "retry") == []


def test_attackers_who_name_a_dead_url_again_and_again_start_one_series_a_day(
    make: Callable[..., Bench],
) -> None:
    bench = make(window_seconds=0)
    bench.fetcher.bodies[URL.decode()] = "dns-failure"
    for number in range(12):
        bench.time = START + number * MINUTE / 10
        attack(bench)
    go_on(bench, timedelta(hours=20))
    assert len(asked(bench, "retry")) == 3
    bench.time = START + timedelta(days=2)
    attack(bench)
    go_on(bench, timedelta(days=3))
    assert len(asked(bench, "retry")) == 6


def test_without_pauses_nothing_is_tried_again(make: Callable[..., Bench]) -> None:
    bench = make(retry_seconds=[])
    bench.fetcher.bodies[URL.decode()] = "connect-failed"
    attack(bench)
    go_on(bench, timedelta(days=1))
    assert asked(bench, "retry") == []


def test_in_record_mode_what_was_planned_is_dropped(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.fetcher.bodies[URL.decode()] = "connect-failed"
    attack(bench)
    egress = bench.settings.egress.model_copy(update={"mode": "record"})
    bench.workshop.settings = bench.settings.model_copy(update={"egress": egress})
    go_on(bench, timedelta(days=1))
    assert asked(bench, "retry") == []


def test_a_page_for_wget_makes_curl_and_busybox_ask_one_behind_the_other(make: Callable[..., Bench]) -> None:
    bench = make(other_clients=True)
    bench.fetcher.bodies[URL.decode()] = PAGE
    attack(bench)
    attack(bench)
    go_on(bench, timedelta(hours=2))
    assert [request.client for request in asked(bench, "client")] == ["curl", "busybox-wget"]


def test_once_a_client_got_the_file_no_other_is_tried(make: Callable[..., Bench]) -> None:
    bench = make(other_clients=True)
    answer = bench.fetcher.fetch

    def picky(request: FetchRequest, timeout: float = 120.0) -> Capture:
        bench.time += timedelta(seconds=1)
        bench.fetcher.bodies[URL.decode()] = ELF if request.client == "curl" else PAGE
        return answer(request, timeout)

    bench.fetcher.fetch = picky  # type: ignore[method-assign]
    attack(bench)
    go_on(bench, timedelta(hours=2))
    assert [request.client for request in asked(bench, "client")] == ["curl"]
    with bench.store.connect() as connection:
        assert connection.execute(select(urls.c.kind)).scalar_one() == "elf"


def test_siblings_of_a_captured_program_are_asked_for_slowly_and_belong_to_no_attacker(
    make: Callable[..., Bench],
) -> None:
    bench = make(siblings=16, sibling_seconds=60)
    bench.fetcher.bodies[URL.decode()] = ELF
    for name in ("arm7", "mpsl"):
        bench.fetcher.bodies[f"http://198.51.100.9/bins/{name}"] = ELF + name.encode()
    attack(bench)
    go_on(bench, timedelta(hours=2))
    requests = asked(bench, "sibling")
    names = {request.url.rpartition(b"/")[2].decode() for request in requests}
    assert names >= {"mpsl", "arm7", "x86", "arc"} and "mips" not in names
    assert {request.for_session for request in requests} == {""}
    assert moments(bench, "sibling") == list(range(1, 15))
    with bench.store.connect() as connection:
        assert connection.execute(select(urls.c.url)).scalars().all() == [URL.decode()]
        there = select(capture_tasks.c.url).where(capture_tasks.c.outcome == "there")
        assert len(connection.execute(there).scalars().all()) == 2


def test_after_five_misses_no_more_siblings_are_asked_for(make: Callable[..., Bench]) -> None:
    bench = make(siblings=16)
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    go_on(bench, timedelta(hours=2))
    assert len(asked(bench, "sibling")) == 5


def test_one_host_is_asked_for_a_bounded_number_of_siblings_a_day(make: Callable[..., Bench]) -> None:
    bench = make(siblings=4, sibling_seconds=0)
    for number in range(5):
        url = b"http://198.51.100.9/%d/mips" % number
        bench.fetcher.bodies[url.decode()] = ELF
        attack(bench, url)
    go_on(bench, timedelta(hours=2))
    assert len(asked(bench, "sibling")) == 8


@pytest.mark.parametrize(
    ("url", "body"),
    [(URL, PAGE), (b"http://198.51.100.9/payload", ELF), (b"http://198.51.100.9/x?a=mips", ELF)],
    ids=["page", "no-architecture", "in-query"],
)
def test_nothing_else_has_siblings(make: Callable[..., Bench], url: bytes, body: bytes) -> None:
    bench = make(siblings=16)
    bench.fetcher.bodies[url.decode()] = body
    attack(bench, url)
    go_on(bench, timedelta(hours=2))
    assert asked(bench, "sibling") == []


def test_siblings_can_be_switched_off(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    go_on(bench, timedelta(hours=2))
    assert asked(bench, "sibling") == []


def test_a_look_asks_with_head_and_then_for_one_byte_where_head_is_refused(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    answer = bench.fetcher.fetch

    def refuses_head(request: FetchRequest, timeout: float = 120.0) -> Capture:
        capture = answer(request, timeout)
        return capture.model_copy(update={"status": 501}) if request.method == "HEAD" else capture

    bench.fetcher.fetch = refuses_head  # type: ignore[method-assign]
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    bench.time = START + 11 * MINUTE
    for _ in range(4):
        bench.line.drain()
        bench.asked()
    bench.line.drain()
    looks = [(request.method, request.probe) for request in asked(bench, "recheck")]
    assert looks == [("HEAD", False), ("GET", True)]
    with bench.store.connect() as connection:
        row = connection.execute(select(urls.c.kind, urls.c.captured_at)).one()
    assert (row.kind, row.captured_at) == ("elf", START), "a look is no capture"


@pytest.mark.parametrize(
    ("url", "first", "absent"),
    [
        ("http://198.51.100.9/bins/mips", "http://198.51.100.9/bins/mpsl", "http://198.51.100.9/bins/mips"),
        ("http://198.51.100.9/bot.x86_64", "http://198.51.100.9/bot.mips", "http://198.51.100.9/bot.x86_64"),
        ("http://198.51.100.9/a-armv7l", "http://198.51.100.9/a-mips", "http://198.51.100.9/a-arm7"),
        ("ftp://198.51.100.9/ARM7", "ftp://198.51.100.9/MIPS", "ftp://198.51.100.9/ARM7"),
    ],
)
def test_siblings_keep_the_form_of_the_name(url: str, first: str, absent: str) -> None:
    found = siblings_of(url)
    assert found[0] == first
    assert absent not in found
    assert len(set(found)) == len(found) >= 14


@pytest.mark.parametrize(
    "url",
    ["http://198.51.100.9/farm", "http://198.51.100.9/", "http://arm/", "ldap://198.51.100.9/mips", "::"],
)
def test_a_name_that_only_ends_like_an_architecture_has_none(url: str) -> None:
    assert siblings_of(url) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"outcome": "fetched", "status": 503}, True),
        ({"outcome": "fetched", "status": 404}, False),
        ({"outcome": "fetched", "status": 200, "complete": False}, True),
        ({"outcome": "timed-out"}, True),
        ({"outcome": "fetched", "status": 429}, True),
        ({"outcome": "too-large"}, False),
    ],
)
def test_which_outcomes_may_change(more: dict[str, object], expected: bool) -> None:
    capture = Capture.model_validate({"url": "http://198.51.100.9/x", "at": START, **more})
    assert is_transient(capture) is expected


def test_a_script_is_no_page() -> None:
    assert is_page(b"\xef\xbb\xbf \n<HTML>")
    assert not is_page(b"#!/bin/sh\n# <html>")
    assert not is_page(ELF)
