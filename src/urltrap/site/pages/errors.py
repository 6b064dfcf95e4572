"""Pages for what can go wrong; each says what to do next."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from urltrap.site.auth.identity import identity_of
from urltrap.site.context import render
from urltrap.store import StoreError
from urltrap.store.queries.shared import BadCursor

FAILED: dict[str, Any] = {
    "code": 500,
    "heading": "This page failed",
    "message": "The reason is in urltrap's log on the machine that runs the site. The other pages are not affected.",
    "details": [],
    "back": "",
    "log_in": "",
}
_TEXTS = {
    404: ("Not found", "There is nothing at this address. It may have been removed by the retention rule."),
    405: ("Only reading", "What is at this address is only read: ask with GET."),
}


class Missing(Exception):
    """What was asked for is not in the store; `what` names the kind of thing, `where` the list to look in."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what)
        self.what = what
        self.where = where


async def _http(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, HTTPException)
    heading, message = _TEXTS.get(error.status_code, ("Not possible", str(error.detail)))
    return _page(request, error.status_code, heading, message)


async def _missing(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, Missing)
    message = f"The store holds no such {error.what}. It may have been removed by the retention rule."
    return _page(request, 404, f"No such {error.what}", message, back=error.where)


async def _invalid(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, RequestValidationError)
    details = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"][1:]) or "address"
        if problem["type"] == "extra_forbidden":
            details.append(f"{name}: this page has no such filter")
        else:
            details.append(f"{name}: {problem['msg']}")
    message = (
        "The address holds a filter that this page does not understand. Change it, or begin without filters."
    )
    return _page(request, 422, "This filter is not understood", message, details, back=request.url.path)


async def _cursor(request: Request, error: Exception) -> HTMLResponse:
    message = "The address does not point to a page of this list. Begin again at its first page."
    return _page(request, 400, "No such page of the list", message, back=request.url.path)


async def _store(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreError)
    # Where the store is, and what is wrong with it, strangers do not get.
    return away(request, error) if identity_of(request).role is not None else _away(request, [])


def _page(
    request: Request,
    code: int,
    heading: str,
    message: str,
    details: list[str] | None = None,
    back: str = "",
    log_in: str = "",
) -> HTMLResponse:
    return render(
        request,
        "error.html",
        status=code,
        code=code,
        heading=heading,
        message=message,
        details=details or [],
        back=back,
        log_in=log_in,
    )


def refused(request: Request, status: int, why: str) -> Response:
    """The page for who may not see another, with the way to the log-in where that is what is missing."""
    heading = {401: "Log in first", 403: "Not for you"}.get(status, "Not possible")
    # What is only sent to leads on to its form when it is asked for.
    log_in = f"/login?next={quote(request.url.path, safe='')}" if status == 401 else ""
    return _page(request, status, heading, why, log_in=log_in)


def away(request: Request, error: StoreError) -> Response:
    """The page for a store that does not answer, with where it is and what is wrong: for who may know."""
    return _away(request, [str(error)])


def _away(request: Request, details: list[str]) -> Response:
    message = "The database does not answer at the moment. Nothing is lost: sensors write to the journal."
    response = _page(request, 503, "The store is not available", message, details)
    response.headers["Retry-After"] = "5"
    return response


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    HTTPException: _http,
    Missing: _missing,
    RequestValidationError: _invalid,
    BadCursor: _cursor,
    StoreError: _store,
}
