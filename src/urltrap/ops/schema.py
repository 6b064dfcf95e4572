"""The documented form of the events, generated so that it cannot lag behind the code."""

from __future__ import annotations

import json

from urltrap.model.event import SCHEMA_VERSION, event_schema


def schema_text() -> str:
    """JSON Schema of every event kind as indented text with a final newline (docs/schema/events.json)."""
    body = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"urltrap events, version {SCHEMA_VERSION}",
        **event_schema(),
    }
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
