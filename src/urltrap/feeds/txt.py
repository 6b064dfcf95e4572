"""Plain text: one URL a line, comments begin with `#`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from urltrap.feeds.registry import feed
from urltrap.model.views import FeedRow


@feed("txt", "text/plain; charset=utf-8", "plain text")
def write(rows: Iterable[FeedRow], now: datetime) -> Iterator[str]:
    """The feed as text."""
    yield f"# urltrap malicious URLs, made {now:%Y-%m-%d %H:%M:%S} UTC\n"
    for row in rows:
        # Canonical URLs hold neither spaces nor line ends, so that a line is a URL.
        yield row.url + "\n"
