"""The commented `urltrap.toml` that `urltrap init` writes, made from the settings' own types, so that it never lags."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, SecretStr

from urltrap.model.settings import Settings

_HEAD = """\
# Settings of urltrap. Every line shows the default; remove the "#" to change it.
# The environment overrides: URLTRAP_SENSORS__SSH__LISTEN='["127.0.0.1:2222"]' (section and key joined by "__").
"""


def settings_file() -> str:
    """The whole file as text: every section, every key with what it means, commented out at its default."""
    parts = [_HEAD]
    _section(Settings, (), parts)
    return "\n".join(parts).rstrip() + "\n"


def _section(model: type[BaseModel], path: tuple[str, ...], parts: list[str]) -> None:
    plain = {n: f for n, f in model.model_fields.items() if not _is_section(f.annotation)}
    if path:
        words = (model.__doc__ or "").strip().split("\n")[0]
        parts.append(f"[{'.'.join(path)}]  # {words}")
        for name, field in plain.items():
            parts.append(f"# {field.description}")
            default = (
                field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
            )
            parts.append(f"#{name} = {json.dumps(default)}")
        parts.append("")
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        if _is_section(annotation):
            _section(annotation, (*path, name), parts)


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
