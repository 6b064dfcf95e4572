"""What belongs together, as pages show it: facets of URLs, families, hosts, networks, addresses."""

from __future__ import annotations

from typing import Any, Literal

from urltrap.model.artifact import Analysis
from urltrap.model.base import Model, Utc

FacetName = Literal[
    "verdict", "action", "role", "delivery", "target", "hosting", "lifecycle", "kind", "family", "campaign", "host",
    "sha256",
]  # fmt: skip


class FacetValue(Model):
    """One value and how many URLs have it."""

    value: str
    count: int


class Facets(Model):
    """How URLs are spread over values of their columns, most frequent first.

    Counted over the newest `counted` URLs that match; `whole` says that there are no others.
    """

    counted: int
    whole: bool
    values: dict[FacetName, list[FacetValue]]


class FamilyRow(Model):
    """A malware family with what was seen of it."""

    name: str
    urls: int
    last_seen: Utc


class PayloadRow(Model):
    """A payload that belongs to something, with how many of its URLs serve it."""

    sha256: str
    size: int | None
    analysis: Analysis | None
    urls: int


class HostDetail(Model):
    """One host of URLs: the addresses that answered for it, and what others say of it."""

    host: str
    urls: int
    first_seen: Utc
    last_seen: Utc
    answered: list[str]


class AddressDetail(Model):
    """One attacker's address: where it is, what its name is, what lists say, how often it came."""

    address: str
    first_seen: Utc
    last_seen: Utc
    sessions: int
    shed: int
    country: str
    city: str
    asn: int | None
    network: str
    name: str
    name_confirmed: bool
    domain: str
    labels: list[dict[str, Any]]
    urls: int


class NetworkDetail(Model):
    """One network that attackers come from. `top`: its busiest addresses."""

    asn: int
    name: str
    sessions: int
    addresses: int
    countries: list[FacetValue]
    top: list[FacetValue]
