"""The guard that keeps tests on this machine."""

from __future__ import annotations

import asyncio
import socket

import pytest


def test_a_connection_to_a_public_address_is_refused_and_noted(outbound_attempts: list[str]) -> None:
    with socket.socket() as client, pytest.raises(ConnectionRefusedError, match="do not leave"):
        client.connect(("192.0.2.1", 80))
    assert outbound_attempts == ["connect ('192.0.2.1', 80)"]
    outbound_attempts.clear()


def test_a_datagram_to_a_public_address_is_refused(outbound_attempts: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        with pytest.raises(ConnectionRefusedError):
            client.sendto(b"x", ("198.51.100.7", 53))
        with pytest.raises(ConnectionRefusedError):
            client.sendmsg([b"x"], [], 0, ("198.51.100.7", 53))
    assert len(outbound_attempts) == 2
    outbound_attempts.clear()


async def test_a_public_name_is_not_resolved(outbound_attempts: list[str]) -> None:
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("attacker.example", 80)
    assert outbound_attempts == ["getaddrinfo 'attacker.example'"]
    outbound_attempts.clear()


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:192.0.2.1", "2001:db8::1"])
def test_private_and_mapped_addresses_are_not_this_machine(
    address: str, outbound_attempts: list[str]
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(ConnectionRefusedError):
        client.connect_ex((address, 80))
    outbound_attempts.clear()


async def test_loopback_is_allowed() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(5))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello")
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
