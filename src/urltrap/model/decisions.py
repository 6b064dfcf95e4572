"""What people decide about URLs and hosts: the words of `event.Decided`, and what an entry of the allow-list may be."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, get_args

UrlDecision = Literal["malicious", "benign", "leave", "withdrawn"]
"""Of one URL: what it is; `leave`: looked at, and left as the evidence has it; `withdrawn`: decided no more."""

ListDecision = Literal["allow", "disallow"]
"""Of an entry of the allow-list: it is put on, or taken off."""

URL_DECISIONS: tuple[UrlDecision, ...] = get_args(UrlDecision)
LIST_DECISIONS: tuple[ListDecision, ...] = get_args(ListDecision)

WRITER = "site"
"""The writer in whose journal decisions are: it is kept for ever, since what people decided has no other source."""

LONGEST_NOTE = 1000
_LARGEST = {4: 16, 6: 32}
"""Shortest prefix of a network that may be allowed: more is no list of exceptions."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+")


class BadEntry(ValueError):
    """What was given can be no entry of the allow-list; the message says what can."""


def allow_entry(text: str) -> str:
    """An entry as it is kept: a host, ``.domain`` (itself and all below), an address, or a network. Raises BadEntry."""
    entry = text.strip().lower().replace("[.]", ".").rstrip(".")
    if "/" in entry or ":" in entry or re.fullmatch(r"[0-9.]+", entry):
        return _network(entry.strip("[]"), text)
    name = entry[1:] if entry.startswith(".") else entry
    try:
        name = name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError:
        raise _bad(text) from None
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise _bad(text)
    return ("." if entry.startswith(".") else "") + name


def _network(entry: str, text: str) -> str:
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        raise _bad(text) from None
    if network.prefixlen < _LARGEST[network.version]:
        raise BadEntry(
            f"{text.strip()[:80]!r} is too large for the allow-list: /{_LARGEST[network.version]} at most"
        )
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _bad(text: str) -> BadEntry:
    return BadEntry(
        f"{text.strip()[:80]!r} is no host, .domain, address or exact network; write for example "
        "files.example.org, .example.org, 192.0.2.7 or 192.0.2.0/24"
    )
