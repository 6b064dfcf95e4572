"""The first record of a TLS client, and packets as they are read and written."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.internet.datagram import echo_target, tcp_target, udp_packet
from urltrap.wire.internet.tls import is_hello, server_name, wanted


def _hello(name: str | None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_the_name_that_a_client_asks_for_is_read_from_its_first_record() -> None:
    hello = _hello("secure.evil.example")
    assert is_hello(hello) and wanted(hello) == len(hello)
    assert server_name(hello) == "secure.evil.example"
    assert server_name(_hello(None)) == ""
    assert not is_hello(b"GET / HTTP/1.1")


@given(st.integers(0, 300), st.binary(max_size=40))
def test_a_broken_first_record_raises_nothing(at: int, noise: bytes) -> None:
    hello = _hello("secure.evil.example")
    server_name(hello[:at] + noise + hello[at:])
    server_name(hello[:at])


def test_a_datagram_is_a_packet_with_a_right_checksum() -> None:
    packet = udp_packet(("198.51.100.1", 53), ("192.0.2.7", 4000), b"abc")
    pseudo = packet[12:20] + b"\0\x11" + packet[24:26]
    total = sum(int.from_bytes((pseudo + packet[20:] + b"\0")[at : at + 2], "big") for at in range(0, 24, 2))
    assert total % 0xFFFF == 0 and packet[28:] == b"abc" and len(packet) == 31
    with pytest.raises(ValueError, match="do not fit"):
        udp_packet(("192.0.2.1", 1), ("192.0.2.2", 2), b"x" * 65_508)


def test_where_a_packet_goes_is_read_and_nothing_from_others() -> None:
    head = bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 7, 198, 51, 100, 9])
    assert tcp_target(head + b"\x10\x00\x00\x17" + bytes(16)) == ("198.51.100.9", 23)
    ping = head[:9] + b"\x01" + head[10:]
    assert echo_target(ping + b"\x08\0\0\0\0\0\0\0data") == ("198.51.100.9", b"data")
    assert tcp_target(ping + bytes(8)) is None and echo_target(ping + bytes(8)) is None


@given(st.binary(max_size=64))
def test_no_packet_raises(data: bytes) -> None:
    tcp_target(data)
    echo_target(data)
