"""The name server that every name server of the Internet is for a box (RFC 1035)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.rrset

from urltrap.wire.internet.names import Names, plain

TTL = 300
MAX_UDP = 512
"""Bytes of an answer by UDP where the question does not say that more is taken (RFC 1035 2.3.4)."""
_MAX_QUERY = 4096
_NEVER = ("localhost", "local", "internal", "lan", "home", "invalid", "test", "onion", "localdomain")
"""Top levels that no name server of the Internet has (RFC 6761, 6762, 7686)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: a name without its last dot, a type ("A"), and the address that the name
    has, or empty."""

    name: str
    type: str
    address: str = ""


def answer(
    query: bytes, names: Names, exists: Callable[[str], bool], *, tcp: bool = False
) -> tuple[bytes, Question | None]:
    """The reply to a query, and what was asked; no bytes for what is no question. Raises nothing.

    `exists` says whether there is a top level of this name; names below one all have an address of IPv4 and none of
    IPv6. Addresses have the name that they were given out for.
    """
    try:
        asked = dns.message.from_wire(query[:_MAX_QUERY], ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, UnicodeError):
        return b"", None
    if asked.flags & dns.flags.QR or asked.opcode() != 0 or len(asked.question) != 1:
        return b"", None
    question = asked.question[0]
    try:
        name = plain(question.name.to_text())
        kind = dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(asked, recursion_available=True)
        address = _fill(reply, question, name, kind, names, exists)
        size = 65_535 if tcp else max(MAX_UDP, asked.payload if asked.edns >= 0 else 0)
        return reply.to_wire(max_size=size), Question(name, kind, address)
    except (dns.exception.DNSException, ValueError, UnicodeError):
        return b"", None


def _fill(
    reply: dns.message.Message,
    question: dns.rrset.RRset,
    name: str,
    kind: str,
    names: Names,
    exists: Callable[[str], bool],
) -> str:
    """Put the answer in; the address of the name, where one was given."""
    if name.endswith(".arpa"):
        known = _name_of(question.name, names)
        if known and kind == "PTR":
            reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "PTR", known + "."))
        elif not known:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return ""
    top = name.rpartition(".")[2]
    if "." not in name or top in _NEVER or not exists(top):
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return ""
    address = names.address(name)
    if kind not in ("A", "ANY"):
        return address
    reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "A", address))
    return address


def _name_of(reverse: dns.name.Name, names: Names) -> str:
    try:
        return names.name(str(ip_address(dns.reversename.to_address(reverse))))
    except (dns.exception.DNSException, ValueError):
        return ""
