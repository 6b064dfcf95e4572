"""What the routes share: an ETag on every answer, documented problems, sizes of lists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import Field, StringConstraints
from starlette.responses import Response

from urltrap.site.api.problems import EXPECTED, MEDIA_TYPE, failed
from urltrap.site.pages.queries import Blank
from urltrap.store.accounts.keys import Scope
from urltrap.store.queries.shared import LARGEST_PAGE, PAGE

log = structlog.get_logger()

PREFIX = "/api/v1"

Limit = Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Rows of one answer.")]
ROWS = PAGE
Cursor = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[0-9]{1,17}\.[0-9A-Za-z-]{1,90}$")] | None,
    Field(description="The `next` of an answer: the rows that follow it."),
    Blank,
]


class _Tagged(APIRoute):
    """A route whose answers carry a tag of their content and are not sent again to whoever has them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the class, with the tag."""
        handler = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            try:
                response = await handler(request)
            except EXPECTED:
                raise
            except Exception:
                log.exception("request failed", path=request.url.path)
                return failed()
            if response.status_code != 200:
                return response
            tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
            if _has(request.headers.get("if-none-match", ""), tag):
                return Response(status_code=304, headers={"ETag": tag})
            response.headers["ETag"] = tag
            return response

        return tagged


def _has(header: str, tag: str) -> bool:
    """Whether an If-None-Match header names the tag; weak ones are equal to strong ones there (RFC 9110, 13.1.2)."""
    return header.strip() == "*" or tag in [part.strip().removeprefix("W/") for part in header.split(",")]


def _documented(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def make_router(tag: str, scope: Scope = "read") -> APIRouter:
    """A router of one subject; `scope`: what a key must have, as `auth.rules` says it of each address."""
    return APIRouter(
        route_class=_Tagged,
        tags=[tag],
        responses={
            401: _documented("No log-in, and no key that is known (`Authorization: Bearer KEY`)."),
            403: _documented(f"The key has not the scope `{scope}`, or the user not the role."),
            422: _documented("A parameter is not understood."),
            429: _documented(
                "The key has asked more often than it may; `Retry-After` says when it may again."
            ),
            503: _documented("The database does not answer."),
        },
    )


MISSING: dict[int | str, dict[str, Any]] = {404: _documented("The store holds no such thing.")}
"""For routes that look for one thing."""
CURSOR: dict[int | str, dict[str, Any]] = {400: _documented("The cursor is none of this list.")}
"""For lists."""
