"""TFTP: the protocol as values, and transfers from a small server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.egress.tftp import BUSYBOX_OPTIONS, TftpError, TftpReader

from .conftest import Bench, wget


def data(number: int, payload: bytes) -> bytes:
    return b"\0\x03" + number.to_bytes(2, "big") + payload


def ack(number: int) -> bytes:
    return b"\0\x04" + number.to_bytes(2, "big")


def error(code: int, text: bytes) -> bytes:
    return b"\0\x05" + code.to_bytes(2, "big") + text + b"\0"


def test_a_file_of_two_blocks_is_acknowledged_block_by_block() -> None:
    reader = TftpReader(b"a/b")
    assert reader.request == b"\0\x01a/b\0octet\0"
    assert (reader.receive(data(1, b"x" * 512)), reader.chunk, reader.done) == (ack(1), b"x" * 512, False)
    assert (reader.receive(data(2, b"end")), reader.chunk, reader.done) == (ack(2), b"end", True)


def test_a_file_of_whole_blocks_ends_with_an_empty_one() -> None:
    reader = TftpReader(b"f")
    reader.receive(data(1, b"x" * 512))
    assert (reader.receive(data(2, b"")), reader.done) == (ack(2), True)


def test_a_repeated_block_is_acknowledged_again_and_not_kept_twice() -> None:
    reader = TftpReader(b"f")
    reader.receive(data(1, b"x" * 512))
    assert (reader.receive(data(1, b"x" * 512)), reader.chunk) == (ack(1), b"")


def test_a_stray_block_is_not_acknowledged() -> None:
    reader = TftpReader(b"f")
    assert reader.receive(data(0, b"x" * 512)) == b""
    assert reader.receive(data(7, b"x" * 512)) == b""
    assert (reader.last_sent, reader.chunk) == (reader.request, b"")


def test_block_numbers_wrap_at_65536() -> None:
    reader = TftpReader(b"f")
    for number in range(1, 65_538):
        assert reader.receive(data(number & 0xFFFF, b"x" * 512)) == ack(number & 0xFFFF)


def test_busybox_asks_for_options_and_takes_those_that_are_granted() -> None:
    reader = TftpReader(b"f", BUSYBOX_OPTIONS)
    assert reader.request == b"\0\x01f\0octet\0tsize\x000\0blksize\x001432\0"
    assert reader.receive(b"\0\x06tsize\x003000\0blksize\x001432\0") == ack(0)
    reader.receive(data(1, b"x" * 1432))
    assert reader.done is False
    reader.receive(data(2, b"x" * 1431))
    assert reader.done is True


def test_a_server_that_ignores_the_options_sends_blocks_of_512() -> None:
    reader = TftpReader(b"f", BUSYBOX_OPTIONS)
    reader.receive(data(1, b"x" * 512))
    assert reader.done is False


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"\0", b"\0\x03\0", b"\0\x01f\0octet\0", b"\0\x04\0\0", b"\0\x09\0\0", data(1, b"x" * 513),
        b"\0\x06blksize\x0065000\0", b"\0\x06blksize\x007\0", b"\0\x06blksize\0abc\0", b"\0\x06other\x001\0",
        b"\0\x06odd\0", b"\xff\xff\xff\xff", b"\0\x06blksize\0" + b"9" * 5000 + b"\0",
    ],
)  # fmt: skip
def test_what_is_no_answer_ends_the_transfer(packet: bytes) -> None:
    with pytest.raises(TftpError):
        TftpReader(b"f", {b"blksize": b"1432"}).receive(packet)


def test_options_that_were_not_asked_for_end_the_transfer() -> None:
    with pytest.raises(TftpError):
        TftpReader(b"f").receive(b"\0\x06blksize\x001432\0")


def test_the_servers_error_is_told() -> None:
    with pytest.raises(TftpError, match="File not found") as raised:
        TftpReader(b"f").receive(error(1, b"File not found"))
    assert raised.value.code == 1


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_any_packets_end_in_a_reply_or_a_typed_error(packets: list[bytes]) -> None:
    reader = TftpReader(b"f", BUSYBOX_OPTIONS)
    for packet in packets:
        try:
            reply = reader.receive(packet)
        except TftpError:
            return
        assert len(reply) in (0, 4)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes, tuple[str, int], asyncio.DatagramTransport], None]) -> None:
        self.answer = answer
        self.received: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, packet: bytes, addr: tuple[str, int]) -> None:
        self.received.append(packet)
        self.answer(packet, addr, self.transport)


Answer = Callable[[bytes, tuple[str, int], asyncio.DatagramTransport], None]


@asynccontextmanager
async def udp(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[tuple[_Udp, int]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Udp(answer), local_addr=(host, 0))
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def serve(content: bytes) -> Answer:
    """Send `content` in blocks of 512, from the port that was asked."""

    def answer(packet: bytes, addr: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        number = 0 if packet[1] == 1 else int.from_bytes(packet[2:4], "big")
        if number * 512 <= len(content):
            transport.sendto(data(number + 1, content[number * 512 : number * 512 + 512]), addr)

    return answer


async def test_a_file_is_read_from_a_server_that_answers_from_a_new_port(bench: Bench) -> None:
    content = bytes(range(256)) * 10

    async with udp(serve(content)) as (_, transfer_port):
        # RFC 1350 §4: the server's side of a transfer has a port of its own.
        loop = asyncio.get_running_loop()
        async with udp(lambda *_: None) as (transfers, second):
            assert second != transfer_port

            def first(packet: bytes, addr: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
                transfers.answer = serve(content)
                loop.call_soon(transfers.answer, packet, addr, transfers.transport)

            async with udp(first) as (_, port):
                capture = await bench.fetcher().fetch(wget(f"tftp://127.0.0.1:{port}/bot", client="tftp"))
    assert (capture.outcome, capture.complete, capture.status) == ("fetched", True, None)
    assert bench.body(capture) == content
    assert transfers.received[-1] == ack(6)


async def test_packets_of_another_host_or_port_are_not_taken(bench: Bench) -> None:
    async with udp(lambda *_: None) as (stranger, _), udp(lambda *_: None, "127.0.0.2") as (elsewhere, _):

        def answer(packet: bytes, addr: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
            elsewhere.transport.sendto(data(1, b"elsewhere"), addr)
            if packet[1] == 1:
                transport.sendto(data(1, b"g" * 512), addr)
            else:
                stranger.transport.sendto(data(2, b"stranger"), addr)
                transport.sendto(data(2, b"good"), addr)

        async with udp(answer) as (_, port):
            capture = await bench.fetcher().fetch(wget(f"tftp://127.0.0.1:{port}/bot", client="tftp"))
    assert bench.body(capture) == b"g" * 512 + b"good"


async def test_a_lost_packet_is_asked_for_again(bench: Bench) -> None:
    seen: list[bytes] = []

    def answer(packet: bytes, addr: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        seen.append(packet)
        if len(seen) > 1:
            transport.sendto(data(1, b"whole"), addr)

    async with udp(answer) as (_, port):
        capture = await bench.fetcher().fetch(wget(f"tftp://127.0.0.1:{port}/bot", client="busybox-tftp"))
    assert bench.body(capture) == b"whole"
    assert seen[0] == seen[1] == b"\0\x01bot\0octet\0tsize\x000\0blksize\x001432\0"


async def test_a_missing_file_is_not_found(bench: Bench) -> None:
    async with udp(lambda _, addr, transport: transport.sendto(error(1, b"no\x1b[2J"), addr)) as (_, port):
        capture = await bench.fetcher().fetch(wget(f"tftp://127.0.0.1:{port}/bot", client="tftp"))
    assert capture.outcome == "not-found"
    assert capture.detail.isprintable()


async def test_an_error_in_the_middle_keeps_the_beginning(bench: Bench) -> None:
    def answer(packet: bytes, addr: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        transport.sendto(data(1, b"b" * 512) if packet[1] == 1 else error(0, b"disk"), addr)

    async with udp(answer) as (_, port):
        capture = await bench.fetcher().fetch(wget(f"tftp://127.0.0.1:{port}/bot", client="tftp"))
    assert (capture.outcome, capture.complete, bench.body(capture)) == ("fetched", False, b"b" * 512)


async def test_garbage_is_a_protocol_error(bench: Bench) -> None:
    async with udp(lambda _, addr, transport: transport.sendto(b"\xff" * 40, addr)) as (server, port):
        capture = await bench.fetcher().fetch(wget(f"tftp://127.0.0.1:{port}/bot", client="tftp"))
    assert capture.outcome == "protocol-error"
    assert server.received[0][:2] == b"\0\x01"


async def test_silence_times_out(bench: Bench) -> None:
    async with udp(lambda *_: None) as (_, port):
        capture = await bench.fetcher(total_seconds=0.2).fetch(
            wget(f"tftp://127.0.0.1:{port}/bot", client="tftp")
        )
    assert (capture.outcome, capture.sha256) == ("timed-out", None)


async def test_an_endless_file_is_cut(bench: Bench) -> None:
    def answer(packet: bytes, addr: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        number = 0 if packet[1] == 1 else int.from_bytes(packet[2:4], "big")
        transport.sendto(data(number + 1 & 0xFFFF, b"z" * 512), addr)

    async with udp(answer) as (_, port):
        capture = await bench.fetcher(max_bytes=200_000).fetch(
            wget(f"tftp://127.0.0.1:{port}/b", client="tftp")
        )
    assert (capture.outcome, capture.size, capture.complete) == ("too-large", 200_000, False)


async def test_an_inner_tftp_server_is_refused(bench: Bench) -> None:
    capture = await bench.fetcher().fetch(wget("tftp://192.168.1.1/x", client="tftp"))
    assert capture.outcome == "refused-address"


@pytest.mark.parametrize("path", ["", "%00", "a" * 500])
async def test_a_path_that_cannot_stand_in_a_request_is_a_bad_url(bench: Bench, path: str) -> None:
    capture = await bench.fetcher().fetch(wget(f"tftp://127.0.0.1/{path}", client="tftp"))
    assert capture.outcome == "bad-url"


async def test_a_look_ends_the_transfer_at_the_first_block_and_keeps_nothing(bench: Bench) -> None:
    async with udp(serve(b"m" * 5000)) as (_, port):
        request = wget(f"tftp://127.0.0.1:{port}/mips", client="tftp", user_agent="", method="HEAD")
        capture = await bench.fetcher().fetch(request)
    assert (capture.outcome, capture.sha256) == ("fetched", None)
    assert bench.captures == [capture]
