"""The manual of the API, made from its own description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse
from starlette.routing import Mount

from urltrap.site.api.routing import PREFIX
from urltrap.site.context import render
from urltrap.site.pages.groups import NothingAsked
from urltrap.site.pages.queries import get

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a request, its type in words."""

    name: str
    where: str
    type: str
    text: str
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One address of the API."""

    path: str
    text: str
    parameters: list[Parameter]
    answer: str


@get(router, "/api")
def manual(request: Request, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """What can be asked, subject by subject."""
    description = next(
        route.app.openapi()
        for route in request.app.routes
        if isinstance(route, Mount) and isinstance(route.app, FastAPI) and route.path == PREFIX
    )
    subjects: dict[str, list[Operation]] = {}
    for path, methods in description["paths"].items():
        operation = methods["get"]
        subjects.setdefault(operation["tags"][0], []).append(_operation(path, operation))
    return render(
        request,
        "api.html",
        prefix=PREFIX,
        base=str(request.base_url).rstrip("/"),
        about=description["info"]["description"].split("\n\n"),
        subjects=subjects,
    )


def _operation(path: str, operation: dict[str, Any]) -> Operation:
    return Operation(
        path,
        operation["description"],
        [
            Parameter(
                found["name"],
                found["in"],
                type_in_words(found["schema"]),
                found.get("description", ""),
                found.get("required", False),
            )
            for found in operation.get("parameters", [])
        ],
        type_in_words(operation["responses"]["200"]["content"]["application/json"]["schema"]),
    )


def type_in_words(schema: dict[str, Any]) -> str:
    """A JSON Schema as a person would say it: `a | b`, `list of UrlRow`, `integer 1–1000`."""
    if "anyOf" in schema:
        return " | ".join(type_in_words(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {type_in_words(schema['items'])}"
    if schema.get("type") == "integer" and "minimum" in schema and "maximum" in schema:
        return f"integer {schema['minimum']}–{schema['maximum']}"
    return str(schema.get("format") or schema.get("type", "value"))
