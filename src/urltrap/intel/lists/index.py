"""The index of context lists: every label that any list gives a host, an address or a hash.

Lists overlap (a scanner's address is also in a cloud's range), so that all labels of a value are kept, each with its
list, the list's version and when it expires: addresses of clouds change hands.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast, get_args

from urltrap.judge import Label
from urltrap.judge.evidence import LabelKind

_JUDGED = frozenset(get_args(LabelKind))
_V4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}\Z")
_HASH = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{8}(?:[0-9a-f]{24})?)?\Z")

BENIGN = frozenset(
    {"ip-check", "speed-test", "known-site", "mirror", "top-site", "research-scanner", "sinkhole", "parked",
     "false-positive", "private", "public-dns"}
)  # fmt: skip
"""Kinds about which nobody outside is asked."""

SHARED = frozenset(
    {
        "code-hosting",
        "paste",
        "shortener",
        "cdn",
        "file-share",
        "cloud-bucket",
        "dynamic-dns",
        "ipfs",
        "tunnel",
        "tor",
    }
)
"""Kinds of hosts that hold anybody's files: their URLs and payloads are asked about, they themselves never."""


@dataclass(frozen=True, slots=True)
class ContextLabel:
    """One list's word about a value. `expires` None: with the package that ships it."""

    kind: str
    list: str
    version: str
    expires: datetime | None = None

    def judged(self) -> Label | None:
        """The label as rules know it; None for kinds that no rule uses."""
        return Label(cast(LabelKind, self.kind), self.list) if self.kind in _JUDGED else None


class ListIndex:
    """Values → labels. Built once by `add`, then read by any thread."""

    def __init__(self) -> None:
        self._labels: list[ContextLabel] = []
        self._exact: dict[str, tuple[int, ...]] = {}
        self._below: dict[str, tuple[int, ...]] = {}
        # per length of prefix: network → labels
        self._nets: dict[int, dict[int, dict[int, tuple[int, ...]]]] = {4: {}, 6: {}}
        self._lengths: dict[int, list[int]] = {4: [], 6: []}
        self.skipped = 0

    def __len__(self) -> int:
        """How many values are known."""
        nets = sum(len(table) for tables in self._nets.values() for table in tables.values())
        return len(self._exact) + len(self._below) + nets

    @property
    def lists(self) -> list[ContextLabel]:
        """One label of each list that was added."""
        return list(self._labels)

    def add(self, label: ContextLabel, values: Iterable[str]) -> int:
        """Add a list's values: hosts, ``.domain`` for all hosts below as well, addresses, networks, hashes.

        What is none of these is counted in `skipped`. How many were taken.
        """
        number = len(self._labels)
        self._labels.append(label)
        mine = (number,)
        exact, below, v4 = self._exact, self._below, self._nets[4]
        taken = 0
        for raw in values:
            value = raw.strip().lower().rstrip(".")
            if not value or len(value) > 300:
                self.skipped += 1
                continue
            first = value[0]
            if first == ".":
                name = value.lstrip(".")
                below[name] = below.get(name, ()) + mine
                # A domain that takes all below it takes itself.
                exact[name] = exact.get(name, ()) + mine if number not in exact.get(name, ()) else exact[name]
            elif ":" in value or "/" in value or (first.isdigit() and _V4.match(value)):
                text, slash, bits = value.partition("/")
                try:
                    if ":" in text:
                        packed, width, tables = socket.inet_pton(socket.AF_INET6, text), 128, self._nets[6]
                    else:
                        packed, width, tables = socket.inet_pton(socket.AF_INET, text), 32, v4
                    length = int(bits) if slash else width
                    if not 0 <= length <= width:
                        raise ValueError
                except (OSError, ValueError):
                    self.skipped += 1
                    continue
                table = tables.get(length)
                if table is None:
                    table = tables[length] = {}
                key = int.from_bytes(packed) >> (width - length)
                table[key] = table.get(key, ()) + mine
            elif "." in value or _HASH.match(value):
                exact[value] = exact.get(value, ()) + mine
            else:
                self.skipped += 1
                continue
            taken += 1
        self._lengths = {family: sorted(tables, reverse=True) for family, tables in self._nets.items()}
        return taken

    def of_host(self, host: str) -> list[ContextLabel]:
        """All labels of a host name (its own, and of the domains above that take all below) or of an address."""
        name = host.rstrip(".").lower()
        if ":" in name or (name[:1].isdigit() and _V4.match(name)):
            return self.of_address(name)
        found = self._exact.get(name, ())
        place = name.find(".")
        while place >= 0:
            above = name[place + 1 :]
            found += self._below.get(above, ())
            place = name.find(".", place + 1)
        return [self._labels[number] for number in dict.fromkeys(found)]

    def of_address(self, address: str) -> list[ContextLabel]:
        """All labels of an address, from the most specific network on; none for what is no address."""
        text = address.partition("%")[0]
        family, width = (6, 128) if ":" in text else (4, 32)
        try:
            packed = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, text)
        except (OSError, ValueError):
            return []
        if family == 6 and packed[:12] == b"\0" * 10 + b"\xff\xff":
            return self.of_address(str(ipaddress.IPv4Address(packed[12:])))
        value = int.from_bytes(packed)
        found: tuple[int, ...] = ()
        tables = self._nets[family]
        for length in self._lengths[family]:
            hit = tables[length].get(value >> (width - length))
            if hit is not None:
                found += hit
        return [self._labels[number] for number in dict.fromkeys(found)]

    def of_hash(self, digest: str) -> list[ContextLabel]:
        """All labels of an MD5, SHA-1 or SHA-256."""
        return [self._labels[number] for number in self._exact.get(digest.lower(), ())]
