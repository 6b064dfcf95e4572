"""The fetcher's promises: once per client and window, the same bytes for everybody, bounded, and off means off."""

from __future__ import annotations

import asyncio

import pytest

from urltrap.egress.fetcher import CANARY_BODY
from urltrap.model.capture import Capture
from urltrap.quarantine import QuarantineFullError

from .conftest import Bench, answering, ok, redirect, serving, wget


class Gate:
    """An HTTP handler that announces each request and answers when the test opens the gate."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.open = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.arrived.put_nowait(head)
        await self.open.wait()
        writer.write(ok(b"body of " + head.split()[1]))
        await writer.drain()


async def test_askers_at_the_same_time_share_one_fetch(bench: Bench) -> None:
    gate = Gate()
    fetcher = bench.fetcher()
    async with serving(gate) as server:
        tasks = [
            asyncio.ensure_future(fetcher.fetch(wget(server.url(), for_session=str(n)))) for n in range(5)
        ]
        await gate.arrived.get()
        gate.open.set()
        captures = await asyncio.gather(*tasks)
    assert server.connections == 1
    assert [capture.shared for capture in captures] == [False, True, True, True, True]
    assert len({capture.sha256 for capture in captures}) == 1
    assert [capture.for_session for capture in captures] == ["0", "1", "2", "3", "4"]
    assert {capture.for_session for capture in bench.captures} == {"0", "1", "2", "3", "4"}


async def test_a_later_asker_gets_the_same_bytes_though_the_server_changed_them(bench: Bench) -> None:
    count = iter(range(10))
    async with answering(lambda _: ok(b"version %d" % next(count))) as server:
        fetcher = bench.fetcher()
        first = await fetcher.fetch(wget(server.url()))
        second = await fetcher.fetch(wget(server.url().upper().replace("/X", "/x"), for_session="other"))
    assert (first.shared, second.shared) == (False, True)
    assert bench.body(second) == b"version 0"
    assert second.at >= first.at


@pytest.mark.parametrize(
    "other",
    [
        {"user_agent": "Wget/1.20"},
        {"client": "curl", "user_agent": "curl/8.0"},
        {"method": "HEAD"},
        {"follow_redirects": False},
        {"headers": [("User-Agent", "x")]},
    ],
)
async def test_another_client_is_another_fetch(bench: Bench, other: dict[str, object]) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        await fetcher.fetch(wget(server.url()))
        assert not (await fetcher.fetch(wget(server.url(), **{"user_agent": "Wget/1.21.3", **other}))).shared
    assert server.connections == 2


async def test_a_url_is_fetched_again_after_the_window(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher(window_seconds=0)
        await fetcher.fetch(wget(server.url()))
        await fetcher.fetch(wget(server.url()))
    assert server.connections == 2


async def test_a_url_whose_body_retention_took_is_fetched_again(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        first = await fetcher.fetch(wget(server.url()))
        assert first.sha256
        (bench.quarantine.directory / first.sha256[:2] / first.sha256[2:4] / first.sha256).unlink()
        second = await fetcher.fetch(wget(server.url()))
    assert (second.shared, bench.body(second)) == (False, b"x")


async def test_a_loop_around_wget_is_journalled_once_per_session(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        for session in "aaaabbbb":
            await fetcher.fetch(wget(server.url(), for_session=session))
    assert [(capture.for_session, capture.shared) for capture in bench.captures] == [
        ("a", False),
        ("b", True),
    ]


async def test_a_failure_is_remembered_too(bench: Bench) -> None:
    fetcher = bench.fetcher()
    first = await fetcher.fetch(wget("http://nosuch.example.org/"))
    second = await fetcher.fetch(wget("http://nosuch.example.org/"))
    assert (first.outcome, second.outcome, second.shared) == ("dns-failure", "dns-failure", True)
    assert bench.names.asked == ["nosuch.example.org"]


async def test_what_is_remembered_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urltrap.egress.fetcher._REMEMBERED", 10)
    fetcher = bench.fetcher(total_per_minute=1000, per_host_per_minute=1000)
    for number in range(50):
        await fetcher.fetch(wget(f"http://10.0.0.1/{number}"))
    assert len(fetcher._remembered) == 10
    assert len(fetcher._running) == 0


async def test_an_asker_who_leaves_does_not_stop_the_fetch(bench: Bench) -> None:
    gate = Gate()
    fetcher = bench.fetcher()
    async with serving(gate) as server:
        leaving = asyncio.ensure_future(fetcher.fetch(wget(server.url())))
        await gate.arrived.get()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        staying = asyncio.ensure_future(fetcher.fetch(wget(server.url(), for_session="b")))
        gate.open.set()
        capture = await staying
    assert (capture.outcome, capture.shared, server.connections) == ("fetched", True, 1)
    assert [capture.shared for capture in bench.captures] == [False, True]


async def test_in_record_mode_nothing_is_resolved_or_fetched(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher(mode="record")
        for url in (server.url(), "http://some.example.org/", "ftp://127.0.0.1/x", "tftp://127.0.0.1/x"):
            capture = await fetcher.fetch(wget(url))
            assert (capture.outcome, capture.sha256) == ("recorded", None)
    assert (server.connections, bench.names.asked, len(bench.captures)) == (0, [], 4)


async def test_the_switch_stops_new_requests_at_once_and_lets_them_again(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        bench.switch.throw()
        off = await fetcher.fetch(wget(server.url()))
        name = await fetcher.fetch(wget("http://some.example.org/"))
        bench.switch.release()
        on = await fetcher.fetch(wget(server.url()))
    assert [off.outcome, name.outcome, on.outcome] == ["recorded", "recorded", "fetched"]
    assert bench.names.asked == []
    assert server.connections == 1


async def test_the_switch_ends_what_is_on_its_way(bench: Bench) -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        await reader.read()  # ends when the fetcher lets go

    fetcher = bench.fetcher()
    async with serving(hang) as server:
        asked = [("/a", "a"), ("/b", "b"), ("/a", "c")]
        tasks = [asyncio.ensure_future(fetcher.fetch(wget(server.url(u), for_session=s))) for u, s in asked]
        await arrived.get()
        await arrived.get()
        bench.switch.throw()
        captures = await asyncio.gather(*tasks)
        await server.closed.wait()
    assert {capture.outcome for capture in captures} == {"recorded"}
    assert "switched off while" in captures[0].detail
    assert len(bench.captures) == 3


async def test_a_redirect_is_not_followed_after_the_switch(bench: Bench) -> None:
    def reply(head: bytes) -> bytes:
        bench.switch.throw()
        return redirect(b"/second")

    async with answering(reply) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, server.connections) == ("recorded", 1)


async def test_over_the_rate_of_a_host_a_request_is_limited_and_not_remembered(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher(per_host_per_minute=3, total_seconds=20)
        outcomes = [(await fetcher.fetch(wget(server.url(f"/{n}")))).outcome for n in range(5)]
        again = await fetcher.fetch(wget(server.url("/0")))
    assert outcomes == ["fetched"] * 3 + ["limited"] * 2
    assert again.shared, "a URL that was fetched is answered though its host is over the limit"
    assert server.connections == 3


async def test_many_names_of_one_network_share_a_limit(bench: Bench) -> None:
    bench.names.answers = {f"n{n}.example.org": [["127.0.0.1"]] for n in range(9)}
    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher(per_host_per_minute=2, total_seconds=20)
        outcomes = [
            (await fetcher.fetch(wget(server.url(host=name), for_session=name))).outcome
            for name in bench.names.answers
        ]
    assert outcomes == ["fetched"] * 4 + ["limited"] * 5


async def test_over_the_total_rate_nothing_is_even_resolved(bench: Bench) -> None:
    fetcher = bench.fetcher(total_per_minute=2, total_seconds=20)
    outcomes = [
        (await fetcher.fetch(wget(f"http://n{n}.example.org/", for_session=str(n)))).outcome for n in range(4)
    ]
    assert outcomes == ["dns-failure", "dns-failure", "limited", "limited"]
    assert len(bench.names.asked) == 2


async def test_one_session_cannot_use_up_the_total(bench: Bench) -> None:
    fetcher = bench.fetcher(total_per_minute=40, per_host_per_minute=5, total_seconds=0.2)
    outcomes = [
        (await fetcher.fetch(wget(f"http://n{n}.example.org/", for_session="a"))).outcome for n in range(20)
    ]
    assert outcomes.count("dns-failure") == 10
    other = await fetcher.fetch(wget("http://other.example.org/", for_session="b"))
    assert other.outcome == "dns-failure"


async def test_what_attackers_fetch_is_not_behind_questions_of_our_own(bench: Bench) -> None:
    fetcher = bench.fetcher(total_per_minute=10, per_host_per_minute=100)
    bench.names.answers = {f"h{number}.example.org": [["127.0.0.1"]] for number in range(20)}
    async with answering(ok(b"x")) as server:
        for purpose, host in [("sibling", 0), ("retry", 5), ("attack", 10)]:
            for number in range(host, host + 10 if purpose == "attack" else host + 5):
                url = server.url(f"/{number}", f"h{number}.example.org")
                await fetcher.fetch(wget(url, purpose=purpose))
    outcomes = [(capture.purpose, capture.outcome) for capture in bench.captures]
    assert outcomes.count(("sibling", "fetched")) == 5
    assert outcomes.count(("retry", "limited")) == 5
    assert outcomes.count(("attack", "fetched")) == 5


async def test_at_most_so_many_transfers_run_at_once(bench: Bench) -> None:
    gate = Gate()
    fetcher = bench.fetcher(concurrent=8, per_host_per_minute=100)
    async with serving(gate) as server:
        tasks = [asyncio.ensure_future(fetcher.fetch(wget(server.url(f"/{n}")))) for n in range(6)]
        await gate.arrived.get()
        await gate.arrived.get()
        assert server.connections == 2, "a quarter of all places for one host"
        gate.open.set()
        captures = await asyncio.gather(*tasks)
    assert {capture.outcome for capture in captures} == {"fetched"}
    assert server.connections == 6


async def test_the_canary_is_answered_without_a_name_server(bench: Bench) -> None:
    fetcher = bench.fetcher(mode="record")
    capture = await fetcher.fetch(wget("http://canary.invalid/one"))
    other = await fetcher.fetch(wget("https://CANARY.invalid./two?x=1"))
    assert (capture.outcome, capture.status, bench.body(capture)) == ("fetched", 200, CANARY_BODY)
    assert (other.url, other.sha256) == ("https://canary.invalid./two?x=1", capture.sha256)
    assert bench.names.asked == []
    assert (await fetcher.fetch(wget("http://x.canary.invalid/"))).outcome == "recorded"


async def test_a_full_quarantine_costs_the_body_and_not_the_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise QuarantineFullError("no room; free space")

    monkeypatch.setattr(bench.quarantine, "writer", full)
    async with answering(ok(b"x" * 200_000)) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.status, capture.sha256, capture.complete) == (
        "fetched",
        200,
        None,
        False,
    )
    assert "no room" in capture.detail


async def test_a_capture_that_cannot_be_journalled_is_an_error_for_its_asker(bench: Bench) -> None:
    def broken(capture: Capture) -> None:
        raise OSError("the journal's disk is gone")

    async with answering(ok(b"x")) as server:
        fetcher = bench.fetcher()
        fetcher._on_capture = broken
        with pytest.raises(OSError, match="journal"):
            await fetcher.fetch(wget(server.url()))
        fetcher._on_capture = bench.captures.append
        assert (await fetcher.fetch(wget(server.url()))).shared is False, "not remembered either"


async def test_closing_gives_up_what_is_on_its_way_and_keeps_no_half_file(bench: Bench) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"h" * 200_000)
        await writer.drain()
        sent.set()
        await asyncio.Event().wait()

    sent = asyncio.Event()
    fetcher = bench.fetcher()
    async with serving(half) as server:
        task = asyncio.ensure_future(fetcher.fetch(wget(server.url())))
        await sent.wait()
        await fetcher.close()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert [path for path in bench.quarantine.directory.rglob("*") if path.is_file()] == []


async def test_of_an_overlong_url_only_the_beginning_is_recorded(bench: Bench) -> None:
    capture = await bench.fetcher().fetch(wget("http://127.0.0.1/" + "\xe9" * 100_000))
    assert (capture.outcome, len(capture.url)) == ("bad-url", 17 + (2048 - 17 + 1) // 2)


async def test_a_redirect_to_an_overlong_url_is_refused(bench: Bench) -> None:
    async with answering(redirect(b"/" + b"a" * 9000)) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, server.connections) == ("bad-url", 1)
