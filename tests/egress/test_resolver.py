"""Names: which are asked for at all, and what a name server on loopback answers."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from urltrap.egress.resolver import DnsResolver, NameNotResolved, NameRefused, addresses_of, check_name


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.example.org", "a.example.org"), ("A.example.org.", "a.example.org"), ("xn--4ca.de", "xn--4ca.de")],
)
def test_an_ordinary_name_is_asked_for_without_its_trailing_dot(host: str, name: str) -> None:
    assert check_name(host) == name


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost.", "x.localhost", "router", "nas.local", "m.internal", "a.home.arpa", "x.lan"],
)
def test_a_name_of_an_inner_network_is_never_asked_for(host: str) -> None:
    with pytest.raises(NameRefused):
        check_name(host)


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "x.onion", "x.invalid", "a" * 64 + ".org", "a." * 130 + "org"]
)
def test_what_cannot_be_in_dns_is_never_asked_for(host: str) -> None:
    with pytest.raises(NameNotResolved):
        check_name(host)


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[dns.message.Message], dns.message.Message | None]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, packet: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(packet)
        self.asked.append(query.question[0].to_text())
        reply = self.answer(query)
        if reply is not None:
            self.transport.sendto(reply.to_wire(), addr)


@asynccontextmanager
async def name_server(
    answer: Callable[[dns.message.Message], dns.message.Message | None],
) -> AsyncIterator[tuple[_NameServer, DnsResolver]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: _NameServer(answer), local_addr=("127.0.0.1", 0)
    )
    resolver = DnsResolver()
    resolver._resolver = dns.asyncresolver.Resolver(configure=False)
    resolver._resolver.nameservers = ["127.0.0.1"]
    resolver._resolver.port = transport.get_extra_info("sockname")[1]
    try:
        yield server, resolver
    finally:
        transport.close()


def reply(
    query: dns.message.Message, *addresses: str, code: dns.rcode.Rcode = dns.rcode.NOERROR
) -> dns.message.Message:
    made = dns.message.make_response(query, recursion_available=True)
    made.set_rcode(code)
    question = query.question[0]
    kind = "A" if question.rdtype == dns.rdatatype.A else "AAAA"
    texts = [text for text in addresses if (":" in text) == (kind == "AAAA")]
    if texts:
        made.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
    return made


async def test_both_families_are_asked_for_and_ipv4_comes_first() -> None:
    async with name_server(lambda query: reply(query, "2606:4700::1", "1.1.1.1")) as (server, resolver):
        found = await addresses_of("dropper.example.org.", resolver, 5)
    assert found == [ipaddress.ip_address("1.1.1.1"), ipaddress.ip_address("2606:4700::1")]
    assert sorted(server.asked) == ["dropper.example.org. IN A", "dropper.example.org. IN AAAA"]


@pytest.mark.parametrize("code", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_name_without_an_answer_is_a_dns_failure(code: dns.rcode.Rcode) -> None:
    async with name_server(lambda query: reply(query, code=code)) as (_, resolver):
        with pytest.raises(NameNotResolved):
            await resolver.resolve("x.example.org", 0.5)


async def test_a_name_without_an_address_is_a_dns_failure() -> None:
    async with name_server(reply) as (_, resolver):
        with pytest.raises(NameNotResolved):
            await resolver.resolve("x.example.org", 5)


async def test_a_silent_name_server_is_left_in_time() -> None:
    async with name_server(lambda _: None) as (_, resolver):
        with pytest.raises(NameNotResolved, match="no name server answered"):
            await resolver.resolve("x.example.org", 0.2)


async def test_an_address_is_not_asked_for() -> None:
    async with name_server(lambda _: None) as (server, resolver):
        assert await addresses_of("127.0.0.1", resolver, 1) == [ipaddress.ip_address("127.0.0.1")]
        with pytest.raises(NameRefused):
            await addresses_of("fe80::1%eth0", resolver, 1)
    assert server.asked == []
