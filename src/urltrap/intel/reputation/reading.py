"""Reading what others wrote: nothing of an answer is trusted to have the right type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from urltrap.intel.errors import Malformed


def text(value: Any, most: int = 300) -> str:
    """A text of an answer; empty for anything else. Control characters go."""
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value if char.isprintable())[:most]


def texts(value: Any, most: int = 20) -> tuple[str, ...]:
    """The texts of a list."""
    if not isinstance(value, list):
        return ()
    return tuple(found for item in value[: most * 4] if (found := text(item, 80)))[:most]


def number(value: Any) -> int | None:
    """A whole number, also where it came as text (URLhaus writes them so)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if abs(value) < 1e15 else None
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 16:
        return int(value)
    return None


def section(value: Any, *path: str) -> dict[str, Any]:
    """The object at a path; Malformed where it is missing, since an answer without its body is none."""
    for step in path:
        if not isinstance(value, dict) or step not in value:
            raise Malformed(f"the answer lacks {'.'.join(path)}")
        value = value[step]
    if not isinstance(value, dict):
        raise Malformed(f"{'.'.join(path) or 'the answer'} is not an object")
    return value


def moment(value: Any) -> datetime | None:
    """A moment: seconds since 1970, ISO 8601, or abuse.ch's "2019-01-15 07:09:01 UTC"."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC) if 0 < value < 1e11 else None
        if isinstance(value, str):
            written = value.strip().removesuffix(" UTC").removesuffix("Z")
            parsed = datetime.fromisoformat(written)
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
