"""What pages take in their addresses: typed, empty fields of a form count as not given, unknown names are errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

Blank = BeforeValidator(lambda value: None if value == "" else value)
"""A form sends the fields that were left empty too."""


def _seen(value: str | None) -> str | None:
    if value is not None and not value.isprintable():
        raise ValueError("it holds characters that cannot be seen; type it anew")
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
    Annotated[str, StringConstraints(max_length=255, strip_whitespace=True)] | None,
    AfterValidator(_seen),
    Blank,
]
Cursor = Annotated[Annotated[str, StringConstraints(max_length=120)] | None, AfterValidator(_seen), Blank]
Moment = Annotated[datetime | None, AfterValidator(_utc), Blank]
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
