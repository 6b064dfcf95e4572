"""Where it comes from and where it lies: hosts of URLs, attackers' addresses, networks and registered domains."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from urltrap.model.groups import AddressDetail, HostDetail, NetworkDetail
from urltrap.model.verdict import Observation
from urltrap.site.api.groups import Top
from urltrap.site.api.routing import MISSING, make_router
from urltrap.site.context import site_of
from urltrap.site.pages.errors import Missing
from urltrap.store.queries import groups as group_queries
from urltrap.store.queries import intel as intel_queries

router = make_router("Hosts, addresses, networks, domains")

Name = Annotated[str, Path(max_length=255, pattern=r"^[^/?#\\]*[^/?#\\.]$")]


@router.get("/hosts/{name}", responses=MISSING)
def host(request: Request, name: Name) -> HostDetail:
    """A host of URLs. Its URLs: `/urls?host=…`."""
    detail = group_queries.host(site_of(request).store, name.lower()) if name.isprintable() else None
    if detail is None:
        raise Missing("host", "/urls")
    return detail


@router.get("/hosts/{name}/observations", responses=MISSING)
def observations(request: Request, name: Name) -> list[Observation]:
    """What providers and lists say of a host."""
    return intel_queries.said_of_host(site_of(request).store, name.lower()) if name.isprintable() else []


@router.get("/addresses/{address}", responses=MISSING)
def address(request: Request, address: Name) -> AddressDetail:
    """An attacker's address. Its sessions: `/sessions?address=…`."""
    detail = group_queries.address(site_of(request).store, address) if address.isprintable() else None
    if detail is None:
        raise Missing("address", "/sessions")
    return detail


@router.get("/networks/{asn}", responses=MISSING)
def network(request: Request, asn: Annotated[int, Path(ge=0, lt=2**32)]) -> NetworkDetail:
    """A network that attackers come from. Its sessions: `/sessions?asn=…`."""
    detail = group_queries.network(site_of(request).store, asn)
    if detail is None:
        raise Missing("network", "/sessions")
    return detail


@router.get("/domains")
def domains(request: Request, query: Annotated[Top, Query()]) -> list[intel_queries.DomainRow]:
    """Registered domains of attackers' reverse names, most addresses first. A name is context, never a URL."""
    return intel_queries.domains(site_of(request).store, query.limit)


@router.get("/domains/{name}", responses=MISSING)
def domain(request: Request, name: Name, query: Annotated[Top, Query()]) -> list[intel_queries.NameRow]:
    """The addresses below one of them."""
    rows = intel_queries.below_domain(site_of(request).store, name, query.limit) if name.isprintable() else []
    if not rows:
        raise Missing("domain", "/domains")
    return rows
