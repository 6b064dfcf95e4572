"""What pages take in their addresses: typed, empty fields of a form count as not given, unknown names are errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

Blank = BeforeValidator(lambda value: None if value == "" else value)
"""A form sends the fields that were left empty too."""

Text = Annotated[Annotated[str, StringConstraints(max_length=2000)] | None, Blank]
Short = Annotated[Annotated[str, StringConstraints(max_length=255, strip_whitespace=True)] | None, Blank]
Cursor = Annotated[Annotated[str, StringConstraints(max_length=120)] | None, Blank]


_Page = TypeVar("_Page", bound=Callable[..., Any])


class Query(BaseModel):
    """Base of what pages take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def filters(self) -> dict[str, Any]:
        """What is set, but for the place in the list: for links to the next page."""
        return self.model_dump(exclude={"cursor"}, exclude_none=True)


def get(router: APIRouter, path: str) -> Callable[[_Page], _Page]:
    """A route for GET and HEAD."""
    return router.api_route(path, methods=["GET", "HEAD"])
