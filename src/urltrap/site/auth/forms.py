"""Forms that change something: read within bounds, and taken only from pages of ours.

Each carries a token that is made from a cookie which scripts and other sites cannot read: that of the log-in, or before
one, a cookie of its own. A browser also says where a form was sent from (Sec-Fetch-Site), and a stranger's is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from urltrap.site.auth.cookies import FORM, cookie_name, cookie_of, set_cookie
from urltrap.site.auth.identity import identity_of

FIELD = "token"
LARGEST = 16_384


def token_of(request: Request) -> str:
    """The token that forms of this page carry."""
    who = identity_of(request)
    if who.token:
        return _made("login", who.token)
    held = cookie_of(request, FORM)
    if not held:
        held = request.scope.setdefault("urltrap.form", secrets.token_urlsafe(24))
    return _made("form", held)


def with_cookie(request: Request, response: Response) -> Response:
    """The page with the cookie that its forms' token was made from, where it has not got it yet."""
    made = request.scope.get("urltrap.form")
    if made:
        set_cookie(request, response, cookie_name(request, FORM), made)
    return response


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form of ours. Refused (403, 413, 415) is what comes from elsewhere or is no form."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "This form was sent from another site.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "A form is expected.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413, "The form is too long.")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise HTTPException(400, "The form is not understood.") from error
    expected = token_of(request)
    if not hmac.compare_digest(expected.encode(), fields.get(FIELD, "").encode()):
        raise HTTPException(
            403, "This form is out of date, or not ours. Go back, reload the page, and send it again."
        )
    return fields


def _made(kind: str, secret: str) -> str:
    return hashlib.sha256(f"urltrap {kind} {secret}".encode()).hexdigest()[:48]
