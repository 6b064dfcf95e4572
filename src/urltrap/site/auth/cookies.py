"""Our cookies: for this site alone, out of reach of scripts, over https where the page came over it."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

LOGIN = "urltrap-login"
FORM = "urltrap-form"


def cookie_name(request: HTTPConnection, name: str) -> str:
    """Over https the name says that no other host can have set it (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if request.url.scheme == "https" else name


def cookie_of(request: HTTPConnection, name: str) -> str:
    """What the browser sent; empty for none."""
    return request.cookies.get(cookie_name(request, name), "")


def set_cookie(request: HTTPConnection, response: Response, name: str, value: str) -> None:
    """Give the browser a cookie that lasts until it is closed, at the most."""
    response.set_cookie(
        name, value, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )


def drop_cookie(request: HTTPConnection, response: Response, name: str) -> None:
    """Take it away."""
    response.delete_cookie(
        cookie_name(request, name), path="/", httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
