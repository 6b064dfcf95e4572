"""JSON: one object with when it was made and a list of entries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from urltrap.feeds.registry import feed
from urltrap.model.views import FeedRow


@feed("json", "application/json", "JSON")
def write(rows: Iterable[FeedRow], now: datetime) -> Iterator[str]:
    """The feed as JSON, an entry a line."""
    yield f'{{"generated": {json.dumps(now.strftime("%Y-%m-%dT%H:%M:%SZ"))}, "urls": ['
    separator = "\n"
    for row in rows:
        yield separator + row.model_dump_json()
        separator = ",\n"
    yield "\n]}\n"
