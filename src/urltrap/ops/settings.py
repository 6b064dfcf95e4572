"""Settings: `urltrap.toml`, then the environment, parsed once into the frozen tree of `model.settings`.

A wrong key or value is answered with the line, what was expected and the nearest right name.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from urltrap.model.settings import Settings

PREFIX = "URLTRAP_"
"""Environment variables ``URLTRAP_SECTION__KEY``, nested sections joined by two underscores."""

_NOT_SETTINGS = {"URLTRAP_DATA"}
_SECRET = ("intel", "keys")


class SettingsError(Exception):
    """The settings cannot be used; the message has one line per mistake and says what to do."""


def load_settings(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings of a file (None: the defaults) under the environment's overrides.

    Raises SettingsError: unreadable file, TOML syntax, unknown key (with the nearest right one), wrong value.
    """
    text = ""
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SettingsError(
                f"{path} does not exist; create the data folder with: urltrap init {path.parent}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from error
        try:
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: not valid TOML: {error}") from error
    origins = _overlay_environment(tree, environment)
    try:
        return Settings.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        lines = [_explain(mistake, text, path, origins) for mistake in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _overlay_environment(tree: dict[str, Any], environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Put URLTRAP_A__B=value into the tree; returns which variable each location came from."""
    origins: dict[tuple[str, ...], str] = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        location = tuple(name[len(PREFIX) :].lower().split("__"))
        if len(location) < 2:
            raise SettingsError(
                f"environment {name}: a setting is named {PREFIX}SECTION__KEY, with two underscores between"
            )
        place = tree
        for step in location[:-1]:
            below = place.setdefault(step, {})
            if not isinstance(below, dict):
                raise SettingsError(f"environment {name}: {step!r} is a value, not a section")
            place = below
        # A key of digits only is still a text.
        place[location[-1]] = value if location[:2] == _SECRET else _environment_value(value)
        origins[location] = name
    return origins


def _environment_value(text: str) -> Any:
    """Environment values are read as TOML where they are (numbers, lists, booleans), else as plain text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(mistake: Any, text: str, path: Path | None, origins: dict[tuple[str, ...], str]) -> str:
    location = tuple(str(step) for step in mistake["loc"])
    names = tuple(step for step in location if not step.isdigit())
    where = next(
        (f"environment {name}" for place, name in origins.items() if names[: len(place)] == place), ""
    )
    if not where and path is not None:
        line = _line_of(text, names)
        where = f"{path}, line {line}" if line else str(path)
    dotted = ".".join(names)
    if mistake["type"] == "extra_forbidden":
        known = _known_names(names[:-1])
        close = difflib.get_close_matches(names[-1], known, 1, 0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"
        return f"{where}: {dotted}: no such setting; {hint}"
    if names[:2] == _SECRET:
        return f"{where}: {dotted}: {mistake['msg']} (what was given is not shown)"
    given = json.dumps(mistake["input"], default=str, ensure_ascii=True)[:80]
    return f"{where}: {dotted}: {mistake['msg']} (given: {given}){_expectation(names)}"


def _expectation(names: tuple[str, ...]) -> str:
    model: Any = Settings
    for step in names[:-1]:
        model = model.model_fields[step].annotation
    field = (
        model.model_fields.get(names[-1])
        if isinstance(model, type) and issubclass(model, BaseModel)
        else None
    )
    if field is None:
        return ""
    default = json.dumps(field.default, default=str)
    return f"; {field.description}; default: {default}" if field.description else f"; default: {default}"


def _known_names(section: tuple[str, ...]) -> list[str]:
    model: Any = Settings
    for step in section:
        model = model.model_fields[step].annotation
    return list(model.model_fields)


def _line_of(text: str, names: tuple[str, ...]) -> int | None:
    """The line in which a key stands: its own ``key =`` in its ``[section]``, else the section's header."""
    current: tuple[str, ...] = ()
    header: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        section = re.match(r"\s*\[\s*([A-Za-z0-9_.\s-]+?)\s*\]", line)
        if section:
            current = tuple(part.strip() for part in section[1].split("."))
            if current == names[: len(current)]:
                header = number
            continue
        key = re.match(r'\s*"?([A-Za-z0-9_.-]+)"?\s*=', line)
        if key and current + tuple(key[1].split(".")) == names[: len(current) + key[1].count(".") + 1]:
            return number
    return header
