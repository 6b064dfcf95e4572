"""The fields of a Cowrie log line as typed values. Ten years of versions wrote them in several ways."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Line = Mapping[str, Any]


class CowrieLineError(ValueError):
    """A line that is no event of Cowrie's; the message says what is wrong with it."""


def text(line: Line, name: str) -> str:
    """A field as text; "" where it is absent or null."""
    value = line.get(name)
    return value if isinstance(value, str) else "" if value is None else str(value)


def raw(line: Line, name: str) -> bytes:
    """A field as the bytes that the attacker sent, as far as Cowrie kept them.

    Versions that ran on Python 3 for the first time wrote the representation of a bytes object (`b'SSH-2.0-…'`);
    lone surrogates stand for bytes that were not UTF-8.
    """
    value = text(line, name)
    if len(value) > 2 and value[0] == "b" and value[1] in "'\"" and value[-1] == value[1]:
        try:
            literal = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            literal = value
        if isinstance(literal, bytes):
            return literal
    return value.encode("utf-8", "surrogateescape" if _escapes_only(value) else "replace")


def _escapes_only(value: str) -> bool:
    """Whether every lone surrogate in a text is one that stands for a byte."""
    return value.isascii() or not any(
        "\ud800" <= char <= "\udfff" and not "\udc80" <= char <= "\udcff" for char in value
    )


def number(line: Line, name: str, most: int = 2**31 - 1) -> int:
    """A field as a number from 0 to `most`; 0 where it is absent or is none."""
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0
    try:
        found = int(float(value))
    except (ValueError, OverflowError):
        return 0
    return min(max(found, 0), most)


def digest(line: Line) -> str | None:
    """The SHA-256 of a file that Cowrie kept; None where the line names none."""
    value = text(line, "shasum").lower()
    return value if len(value) == 64 and not value.strip("0123456789abcdef") else None


def milliseconds(line: Line) -> int:
    """How long a session lasted: seconds in `duration` (a number or text), or milliseconds in newer versions."""
    if "duration_ms" in line:
        return number(line, "duration_ms")
    value = line.get("duration")
    try:
        return min(max(int(float(value) * 1000), 0), 2**31 - 1) if isinstance(value, (int, float, str)) else 0
    except (ValueError, OverflowError):
        return 0


def moment(line: Line) -> datetime:
    """When the line was written, in UTC; CowrieLineError where it does not say so.

    `timestamp` is ISO 8601, with a zone or in UTC; some versions add `time` or `epoch` (seconds, milliseconds).
    """
    value = line.get("timestamp")
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(line.get("time"), (int, float)):
            return datetime.fromtimestamp(line["time"], UTC)
        if isinstance(line.get("epoch"), (int, float)):
            return datetime.fromtimestamp(line["epoch"] / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CowrieLineError(f"no time that can be read: {str(value)[:60]!r}") from error
    raise CowrieLineError("no timestamp")
