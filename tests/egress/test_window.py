"""Once per window, also where the fetcher is killed and started again; failures do not stand in the way of a retry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from urltrap.egress.window import WINDOW_FILE, Window
from urltrap.model.capture import Capture

from .conftest import Bench, answering, ok, wget

CAPTURE = Capture(url="http://198.51.100.1/x", at=datetime(2026, 11, 24, tzinfo=UTC), outcome="timed-out")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_fetcher_started_again_within_the_window_does_not_ask_again(bench: Bench) -> None:
    bench.window = Window(bench.data / WINDOW_FILE)
    async with answering(ok(b"payload")) as server:
        first = await bench.fetcher().fetch(wget(server.url()))
        # Killed: nothing is closed, the next process opens the same file.
        bench.window = Window(bench.data / WINDOW_FILE)
        second = await bench.fetcher().fetch(wget(server.url(), for_session="later"))
    assert server.connections == 1
    assert (second.shared, second.sha256, second.for_session) == (True, first.sha256, "later")


async def test_another_client_is_another_fetch_after_a_restart_too(bench: Bench) -> None:
    bench.window = Window(bench.data / WINDOW_FILE)
    async with answering(ok(b"payload")) as server:
        await bench.fetcher().fetch(wget(server.url()))
        bench.window = Window(bench.data / WINDOW_FILE)
        other = await bench.fetcher().fetch(wget(server.url(), client="curl", user_agent="curl/8.0"))
    assert (server.connections, other.shared) == (2, False)


def test_what_is_older_than_its_window_answers_nobody(tmp_path: Path) -> None:
    clock = Clock()
    window = Window(tmp_path / "w.db", clock)
    window.put("old", CAPTURE, 10)
    window.put("new", CAPTURE, 600)
    clock.now += 20
    again = Window(tmp_path / "w.db", clock)
    assert [(kept.key, kept.left) for kept in again.load()] == [("new", 580.0)]


def test_a_damaged_table_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    path.write_bytes(b"not a database, at all" * 100)
    window = Window(path)
    window.put("key", CAPTURE, 600)
    assert [kept.capture for kept in window.load()] == [CAPTURE]


def test_an_entry_of_another_version_is_left_out(tmp_path: Path) -> None:
    window = Window(tmp_path / "w.db")
    window.put("good", CAPTURE, 600)
    window._table.execute("INSERT INTO window VALUES ('bad', 9e12, '{}')")
    assert [kept.key for kept in window.load()] == ["good"]


@pytest.mark.parametrize("purpose", ["attack", "client", "sibling"])
async def test_a_failure_answers_everybody_but_a_retry(bench: Bench, purpose: str) -> None:
    replies = [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", ok(b"alive")]
    async with answering(lambda _: replies.pop(0)) as server:
        fetcher = bench.fetcher()
        assert (await fetcher.fetch(wget(server.url()))).status == 503
        assert (await fetcher.fetch(wget(server.url(), purpose=purpose))).shared
        retry = await fetcher.fetch(wget(server.url(), purpose="retry"))
        after = await fetcher.fetch(wget(server.url(), for_session="x"))
    assert (retry.status, retry.shared, bench.body(retry)) == (200, False, b"alive")
    assert (after.shared, after.sha256) == (True, retry.sha256)


async def test_a_retry_of_what_was_captured_meanwhile_is_shared(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        await fetcher.fetch(wget(server.url()))
        assert (await fetcher.fetch(wget(server.url(), purpose="retry"))).shared
    assert server.connections == 1


async def test_a_recheck_is_not_answered_from_what_an_attacker_was_told(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        for purpose in ("attack", "attack", "recheck"):
            await fetcher.fetch(wget(server.url(), method="HEAD", purpose=purpose))
    assert server.connections == 2


async def test_a_recheck_is_never_answered_from_an_earlier_one(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        for _ in range(2):
            await fetcher.fetch(wget(server.url(), method="HEAD", purpose="recheck"))
    assert server.connections == 2
