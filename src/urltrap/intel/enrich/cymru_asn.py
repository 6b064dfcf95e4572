"""Team Cymru's mapping of addresses to networks over DNS. Source: team-cymru.com/ip-asn-mapping.

`4.3.2.1.origin.asn.cymru.com` (TXT) answers "NUMBER[ NUMBER…] | PREFIX | COUNTRY | REGISTRY | DATE", and
`ASnumber.asn.cymru.com` the network's name. Who automates it is asked to tell them first: skipped by default.
"""

from __future__ import annotations

import ipaddress

from urltrap.intel.dns import Resolver, reverse_name
from urltrap.intel.errors import Malformed
from urltrap.model.verdict import Place

NAME = "cymru-asn"
ZONE = "asn.cymru.com"


async def network(resolver: Resolver, address: str, zone: str = ZONE) -> Place:
    """The network that announces an address, and the country that its registry tells; an empty place where nobody
    announces it. Raises Unavailable, or Malformed for an answer of another form."""
    parsed = ipaddress.ip_address(address)
    reverse = reverse_name(address).removesuffix(".").rsplit(".", 2)[0]
    origin = "origin" if parsed.version == 4 else "origin6"
    answer = await resolver.ask(f"{reverse}.{origin}.{zone}", "TXT")
    if answer.missing or not answer.values:
        return Place()
    # Several prefixes may hold it: the longest says whose it is.
    fields = max((_fields(value, 3) for value in answer.values), key=lambda found: _length(found[1]))
    number = fields[0].split(" ")[0]
    if not number.isdecimal() or not 0 < int(number) < 1 << 32:
        raise Malformed("the answer names no network")
    country = fields[2].upper()
    known = len(country) == 2 and country.isascii() and country.isalpha()
    return Place(
        country=country if known else "",
        asn=int(number),
        network=await _name(resolver, number, zone),
        sources=[NAME],
    )


async def _name(resolver: Resolver, number: str, zone: str) -> str:
    answer = await resolver.ask(f"AS{number}.{zone}", "TXT")
    return _fields(answer.values[0], 5)[4][:250] if answer.values else ""


def _fields(value: str, least: int) -> list[str]:
    fields = [field.strip() for field in value.split("|")]
    if len(fields) < least:
        raise Malformed("the answer has another form")
    return fields


def _length(prefix: str) -> int:
    length = prefix.partition("/")[2]
    return int(length) if length.isdecimal() and len(length) <= 3 else 0
