"""Errors as RFC 9457 problems."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from urltrap.model.base import Model
from urltrap.site.pages.errors import Missing
from urltrap.store import StoreError
from urltrap.store.queries.shared import BadCursor

MEDIA_TYPE = "application/problem+json"


class WrongParameter(Model):
    """One parameter that was not understood, and why."""

    name: str
    why: str


class Problem(Model):
    """What went wrong: `title` names the kind, `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[WrongParameter] = []


def problem(status: int, detail: str, errors: list[WrongParameter] | None = None) -> JSONResponse:
    """An error as a response."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [])
    return JSONResponse(body.model_dump(mode="json"), status, media_type=MEDIA_TYPE)


def failed() -> Response:
    """For an error of our own; its reason is in the log alone."""
    return problem(
        500, "This request failed. The reason is in urltrap's log on the machine that runs the site."
    )


_TEXTS = {
    404: "There is nothing at this address; openapi.json lists what there is.",
    405: "The API is only read: ask with GET.",
}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, _TEXTS.get(error.status_code, str(error.detail)))
    answer.headers.update(error.headers or {})
    return answer


async def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, Missing)
    there = f"{request.scope.get('root_path', '')}{error.where}"
    return problem(
        404,
        f"The store holds no such {error.what}. It may have been removed by the retention rule; "
        f"{there} lists what there is.",
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [
        WrongParameter(
            name=".".join(str(part) for part in found["loc"][1:]) or "address",
            why="there is no such parameter" if found["type"] == "extra_forbidden" else found["msg"],
        )
        for found in error.errors()
    ]
    return problem(422, "A parameter is not understood; openapi.json says what each takes.", wrong)


async def _cursor(request: Request, error: Exception) -> Response:
    return problem(400, "The cursor was not made by this list; begin again without one.")


async def _store(request: Request, error: Exception) -> Response:
    answer = problem(503, "The database does not answer at the moment; nothing is lost. Ask again.")
    answer.headers["Retry-After"] = "5"
    return answer


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    HTTPException: _http,
    Missing: _missing,
    RequestValidationError: _invalid,
    BadCursor: _cursor,
    StoreError: _store,
}
EXPECTED = (HTTPException, Missing, RequestValidationError, BadCursor, StoreError)
"""What a request can raise and is answered above; anything else is an error of ours."""
