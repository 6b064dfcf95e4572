"""The line protocol between the fetcher and those who ask it: JSON, one object a line, bodies never among them.

Asker: ``{"id": N, "fetch": FetchRequest}``. Fetcher: ``{"id": N, "capture": Capture}`` in any order, or
``{"id": N, "error": TEXT}`` where it could make no capture. A line that is none of these ends its connection.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from urltrap.model.capture import Capture, FetchRequest

MAX_REQUEST_LINE = 262_144
MAX_REPLY_LINE = 1_048_576


class EgressError(Exception):
    """The fetcher could not be asked, or could not answer; the message says what to do next."""


class FetcherUnavailable(EgressError):
    """The fetcher is not running or did not answer in time; the URL is still to be fetched: ask again later."""


class FetchNotPossible(EgressError):
    """The fetcher answered that it could make no capture (a full disk, a failing journal); asking again may help."""


class MalformedMessage(EgressError):
    """A line that is not of this protocol, or too long for it."""


def encode_request(number: int, request: FetchRequest) -> bytes:
    """The line that asks for `request`. MalformedMessage where the request is too large to be a client's."""
    line = _line({"id": number, "fetch": request.model_dump(mode="json")})
    if len(line) > MAX_REQUEST_LINE:
        raise MalformedMessage(
            f"the request has {len(line)} bytes, at most {MAX_REQUEST_LINE} are taken: shorten it"
        )
    return line


def decode_request(line: bytes) -> tuple[int, FetchRequest]:
    """The number and the request of an asker's line. MalformedMessage where it is none."""
    body = _object(line, {"id", "fetch"})
    try:
        return _number(body), FetchRequest.model_validate(body["fetch"])
    except ValidationError as error:
        raise MalformedMessage(f"not a fetch request: {error.error_count()} fields are wrong") from error


def encode_capture(number: int, capture: Capture) -> bytes:
    """The line that answers request `number`."""
    return _line({"id": number, "capture": capture.model_dump(mode="json")})


def encode_error(number: int, text: str) -> bytes:
    """The line that says why request `number` has no capture."""
    return _line({"id": number, "error": text[:1000]})


def decode_reply(line: bytes) -> tuple[int, Capture | str]:
    """The number of a reply, and its capture or the text of its error. MalformedMessage where it is neither."""
    body = _object(line, None)
    if set(body) == {"id", "error"} and isinstance(body["error"], str):
        return _number(body), body["error"]
    if set(body) != {"id", "capture"}:
        raise MalformedMessage("not a reply of the fetcher")
    try:
        return _number(body), Capture.model_validate(body["capture"])
    except ValidationError as error:
        raise MalformedMessage(f"not a capture: {error.error_count()} fields are wrong") from error


def _line(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes, keys: set[str] | None) -> dict[str, Any]:
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("not JSON") from error
    if not isinstance(body, dict) or (keys is not None and set(body) != keys):
        raise MalformedMessage("not a message of this protocol")
    return body


def _number(body: dict[str, Any]) -> int:
    number = body["id"]
    if not isinstance(number, int) or isinstance(number, bool):
        raise MalformedMessage("the id is not a number")
    return number
