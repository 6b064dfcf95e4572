"""TweetFeed's CSV: URLs, hosts and hashes that researchers report in public posts. Nobody verifies them.

Lines without a header: time, who, type (url, domain, ip, sha256, md5), value, #tags, address of the post
(github.com/0xDanielLopez/TweetFeed). A report is no listing that confirms (`judge.engines`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from urltrap.intel.reputation.columns import read_columns
from urltrap.intel.reputation.dump import Dump, DumpCount
from urltrap.intel.reputation.index import Entry
from urltrap.model.url import UrlError, parse_url

_COLUMNS = ["date", "user", "type", "value", "tags", "post"]


def read_dump(lines: Iterator[str], count: DumpCount, name: str = "") -> Iterator[Entry]:
    """The entries of a dump."""
    return read_columns(lines, count, "value", _COLUMNS, _entry)


def _entry(values: dict[str, str]) -> Entry | None:
    value, kind = values["value"].strip(), values["type"].strip().lower()
    digest = value.lower() if kind == "sha256" and len(value) == 64 else ""
    url = None
    if not digest:
        if kind not in ("url", "domain", "ip"):
            return None
        try:
            url = parse_url(value)
        except UrlError:
            return None
    return Entry(
        url=url,
        host_only=kind != "url",
        sha256=digest,
        added=values["date"],
        status="",
        threat="",
        tags=[tag.lstrip("#") for tag in values["tags"].split() if tag.lstrip("#")],
        reference=values["post"].strip(),
    )


def tweetfeed(dump: Path, index: Path) -> Dump:
    """The dump file at `dump`, indexed at `index`."""
    return Dump("tweetfeed", [dump], index, read_dump, hashes=True)
