"""A provider's dump as a provider: downloaded or put there by the operator, indexed aside, looked up without asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import structlog

from urltrap.intel.reputation.index import DumpIndex, Entry, Match
from urltrap.intel.reputation.reading import moment
from urltrap.model.url import Url
from urltrap.model.verdict import Observation

LONGEST_LINE = 20_000

log = structlog.get_logger("urltrap.intel")


class DumpError(Exception):
    """The dump cannot be used; the message says why. The index that was there stays in use."""


@dataclass
class DumpCount:
    """What a dump held."""

    entries: int = 0
    malformed: int = 0
    examples: list[str] = field(default_factory=list)

    def bad(self, number: int, line: str) -> None:
        """Note a line that is no entry."""
        self.malformed += 1
        if len(self.examples) < 3:
            self.examples.append(f"line {number}: {line[:80]!a}")


Reader = Callable[[Iterator[str], DumpCount, str], Iterator[Entry]]
"""Lines of a dump, where to count, the file's name without ending → its entries; what is none is counted."""


class Dump:
    """The dump file(s) of one provider, indexed at `index`; `refresh` takes changed files in."""

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        index: Path,
        reader: Reader,
        setting: str = "",
        hashes: bool = False,
    ) -> None:
        self.name = name
        self.files = tuple(files)
        self.index = index
        self.hashes = hashes
        self._reader = reader
        self._setting = setting or f"the dump of {name}"
        self._index = DumpIndex(index)
        self.count = DumpCount()

    @property
    def version(self) -> str:
        """Changes with the files; empty where nothing is indexed."""
        return self._index.version()

    def again(self) -> Dump:
        """The same dump for another thread."""
        return Dump(self.name, self.files, self.index, self._reader, self._setting, self.hashes)

    def refresh(self) -> bool:
        """Index the files where they changed since; whether they did. DumpError keeps the old index."""
        try:
            states = [(path.name, path.stat()) for path in self.files]
        except OSError as error:
            raise DumpError(f"{self._setting}: {error.filename} cannot be read ({error.strerror})") from error
        version = ",".join(f"{status.st_mtime_ns}-{status.st_size}" for _, status in states)
        if version == self._index.version():
            return False
        count = DumpCount()
        try:
            self._index.build(self.entries(count), version)
        except OSError as error:
            raise DumpError(f"{self._setting}: cannot be indexed ({error.strerror})") from error
        self.count = count
        log.info(
            "dump.indexed",
            provider=self.name,
            entries=count.entries,
            malformed=count.malformed,
            examples=count.examples,
        )
        return True

    def look_up(self, urls: Sequence[Url], at: datetime) -> list[list[Observation]]:
        """See Provider."""
        if not self._index.version():
            return [[self._error("url", url.text, at)] for url in urls]
        return [self._observations(url, at) for url in urls]

    def look_up_hashes(self, digests: Sequence[str], at: datetime) -> list[Observation]:
        """What the dump says of payloads (SHA-256); nothing where it lists none."""
        if not self.hashes or not self._index.version():
            return []
        return [self._observation("sha256", digest, self._index.find_hash(digest), at) for digest in digests]

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def entries(self, count: DumpCount) -> Iterator[Entry]:
        """The entries of all files; DumpError at their end where there was none."""
        for path in self.files:
            with path.open(encoding="utf-8", errors="replace", newline="") as lines:
                yield from self._reader(_bounded(lines), count, path.stem)
        # A page of an error, or half a download: better the old index than an empty one.
        if count.entries == 0:
            raise DumpError(
                f"{self._setting} holds no entry ({count.malformed} lines cannot be read: {count.examples}); "
                "download it again"
            )

    def _observations(self, url: Url, at: datetime) -> list[Observation]:
        matches = {("host" if match.how == "host" else "url"): match for match in self._index.find(url)}
        return [
            self._observation("url", url.text, matches.get("url"), at),
            self._observation("host", url.host, matches.get("host"), at),
        ]

    def _error(self, kind: str, subject: str, at: datetime) -> Observation:
        return Observation.model_validate(
            {"provider": self.name, "subject_kind": kind, "subject": subject, "at": at, "result": "error",
             "detail": "the dump has not been indexed"}
        )  # fmt: skip

    def _observation(self, kind: str, subject: str, match: Match | None, at: datetime) -> Observation:
        values: dict[str, Any] = {
            "provider": self.name, "subject_kind": kind, "subject": subject, "at": at, "result": "not-listed",
        }  # fmt: skip
        if match is not None:
            detail = {"exact": "this URL", "hash": "this payload"}.get(match.how, match.how)
            if kind == "host":
                detail = f"{match.count} URLs of this host" if match.count else "this host"
            values.update(
                result="listed",
                detail=detail,
                tags=[tag for tag in [match.threat, *match.tags] if tag],
                reference=match.reference,
                since=moment(match.added) if kind != "host" else None,
            )
        return Observation.model_validate(values)


def take(lines: Iterable[str], count: DumpCount, read: Callable[[str], Entry | None]) -> Iterator[Entry]:
    """The entries of lines that `read` turns into one each (None: it is none); `#` lines and empty ones are passed."""
    for number, line in enumerate(lines, 1):
        if line.startswith("#") or not line.strip():
            continue
        entry = read(line)
        if entry is None:
            count.bad(number, line)
            continue
        count.entries += 1
        yield entry


def _bounded(lines: IO[str]) -> Iterator[str]:
    """Lines, a longer one in pieces that no reader takes: a file without a line end must not fill the memory."""
    while line := lines.readline(LONGEST_LINE + 1):
        yield line
