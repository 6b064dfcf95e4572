"""Asking the fetcher over its socket: many at once, through restarts, and with peers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from urltrap.egress.client import BlockingFetcherClient, FetcherClient
from urltrap.egress.messages import (
    MAX_REQUEST_LINE,
    EgressError,
    FetcherUnavailable,
    FetchNotPossible,
    MalformedMessage,
    decode_reply,
    decode_request,
    encode_capture,
    encode_request,
)
from urltrap.egress.process import run_fetcher
from urltrap.egress.server import FetcherServer
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.settings import Settings
from urltrap.quarantine import Quarantine

from .conftest import answering, ok, wget

WHEN = "2026-01-02T03:04:05.000006Z"


def capture_of(request: FetchRequest) -> Capture:
    return Capture.model_validate({"url": request.url.decode(), "at": WHEN, "outcome": "recorded"})


async def echo(request: FetchRequest) -> Capture:
    return capture_of(request)


def test_requests_and_captures_survive_the_line_with_any_bytes() -> None:
    request = FetchRequest(
        url=b"http://x/\xff\n", client="curl", headers=[(b"A\xfe", b"\0\r\n")], password=b"p\xff"
    )
    line = encode_request(7, request)
    assert line.count(b"\n") == 1
    assert decode_request(line) == (7, request)
    capture = capture_of(wget("http://x/")).model_copy(
        update={"reason": b"\xff\n", "headers": [(b"a", b"\xfe")]}
    )
    assert decode_reply(encode_capture(8, capture)) == (8, capture)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"null\n", b"[]\n", b"\xff\n", b"{}\n", b'{"id":1}\n', b'{"id":"1","fetch":{}}\n',
        b'{"id":true,"fetch":{"url":"http://x/","client":"wget"}}\n', b'{"id":1,"fetch":{"url":"x"}}\n',
        b'{"id":1,"fetch":{"url":"x","client":"c","more":1}}\n', b"[" * 100_000,
        b'{"id":1,"fetch":{"url":"x","client":"c"},"more":1}\n',
        b'{"id":1,"fetch":{"url":{"base64":"!"},"client":"c"}}\n',
    ],
)  # fmt: skip
def test_what_is_no_message_is_a_typed_error(line: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_request(line)
    with pytest.raises(MalformedMessage):
        decode_reply(line)


def test_a_request_that_is_too_large_is_refused_before_it_is_sent() -> None:
    with pytest.raises(MalformedMessage, match="shorten"):
        encode_request(1, wget("http://x/" + "a" * MAX_REQUEST_LINE))


async def test_answers_come_in_their_own_order_over_one_connection(tmp_path: Path) -> None:
    gates = {b"http://x/%d" % n: asyncio.Event() for n in range(20)}
    seen: set[bytes] = set()
    all_there = asyncio.Event()

    async def fetch(request: FetchRequest) -> Capture:
        seen.add(request.url)
        if len(seen) == len(gates):
            all_there.set()
        await gates[request.url].wait()
        return capture_of(request)

    path = tmp_path / "run" / "fetcher.sock"
    async with FetcherServer(path, fetch), FetcherClient(path) as client:
        tasks = [asyncio.ensure_future(client.fetch(wget(url.decode()), 10)) for url in gates]
        await all_there.wait()
        for url, task in reversed(list(zip(gates, tasks, strict=True))):
            gates[url].set()
            assert (await task).url == url.decode()


async def test_the_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "run" / "fetcher.sock"
    before = os.umask(0)
    try:
        async with FetcherServer(path, echo):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        async with FetcherServer(path, echo, mode=0o660):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
    finally:
        os.umask(before)
    assert not path.exists()


async def test_the_socket_of_a_killed_fetcher_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    async with FetcherServer(path, echo), FetcherClient(path) as client:
        assert (await client.fetch(wget("http://x/"), 5)).outcome == "recorded"


async def test_two_fetchers_do_not_share_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"
    async with FetcherServer(path, echo):
        with pytest.raises(EgressError, match="stop it first"):
            async with FetcherServer(path, echo):
                pass
        async with FetcherClient(path) as client:
            assert (await client.fetch(wget("http://x/"), 5)).outcome == "recorded"


async def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"
    path.write_text("precious")
    with pytest.raises(EgressError, match="not a socket"):
        async with FetcherServer(path, echo):
            pass
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xfe\n", b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"x" * (MAX_REQUEST_LINE + 100), b'{"id":1,"fetch"'],
    ids=["bytes", "http", "empty", "too-long", "half"],
)
async def test_a_malformed_peer_ends_only_its_own_connection(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "fetcher.sock"
    release = asyncio.Event()
    entered = asyncio.Event()

    async def fetch(request: FetchRequest) -> Capture:
        entered.set()
        await release.wait()
        return capture_of(request)

    async with FetcherServer(path, fetch), FetcherClient(path) as good:
        waiting = asyncio.ensure_future(good.fetch(wget("http://x/"), 10))
        await entered.wait()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(garbage)
        if garbage.startswith(b'{"id"'):
            writer.write_eof()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        release.set()
        assert (await waiting).outcome == "recorded"


async def test_an_error_of_the_fetcher_reaches_its_asker_and_nobody_else(tmp_path: Path) -> None:
    async def fetch(request: FetchRequest) -> Capture:
        if b"bad" in request.url:
            raise OSError("disk full")
        return capture_of(request)

    path = tmp_path / "fetcher.sock"
    async with FetcherServer(path, fetch), FetcherClient(path) as client:
        with pytest.raises(FetchNotPossible, match="disk full"):
            await client.fetch(wget("http://bad/"), 5)
        with pytest.raises(FetchNotPossible, match="disk full"):
            await asyncio.to_thread(BlockingFetcherClient(path).fetch, wget("http://bad/"), 5)
        assert (await client.fetch(wget("http://good/"), 5)).outcome == "recorded"


async def test_a_fetcher_that_is_down_is_a_typed_error_after_the_time_limit(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"
    async with FetcherClient(path) as client:
        with pytest.raises(FetcherUnavailable, match="urltrap status"):
            await client.fetch(wget("http://x/"), 0.2)
    with pytest.raises(FetcherUnavailable, match="urltrap status"):
        await asyncio.to_thread(BlockingFetcherClient(path).fetch, wget("http://x/"), 0.2)


async def test_a_closed_client_ends_its_requests_and_opens_no_connection(tmp_path: Path) -> None:
    entered = asyncio.Event()

    async def hang(request: FetchRequest) -> Capture:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    path = tmp_path / "fetcher.sock"
    async with FetcherServer(path, hang):
        client = FetcherClient(path)
        task = asyncio.ensure_future(client.fetch(wget("http://x/"), 60))
        await entered.wait()
        await client.close()
        with pytest.raises(FetcherUnavailable, match="closed"):
            await task
        with pytest.raises(FetcherUnavailable, match="closed"):
            await client.fetch(wget("http://x/"), 60)


async def test_a_fetcher_that_does_not_answer_is_a_typed_error_too(tmp_path: Path) -> None:
    async def hang(request: FetchRequest) -> Capture:
        await asyncio.Event().wait()
        raise AssertionError

    path = tmp_path / "fetcher.sock"
    async with FetcherServer(path, hang), FetcherClient(path) as client:
        with pytest.raises(FetcherUnavailable):
            await client.fetch(wget("http://x/"), 0.1)
        with pytest.raises(FetcherUnavailable):
            await asyncio.to_thread(BlockingFetcherClient(path).fetch, wget("http://x/"), 0.1)


async def test_a_request_survives_the_restart_of_the_fetcher(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"
    entered = asyncio.Event()

    async def hang(request: FetchRequest) -> Capture:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with FetcherClient(path) as client:
        async with FetcherServer(path, hang):
            tasks = [asyncio.ensure_future(client.fetch(wget(f"http://x/{n}"), 10)) for n in range(3)]
            await entered.wait()
        async with FetcherServer(path, echo):
            assert [(await task).url for task in tasks] == [f"http://x/{n}" for n in range(3)]


async def test_a_client_may_be_made_before_the_fetcher_is_there(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"
    async with FetcherClient(path) as client:
        early = asyncio.ensure_future(client.fetch(wget("http://x/"), 10))
        blocking = asyncio.ensure_future(
            asyncio.to_thread(BlockingFetcherClient(path).fetch, wget("http://y/"), 10)
        )
        await asyncio.sleep(0)
        async with FetcherServer(path, echo):
            assert (await early).url == "http://x/"
            assert (await blocking).url == "http://y/"


async def test_a_peer_that_is_no_fetcher_is_left_and_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"nonsense\n")
        await writer.drain()
        writer.close()

    async with FetcherClient(path) as client:
        async with await asyncio.start_unix_server(nonsense, str(path)):
            with pytest.raises(FetcherUnavailable, match="no reply"):
                await client.fetch(wget("http://x/"), 0.3)
        path.unlink(missing_ok=True)
        async with FetcherServer(path, echo):
            assert (await client.fetch(wget("http://x/"), 5)).outcome == "recorded"


async def test_behind_too_many_requests_a_connection_is_not_read_from(tmp_path: Path) -> None:
    path = tmp_path / "fetcher.sock"
    running = 0
    most = 0
    entered = asyncio.Semaphore(0)
    release = asyncio.Event()

    async def fetch(request: FetchRequest) -> Capture:
        nonlocal running, most
        running += 1
        most = max(most, running)
        entered.release()
        await release.wait()
        running -= 1
        return capture_of(request)

    async with FetcherServer(path, fetch), FetcherClient(path) as client:
        tasks = [asyncio.ensure_future(client.fetch(wget(f"http://x/{n}"), 20)) for n in range(400)]
        for _ in range(256):
            await entered.acquire()
        release.set()
        await asyncio.gather(*tasks)
    assert most == 256


@asynccontextmanager
async def process(data: Path, captures: list[Capture], **egress: object) -> AsyncIterator[Path]:
    settings = Settings.model_validate({"egress": egress, "testing": {"public_networks": ["127.0.0.0/8"]}})
    ready = asyncio.Event()
    running = run_fetcher(settings, data, Quarantine(data / "quarantine"), captures.append, ready.set)
    task = asyncio.ensure_future(running)
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert not task.done(), task.exception()
    try:
        yield data / "run" / "fetcher.sock"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert not (data / "run" / "fetcher.sock").exists()


async def test_the_process_fetches_over_its_socket_and_only_the_hash_travels(tmp_path: Path) -> None:
    captures: list[Capture] = []
    async with answering(ok(b"payload bytes")) as server, process(tmp_path, captures) as path:
        async with FetcherClient(path) as client:
            capture = await client.fetch(wget(server.url()), 10)
        again = await asyncio.to_thread(
            BlockingFetcherClient(path).fetch, wget(server.url(), for_session="b"), 10
        )
        (tmp_path / "run" / "egress.off").touch()
        off = await asyncio.to_thread(BlockingFetcherClient(path).fetch, wget(server.url("/2")), 10)
    assert (capture.outcome, again.shared, off.outcome) == ("fetched", True, "recorded")
    assert captures == [capture, again, off]
    assert "payload bytes" not in json.dumps([one.model_dump(mode="json") for one in captures])
    assert Quarantine(tmp_path / "quarantine").read(capture.sha256 or "", 0, 99) == b"payload bytes"


async def test_the_process_ends_cleanly_with_fetches_on_their_way(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    def reply(head: bytes) -> bytes:
        arrived.set()
        return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"

    path = tmp_path / "run" / "fetcher.sock"
    async with FetcherClient(path) as client, answering(reply) as server:
        async with process(tmp_path, []):
            task = asyncio.ensure_future(client.fetch(wget(server.url()), 2))
            await arrived.wait()
        captures: list[Capture] = []
        async with process(tmp_path, captures):
            assert (await task).sha256
    assert len(captures) == 1


async def test_the_settings_networks_are_checked_at_start(tmp_path: Path) -> None:
    settings = Settings.model_validate({"egress": {"refuse_networks": ["nonsense"]}})
    with pytest.raises(ValueError, match="nonsense"):
        await run_fetcher(settings, tmp_path, Quarantine(tmp_path / "q"), lambda _: None)


async def test_a_network_of_the_operators_is_never_contacted(tmp_path: Path) -> None:
    settings = Settings.model_validate({"egress": {"refuse_networks": ["8.8.8.0/24"]}})
    task = asyncio.ensure_future(run_fetcher(settings, tmp_path, Quarantine(tmp_path / "q"), lambda _: None))
    async with FetcherClient(tmp_path / "run" / "fetcher.sock") as client:
        capture = await client.fetch(wget("http://8.8.8.8/"), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (capture.outcome, capture.detail) == (
        "refused-address",
        "8.8.8.8: in a network that the settings refuse",
    )
