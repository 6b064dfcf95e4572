"""Registered domains by the public suffix list.

A name's last two labels are not its owner: `dynamic.example.co.uk` belongs to `example.co.uk`, and below a suffix of
the list's private part (`ec2-…compute.amazonaws.com`, `…dyndns.org`) each customer's label is a domain of its own.
Here only the public part counts by default: for a ranking of networks, Amazon's customers are Amazon.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=2)
def _list(private: bool) -> PublicSuffixList:
    data = files("publicsuffixlist") / "public_suffix_list.dat"
    with data.open("rb") as source:
        return PublicSuffixList(source, accept_unknown=False, only_icann=not private)


def registered(host: str, *, private: bool = False) -> str:
    """The registered domain of a host name, in lower case; empty for an address, a bare label, a suffix itself and a
    name below no known suffix. `private`: below hosting and dynamic-DNS suffixes each customer is a domain."""
    name = host.strip().rstrip(".").lower()
    if "." not in name or " " in name or len(name) > 253:
        return ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        found = _list(private).privatesuffix(name)
        return str(found) if found else ""
    return ""


def rank(hosts: Iterable[str], top: int) -> list[tuple[str, int]]:
    """The registered domains of distinct host names by how many names are below them; equal ones by name."""
    counted = Counter(domain for host in hosts if (domain := registered(host)))
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:top]
