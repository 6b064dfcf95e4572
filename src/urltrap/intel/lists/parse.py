"""Lists as others write them → values for the index. What cannot be read is an error that says which list and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_VALUES = 2_000_000
"""A list longer than this is no context list but a mistake."""

_COUNTED = ("cidr", "hostname", "string", "substring", "regex")


class ListError(ValueError):
    """A list cannot be used; the message says which and why. The one downloaded before stays in use."""


@dataclass(frozen=True, slots=True)
class ParsedList:
    """A list's version and values (see ListIndex.add)."""

    version: str
    values: list[str]


def parse_list(name: str, body: bytes, *, below: bool = True) -> ParsedList:
    """Read MISP's JSON, ISC's JSON, or lines. `below`: a host list's names mean all hosts below, too.

    Raises ListError.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ListError(f"{name}: not UTF-8 at byte {error.start}; it will be downloaded again") from None
    if text.lstrip()[:1] in ("{", "["):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            raise ListError(
                f"{name}: damaged JSON ({len(body)} bytes); it will be downloaded again"
            ) from None
        parsed = _misp(name, content, below) if isinstance(content, dict) else _records(name, content)
    else:
        parsed = _lines(name, text)
    if not parsed.values:
        raise ListError(f"{name}: no value in it that is a host, an address, a network or a hash")
    if len(parsed.values) > MOST_VALUES:
        raise ListError(f"{name}: {len(parsed.values)} values; more than {MOST_VALUES} are no context list")
    return parsed


def _misp(name: str, content: dict[str, object], below: bool) -> ParsedList:
    """A MISP warninglist: `type` says how its values match."""
    kind, values = content.get("type"), content.get("list")
    if kind not in _COUNTED or not isinstance(values, list):
        raise ListError(f"{name}: no MISP warninglist (type {str(kind)[:20]!a})")
    texts = [value for value in values if isinstance(value, str)]
    if kind == "hostname":
        # MISP matches the host and all below it.
        dot = "." if below else ""
        texts = [dot + value.lstrip(".") if not _ADDRESS.match(value) else value for value in texts]
    elif kind in ("substring", "regex"):
        # Taken only where it is a whole host name: a piece of one would match strangers.
        texts = [value for value in texts if _HOST.fullmatch(value)]
    return ParsedList(str(content.get("version", ""))[:64], texts)


_ADDRESS = re.compile(r"[0-9a-fA-F:.]+(?:/\d+)?\Z")
_HOST = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z]{2,}", re.IGNORECASE)


def _records(name: str, content: list[object]) -> ParsedList:
    """SANS ISC: records with `ipv4` or `ipv6`."""
    values = []
    newest = ""
    for record in content:
        if not isinstance(record, dict):
            raise ListError(f"{name}: a {type(record).__name__} among its records")
        for field in ("ipv4", "ipv6"):
            value = record.get(field)
            if isinstance(value, str):
                values.append(_unpadded(value))
        seen = record.get("lastseen", record.get("added", ""))
        newest = max(newest, seen if isinstance(seen, str) else "")
    return ParsedList(newest[:64], values)


def _unpadded(address: str) -> str:
    """ISC has written octets with leading zeros, which no parser takes."""
    parts = address.split(".")
    if len(parts) == 4 and all(part.isdecimal() for part in parts):
        return ".".join(str(int(part)) for part in parts)
    return address


def _lines(name: str, text: str) -> ParsedList:
    """One value a line, `#` begins a comment (maltrail)."""
    head = text[:2000].lstrip().lower()
    if head.startswith(("<!doctype", "<html")):
        raise ListError(f"{name}: a web page instead of a list")
    return ParsedList("", list(_values(text)))


def _values(text: str) -> Iterator[str]:
    for line in text.splitlines():
        value = line.partition("#")[0].strip()
        if value and " " not in value and not value.startswith("/"):
            yield value
