"""What every model shares: frozen, strict about unknown keys, and lossless about attackers' bytes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)

__all__ = ["UTC", "GetJsonSchemaHandler", "Model", "RawBytes", "Utc"]


class Model(BaseModel):
    """Base of all models: immutable, and unknown keys are errors (a typo must not pass silently)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _load_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"], validate=True)
    raise ValueError("expected text or {'base64': …}")


def _dump_bytes(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}


RawBytes = Annotated[
    bytes,
    BeforeValidator(_load_bytes),
    PlainSerializer(_dump_bytes, when_used="json"),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"base64": {"type": "string", "contentEncoding": "base64"}},
                    "required": ["base64"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""Attackers' bytes: a JSON string where they are UTF-8, ``{"base64": …}`` where not; equal after a round trip."""


def _to_utc(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without a zone is ambiguous; give it in UTC")
        return value.astimezone(UTC)
    return value


Utc = Annotated[datetime, BeforeValidator(_to_utc)]
"""A moment in UTC, microseconds kept; JSON form ISO 8601 with ``Z``."""
