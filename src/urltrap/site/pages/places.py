"""Where it comes from and where it lies: hosts of URLs, attackers' addresses and their networks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse

from urltrap.model.groups import FacetName
from urltrap.model.views import SessionFilter, UrlFilter
from urltrap.site.context import render, site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.groups import NothingAsked
from urltrap.site.pages.queries import get
from urltrap.store.queries import facets as facet_queries
from urltrap.store.queries import groups as group_queries
from urltrap.store.queries import intel as intel_queries
from urltrap.store.queries import sessions as session_queries
from urltrap.store.queries import urls as url_queries

router = APIRouter()

_NEWEST = 15
_DOMAINS = 50
_BELOW = 200
_OF_HOST: tuple[FacetName, ...] = (
    "verdict",
    "action",
    "role",
    "target",
    "lifecycle",
    "family",
    "campaign",
    "sha256",
)
_OF_SOURCE: tuple[FacetName, ...] = (
    "verdict",
    "host",
    "action",
    "role",
    "target",
    "family",
    "campaign",
    "sha256",
)


@get(router, "/hosts/{name}")
def host(request: Request, name: str, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """One host of URLs: what lies there, what others say of it."""
    store = site_of(request).store
    detail = group_queries.host(store, name.lower()) if name.isprintable() else None
    if detail is None:
        raise Missing("host", "/urls")
    wanted = UrlFilter(host=detail.host)
    found = facet_queries.facets(store, wanted, _OF_HOST)
    return render(
        request,
        "host.html",
        detail=detail,
        facets=found,
        said=intel_queries.said_of_host(store, detail.host),
        newest=url_queries.page(store, wanted, limit=_NEWEST).rows,
        payloads=group_queries.payloads(store, found.values["sha256"]),
    )


@get(router, "/addresses/{text}")
def address(request: Request, text: str, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """One attacker's address: who it is, what it did, what it brought."""
    store = site_of(request).store
    detail = group_queries.address(store, text) if text.isprintable() else None
    if detail is None:
        raise Missing("address", "/sessions")
    wanted = UrlFilter(source=text)
    found = facet_queries.facets(store, wanted, _OF_SOURCE)
    return render(
        request,
        "address.html",
        detail=detail,
        facets=found,
        newest=url_queries.page(store, wanted, limit=_NEWEST).rows,
        payloads=group_queries.payloads(store, found.values["sha256"]),
        sessions=session_queries.page(store, SessionFilter(src_ip=text), limit=_NEWEST).rows,
    )


@get(router, "/networks/{asn}")
def network(
    request: Request,
    asn: Annotated[int, Path(ge=0, lt=2**32)],
    query: Annotated[NothingAsked, FromQuery()],
) -> HTMLResponse:
    """One network: its busiest addresses, what they brought."""
    store = site_of(request).store
    detail = group_queries.network(store, asn)
    if detail is None:
        raise Missing("network", "/sessions")
    wanted = UrlFilter(asn=asn)
    found = facet_queries.facets(store, wanted, _OF_SOURCE)
    return render(
        request,
        "network.html",
        detail=detail,
        facets=found,
        newest=url_queries.page(store, wanted, limit=_NEWEST).rows,
        payloads=group_queries.payloads(store, found.values["sha256"]),
        sessions=session_queries.page(store, SessionFilter(asn=asn), limit=_NEWEST).rows,
    )


@get(router, "/domains")
def domains(request: Request, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """The registered domains that attackers come from."""
    return render(request, "domains.html", rows=intel_queries.domains(site_of(request).store, _DOMAINS))


@get(router, "/domains/{name}")
def domain(request: Request, name: str, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """The addresses below one of them."""
    store = site_of(request).store
    rows = intel_queries.below_domain(store, name, _BELOW) if name.isprintable() else []
    if not rows:
        raise Missing("domain", "/domains")
    return render(request, "domain.html", name=name, rows=rows, most=_BELOW)
