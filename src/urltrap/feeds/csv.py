"""CSV after URLhaus' habit: a block of `#` comments, a header line, quoted fields, CRLF, UTC."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime

from urltrap.feeds.registry import feed
from urltrap.model.views import FeedRow

COLUMNS = (
    "id", "url", "host", "first_seen", "last_seen", "verdict", "confidence", "reasons", "sha256", "kind",
    "architecture",
)  # fmt: skip
"""Columns in their order; new ones are only ever added at the end."""


@feed("csv", "text/csv; charset=utf-8", "CSV")
def write(rows: Iterable[FeedRow], now: datetime) -> Iterator[str]:
    """The feed as CSV."""
    yield f"# urltrap malicious URLs, made {now:%Y-%m-%d %H:%M:%S} UTC\r\n# times are whole hours in UTC\r\n"
    yield "# " + ",".join(COLUMNS) + "\r\n"
    for row in rows:
        buffer = io.StringIO()
        csv.writer(buffer, quoting=csv.QUOTE_ALL).writerow(
            [
                row.id, row.url, row.host, f"{row.first_seen:%Y-%m-%d %H:%M:%S}", f"{row.last_seen:%Y-%m-%d %H:%M:%S}",
                row.verdict, row.confidence, " ".join(row.reasons), row.sha256 or "", row.kind, row.architecture,
            ]
        )  # fmt: skip
        yield buffer.getvalue()
