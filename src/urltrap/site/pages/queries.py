"""What pages take in their addresses: typed, empty fields of a form count as not given, unknown names are errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema


class _Blank:
    """Takes empty text as not given, and says so in the description of the API."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: None if value == "" else value, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        return {"anyOf": [*described.get("anyOf", [described]), {"type": "string", "maxLength": 0}]}


Blank = _Blank()
"""A form sends the fields that were left empty too."""

_HIDDEN = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
    r"\ufff9-\ufffb"
)
"""Controls, spaces other than the common one, and what turns the direction of text: nobody sees what they typed."""
_SEEN = f"^[^{_HIDDEN}]*$"


def _seen(value: str | None) -> str | None:
    if value is not None and re.search(f"[{_HIDDEN}]", value):
        raise ValueError("it holds characters that cannot be seen; type it anew")
    return value


def _dated(value: Any) -> Any:
    # A bare number would be taken as seconds since 1970.
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("expected a moment such as 2026-11-24T04:00:00Z")
    return value


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("there is no such moment in UTC") from error


Text = Annotated[Annotated[str, StringConstraints(max_length=2000)] | None, Blank]
Short = Annotated[
    Annotated[
        str,
        StringConstraints(max_length=255, strip_whitespace=True),
        Field(json_schema_extra={"pattern": _SEEN}),
    ]
    | None,
    AfterValidator(_seen),
    Blank,
]
Cursor = Annotated[Annotated[str, StringConstraints(max_length=120)] | None, AfterValidator(_seen), Blank]
Moment = Annotated[datetime | None, BeforeValidator(_dated), AfterValidator(_utc), Blank]
"""Without a zone it is UTC."""


_Page = TypeVar("_Page", bound=Callable[..., Any])


class Query(BaseModel):
    """Base of what pages take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def filters(self) -> dict[str, Any]:
        """What is set, but for the place in the list: for links to the next page."""
        return {
            name: value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
            for name, value in self.model_dump(exclude={"cursor"}, exclude_none=True).items()
        }


def get(router: APIRouter, path: str) -> Callable[[_Page], _Page]:
    """A route for GET and HEAD."""
    return router.api_route(path, methods=["GET", "HEAD"])
