from __future__ import annotations

from pathlib import Path

from urltrap.ops.schema import schema_text

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_documented_schema_is_that_of_the_code() -> None:
    documented = (ROOT / "docs" / "schema" / "events.json").read_text(encoding="utf-8")
    assert documented == schema_text(), "run: urltrap schema --output docs/schema/events.json"
