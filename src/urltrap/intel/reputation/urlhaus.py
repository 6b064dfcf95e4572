"""URLhaus' CSV dump as a provider: read by its header line, whatever columns that has.

Format: a block of `#` comments whose last line names the columns, then quoted lines, CRLF, UTC
(urlhaus.abuse.ch/api/#csv). Columns were added over the years, so that none is taken by its place.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from urltrap.intel.reputation.index import DumpIndex, Entry, Match
from urltrap.model.url import Url, UrlError, parse_url
from urltrap.model.verdict import Observation

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
_LONGEST_LINE = 20_000

log = structlog.get_logger("urltrap.intel")


class DumpError(Exception):
    """The dump cannot be used; the message says why. The index that was there stays in use."""


@dataclass
class DumpCount:
    """What a dump held."""

    entries: int = 0
    malformed: int = 0
    examples: list[str] = field(default_factory=list)


def read_dump(lines: Iterator[str], count: DumpCount) -> Iterator[Entry]:
    """The entries of a dump; lines that are none are counted, the first ones kept as examples. DumpError where the
    header names no `url` column."""
    columns = _COLUMNS
    header_seen = False
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            names = [name.strip().strip('"') for name in line.lstrip("# ").strip().split(",")]
            if "url" in names:
                columns, header_seen = names, True
            continue
        if not line.strip():
            continue
        if (
            not header_seen
            and number == 1
            and "url" in (names := [name.strip(' "\r\n') for name in line.split(",")])
        ):
            columns, header_seen = names, True
            continue
        entry = _entry(line, columns)
        if entry is None:
            count.malformed += 1
            if len(count.examples) < 3:
                count.examples.append(f"line {number}: {line[:80]!a}")
            continue
        count.entries += 1
        yield entry


def _entry(line: str, columns: Sequence[str]) -> Entry | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        fields = next(csv.reader([line], strict=True), [])
        if len(fields) != len(columns):
            return None
        values = dict(zip(columns, fields, strict=True))
        return Entry(
            url=parse_url(values["url"]),
            added=values.get("dateadded", ""),
            status=values.get("url_status", ""),
            threat=values.get("threat", ""),
            tags=[
                tag.strip() for tag in values.get("tags", "").split(",") if tag.strip() not in ("", "None")
            ],
            reference=values.get("urlhaus_link", ""),
        )
    except (csv.Error, UrlError, KeyError):
        return None


class UrlhausDump:
    """The dump file at `dump`, indexed at `index`; `refresh` takes a changed file in."""

    name = "urlhaus"

    def __init__(self, dump: Path, index: Path) -> None:
        self.dump = dump
        self.index = index
        self._index = DumpIndex(index)
        self.count = DumpCount()
        self._complained = ""

    @property
    def version(self) -> str:
        """Changes with the file; empty where nothing is indexed."""
        return self._index.version()

    def refresh(self) -> bool:
        """Index the dump where the file changed since; whether it did. DumpError keeps the old index."""
        try:
            status = self.dump.stat()
        except OSError as error:
            raise DumpError(f"intel.urlhaus_dump: {self.dump} cannot be read ({error.strerror})") from error
        version = f"{status.st_mtime_ns}-{status.st_size}"
        if version == self._index.version():
            return False
        count = DumpCount()
        try:
            with self.dump.open(encoding="utf-8", errors="replace", newline="") as lines:
                self._index.build(_checked(read_dump(lines, count), count), version)
        except OSError as error:
            raise DumpError(
                f"intel.urlhaus_dump: {self.dump} cannot be indexed ({error.strerror})"
            ) from error
        self.count = count
        log.info("urlhaus.indexed", entries=count.entries, malformed=count.malformed, examples=count.examples)
        return True

    def look_up(self, urls: Sequence[Url], at: datetime) -> list[list[Observation]]:
        """See Provider."""
        if not self._index.version():
            return [
                [Observation(provider=self.name, subject_kind="url", subject=url.text, at=at, result="error",
                             detail="the dump has not been indexed")]
                for url in urls
            ]  # fmt: skip
        return [self._observations(url, at) for url in urls]

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _observations(self, url: Url, at: datetime) -> list[Observation]:
        matches = {("host" if match.how == "host" else "url"): match for match in self._index.find(url)}
        return [
            self._observation("url", url.text, matches.get("url"), at),
            self._observation("host", url.host, matches.get("host"), at),
        ]

    def _observation(self, kind: str, subject: str, match: Match | None, at: datetime) -> Observation:
        if match is None:
            return Observation.model_validate(
                {
                    "provider": self.name,
                    "subject_kind": kind,
                    "subject": subject,
                    "at": at,
                    "result": "not-listed",
                }
            )
        detail = f"{match.count} URLs of this host" if kind == "host" else match.how
        return Observation.model_validate(
            {"provider": self.name, "subject_kind": kind, "subject": subject, "at": at, "result": "listed",
             "detail": "this URL" if detail == "exact" else detail,
             "tags": [tag for tag in [match.threat, *match.tags] if tag], "reference": match.reference}
        )  # fmt: skip


def _checked(entries: Iterator[Entry], count: DumpCount) -> Iterator[Entry]:
    yield from entries
    # A page of an error, or half a download: better the old index than an empty one.
    if count.entries == 0:
        raise DumpError(
            f"intel.urlhaus_dump holds no entry ({count.malformed} lines cannot be read: {count.examples}); "
            "download it again"
        )
