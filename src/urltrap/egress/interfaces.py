"""The addresses of this machine's own interfaces, which an attacker must not reach through us."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv6Address
from pathlib import Path

from urltrap.egress.address import IpAddress


def parse_fib_trie(text: str) -> set[IpAddress]:
    """The IPv4 addresses of Linux's ``/proc/net/fib_trie``: each "/32 host LOCAL" leaf names the line above it."""
    found: set[IpAddress] = set()
    leaf = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("|-- "):
            leaf = stripped[4:]
        elif stripped == "/32 host LOCAL" and leaf:
            found.add(ipaddress.IPv4Address(leaf))
    return found


def parse_if_inet6(text: str) -> set[IpAddress]:
    """The IPv6 addresses of Linux's ``/proc/net/if_inet6``: the first column, 32 hexadecimal digits."""
    return {IPv6Address(int(line.split()[0], 16)) for line in text.splitlines() if line.strip()}


def own_addresses(proc: Path = Path("/proc/net")) -> frozenset[IpAddress]:
    """The addresses of this machine's interfaces, as far as the kernel tells (empty where there is no such file)."""
    found: set[IpAddress] = set()
    for name, parse in (("fib_trie", parse_fib_trie), ("if_inet6", parse_if_inet6)):
        try:
            text = (proc / name).read_text("ascii")
        except FileNotFoundError:  # no IPv6 in this kernel, or not Linux
            continue
        found |= parse(text)
    return frozenset(found)
