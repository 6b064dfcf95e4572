"""`/api/v1`: what the pages show, typed and for programs; the same store, the same filters, the same cursors."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from urltrap import __version__
from urltrap.site.api import decisions, groups, operations, payloads, places, sessions, summary, urls
from urltrap.site.api.problems import HANDLERS, Problem
from urltrap.site.api.routing import PREFIX
from urltrap.site.context import Site

_ABOUT = """Everything is read with GET and answered as JSON. Times are UTC in ISO 8601. Attackers' bytes are text
where they are UTF-8 and `{"base64": "…"}` where they are not. URLs are active, not defanged: they are for programs.

Lists give `rows` and `next`; send `next` back as `cursor` for the rows that follow, it is null at the end. Every
answer carries an `ETag`: send it back as `If-None-Match`, and what has not changed is answered with 304 and no body.
Errors are `application/problem+json` (RFC 9457) and say what to change.

Where users have accounts, send a key with the scope `read` as `Authorization: Bearer KEY` (`urltrap key add NAME` makes
one, and says how often it may ask); who has logged in needs none. Decisions, disputes and operations ask for a user who
is an analyst, or for a key with the scope `analyst`."""


class _Api(FastAPI):
    """Its description holds the shape of problems, which no route returns."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            schemas = super().openapi()["components"]["schemas"]
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs"), Problem=problem)
            description = super().openapi()
            description["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            description["security"] = [{"key": []}, {}]  # none is asked for where nobody has an account
        return super().openapi()


def create_api(site: Site) -> FastAPI:
    """The application that is mounted at `PREFIX`."""
    api = _Api(
        title="urltrap",
        version=__version__,
        description=_ABOUT,
        redirect_slashes=False,
        docs_url=None,  # the ready-made ones load scripts from elsewhere; /api is our own
        redoc_url=None,
        openapi_url="/openapi.json",
        servers=[{"url": PREFIX}],
        exception_handlers=HANDLERS,
    )
    api.state.site = site
    for module in (summary, urls, sessions, payloads, groups, places, decisions, operations):
        api.include_router(module.router)
    return api


__all__ = ["PREFIX", "create_api"]
