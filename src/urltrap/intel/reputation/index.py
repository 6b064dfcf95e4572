"""An index of a provider's dump on disk: a SQLite file that is built aside and swapped in whole."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from urltrap.model.url import Url


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a dump. `added` as the dump writes it. `host_only`: it speaks of the host and of no URL; a payload's
    entry has a `sha256` and no URL."""

    url: Url | None
    added: str
    status: str
    threat: str
    tags: list[str]
    reference: str
    host_only: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """How an entry was found: "exact", "host and path" (other scheme, port or query), "host" or "hash". `count`: URLs
    of the host. `added` as the dump writes it."""

    how: str
    entry_url: str
    status: str
    threat: str
    tags: list[str]
    reference: str
    count: int
    added: str = ""


def _hash(text: str) -> bytes:
    # 16 bytes of SHA-256: a million entries, and a chance of 10**-27 that two of them meet.
    return hashlib.sha256(text.encode()).digest()[:16]


def _place(url: Url) -> str:
    return f"{url.host}{url.path.partition('?')[0]}"


_READ = "url, status, threat, tags, reference, added"


def _match(how: str, row: Any, count: int) -> Match:
    return Match(how, row[0], row[1], row[2], json.loads(row[3]), row[4], count, row[5])


def _row(entry: Entry) -> tuple[object, ...]:
    url, exact, place, host = entry.url, None, None, None
    if url is not None:
        host = _hash(url.host)
        if not entry.host_only:
            exact, place = _hash(url.text), _hash(_place(url))
    elif entry.sha256:
        exact = _hash(f"sha256:{entry.sha256}")
    return (
        exact, place, host, url.text if url else entry.sha256, entry.added, entry.status, entry.threat,
        json.dumps(entry.tags), entry.reference,
    )  # fmt: skip


class DumpIndex:
    """The index at `path`; a missing one answers nothing. Belongs to one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def build(self, entries: Iterable[Entry], version: str) -> int:
        """Replace the index by these entries, all or nothing (the old one stays when this fails); how many."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        part.unlink(missing_ok=True)
        connection = sqlite3.connect(part, isolation_level=None)
        count = 0
        try:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("CREATE TABLE version (value TEXT)")
            connection.execute(
                "CREATE TABLE entry (exact BLOB, place BLOB, host BLOB, url TEXT, added TEXT, status TEXT, "
                "threat TEXT, tags TEXT, reference TEXT)"
            )
            connection.execute("BEGIN")
            for entry in entries:
                connection.execute("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?)", _row(entry))
                count += 1
            connection.execute("INSERT INTO version VALUES (?)", (version,))
            connection.execute("COMMIT")
            for column in ("exact", "place", "host"):
                connection.execute(f"CREATE INDEX by_{column} ON entry ({column})")
            connection.close()
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(self._path)
        except BaseException:
            connection.close()
            part.unlink(missing_ok=True)
            raise
        return count

    def version(self) -> str:
        """What `build` was told; empty where there is no index."""
        connection = self._open()
        row = connection.execute("SELECT value FROM version").fetchone() if connection else None
        return str(row[0]) if row else ""

    def find(self, url: Url) -> list[Match]:
        """At most one match of the URL (exact before host and path), and one of its host."""
        connection = self._open()
        if connection is None:
            return []
        found: list[Match] = []
        # A bare host says nothing about a path: "/" matches only exactly.
        looked = [("exact", "exact", url.text)]
        if url.path not in ("/", ""):
            looked.append(("host and path", "place", _place(url)))
        for how, column, text in looked:
            row = connection.execute(
                f"SELECT {_READ} FROM entry WHERE {column}=? ORDER BY added DESC LIMIT 1",
                (_hash(text),),
            ).fetchone()
            if row:
                found.append(_match(how, row, 1))
                break
        row = connection.execute(
            "SELECT count(*), max(url), max(threat), max(reference), count(exact), "
            "max(CASE WHEN exact IS NULL THEN tags END) FROM entry WHERE host=?",
            (_hash(url.host),),
        ).fetchone()
        if row[0]:
            # Families of the host itself are its tags; those of single URLs on it are not.
            tags = json.loads(row[5]) if row[5] else []
            found.append(Match("host", row[1] or "", "", row[2], tags, row[3], row[4]))
        return found

    def find_hash(self, sha256: str) -> Match | None:
        """The entry of a payload."""
        connection = self._open()
        row = (
            connection
            and connection.execute(
                f"SELECT {_READ} FROM entry WHERE exact=? LIMIT 1", (_hash(f"sha256:{sha256}"),)
            ).fetchone()
        )
        return _match("hash", row, 0) if row else None

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection | None:
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return None
        if self._connection is None or inode != self._inode:
            self.close()
            self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
            self._inode = inode
        return self._connection
