"""Reverse names of addresses, forward-confirmed: a PTR is what its owner likes to write.

A name is context about an attacker. It is no URL and is never asked about as one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from urltrap.intel.dns import Resolver, reverse_name
from urltrap.intel.enrich.domains import registered
from urltrap.intel.errors import Unavailable

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class ReverseName:
    """The name of an address; empty where it has none. `confirmed`: the name leads back to the address."""

    name: str = ""
    confirmed: bool = False
    domain: str = ""


async def reverse(resolver: Resolver, address: str) -> ReverseName:
    """The reverse name of an address. Unavailable where DNS gives no answer: that is not "has none"."""
    parsed = ipaddress.ip_address(address)
    found = ReverseName()
    for value in (await resolver.ask(reverse_name(address), "PTR")).values[:_MOST_NAMES]:
        name = value.rstrip(".").lower()
        if not name or len(name) > 253 or not name.isascii() or not name.isprintable():
            continue
        candidate = ReverseName(name, await _leads_back(resolver, name, parsed), registered(name))
        if candidate.confirmed:
            return candidate
        found = found if found.name else candidate
    return found


async def _leads_back(
    resolver: Resolver, name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> bool:
    try:
        answer = await resolver.ask(name, "A" if address.version == 4 else "AAAA")
    except Unavailable:
        return False  # not confirmed; it is tried again when the name expires
    return any(_same(value, address) for value in answer.values)


def _same(value: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ipaddress.ip_address(value) == address
    except ValueError:
        return False
