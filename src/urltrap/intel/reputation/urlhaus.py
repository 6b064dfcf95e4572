"""URLhaus' CSV dump: read by its header line, whatever columns that has.

Format: a block of `#` comments whose last line names the columns, then quoted lines, CRLF, UTC
(urlhaus.abuse.ch/api/#csv). Columns were added over the years, so that none is taken by its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from urltrap.intel.reputation.columns import read_columns
from urltrap.intel.reputation.dump import Dump, DumpCount, DumpError
from urltrap.intel.reputation.index import Entry
from urltrap.model.url import UrlError, parse_url

_COLUMNS = [
    "id",
    "dateadded",
    "url",
    "url_status",
    "last_online",
    "threat",
    "tags",
    "urlhaus_link",
    "reporter",
]


def read_dump(lines: Iterator[str], count: DumpCount, name: str = "") -> Iterator[Entry]:
    """The entries of a dump; lines that are none are counted, the first ones kept as examples."""
    return read_columns(lines, count, "url", _COLUMNS, _entry)


def _entry(values: dict[str, str]) -> Entry | None:
    try:
        url = parse_url(values["url"])
    except UrlError:
        return None
    return Entry(
        url=url,
        added=values.get("dateadded", ""),
        status=values.get("url_status", ""),
        threat=values.get("threat", ""),
        tags=[tag.strip() for tag in values.get("tags", "").split(",") if tag.strip() not in ("", "None")],
        reference=values.get("urlhaus_link", ""),
    )


class UrlhausDump(Dump):
    """The dump file at `dump`, indexed at `index`; `refresh` takes a changed file in."""

    def __init__(self, dump: Path, index: Path, setting: str = "intel.urlhaus_dump") -> None:
        super().__init__("urlhaus", [dump], index, read_dump, setting)
        self.dump = dump


__all__ = ["DumpCount", "DumpError", "UrlhausDump", "read_dump"]
