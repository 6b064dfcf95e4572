"""What is written in one turn of the loop leaves in one piece, in order, and nothing of it is lost at the end."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from urltrap.sensors.gathering import GatheringTransport


class Wire:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def is_closing(self) -> bool:
        return "close" in self.told or "abort" in self.told

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")


def gathered(wire: Wire) -> GatheringTransport:
    return GatheringTransport(cast(asyncio.Transport, wire), asyncio.get_running_loop())


async def test_packets_of_one_turn_leave_together() -> None:
    wire = Wire()
    transport = gathered(wire)
    for packet in (b"success", b"output", b"eof"):
        transport.write(packet)
    assert wire.told == []
    assert transport.get_write_buffer_size() == 16
    await asyncio.sleep(0)
    assert wire.told == [b"successoutputeof"]
    wire.unsent = 5
    assert transport.get_write_buffer_size() == 5
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.told == [b"successoutputeof", b"next"]


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_what_was_written_before_the_end_is_handed_over_first(end: str) -> None:
    wire = Wire()
    transport = gathered(wire)
    transport.write(b"goodbye")
    getattr(transport, end)()
    transport.write(b"too late")
    await asyncio.sleep(0)
    assert wire.told == [b"goodbye", end]


async def test_the_rest_of_a_transport_is_that_of_the_one_inside() -> None:
    reader, writer = await asyncio.open_connection(*(await _listening()))
    transport = GatheringTransport(cast(asyncio.Transport, writer.transport), asyncio.get_running_loop())
    assert transport.get_extra_info("peername") == writer.get_extra_info("peername")
    transport.write(b"hello ")
    transport.write(b"there")
    assert await reader.readexactly(11) == b"hello there"
    transport.close()
    assert await reader.read() == b""


async def _listening() -> tuple[str, int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()
        server.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    return host, port
