"""Transfers by TFTP, packet by packet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.egress.tftp import BUSYBOX_OPTIONS, TftpReader
from urltrap.wire.internet.tftp import KEPT, Receiving, Request, Sending, request


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 5000, 70_000])
@pytest.mark.parametrize("options", [None, BUSYBOX_OPTIONS])
def test_our_own_client_gets_every_file_whole(size: int, options: dict[bytes, bytes] | None) -> None:
    content = bytes(number % 251 for number in range(size))
    client = TftpReader(b"a/b.mips", options)
    asked = request(client.request)
    assert asked is not None and asked.name == b"a/b.mips" and not asked.write
    server = Sending(content, asked)
    got, packet = b"", server.begin()
    while not client.done:
        answer = client.receive(packet)
        got += client.chunk
        packet = server.receive(answer)
    assert got == content and server.done


def test_a_block_is_not_sent_for_another_ones_acknowledgement() -> None:
    server = Sending(b"x" * 2000, Request(False, b"a", {}))
    first = server.begin()
    assert server.receive(b"\0\x04\0\x07") == b"" and server.packet == first
    assert server.receive(b"\0\x04\0\x01")[:4] == b"\0\x03\0\x02"
    assert server.receive(b"\0\x05\0\0no\0") == b"" and server.done


def test_an_upload_is_counted_and_its_beginning_kept() -> None:
    server = Receiving()
    assert server.begin() == b"\0\x04\0\0"
    for number in range(1, 12):
        assert server.receive(
            b"\0\x03" + number.to_bytes(2, "big") + b"y" * 512
        ) == b"\0\x04" + number.to_bytes(2, "big")
    assert server.receive(b"\0\x03\0\x0by") == b"\0\x04\0\x0b", "a block that comes again"
    assert server.receive(b"\0\x03\0\x0cend") == b"\0\x04\0\x0c"
    assert (server.done, server.size, len(server.first)) == (True, 11 * 512 + 3, KEPT)


@pytest.mark.parametrize(
    "data", [b"", b"\0\x01", b"\0\x01a", b"\0\x01\0octet\0", b"\0\x03\0\x01x", b"\0\x01a\0what\0"]
)
def test_what_is_no_request_is_none(data: bytes) -> None:
    assert request(data) is None


@given(st.binary(max_size=80))
def test_nothing_raises(data: bytes) -> None:
    request(data)
    Sending(b"x" * 600, Request(False, b"a", {b"blksize": data, b"tsize": data})).begin()
    Receiving().receive(data)
