"""Downloads of lists and dumps: only when they changed, bounded, swapped in whole, the old one kept when it fails."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import aiohttp

from urltrap import __version__
from urltrap.intel.errors import Limited, Malformed, ProviderError, Refused, TooLarge, Unavailable
from urltrap.intel.http import Reply, refusal

_CHUNK = 262_144


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a downloaded file. `problem`: why the newest try failed; empty where it did not."""

    etag: str = ""
    modified: str = ""
    fetched: str = ""
    checked: str = ""
    size: int = 0
    problem: str = ""
    waits_until: str = ""

    @property
    def age_from(self) -> datetime | None:
        """When it was last known to be the newest one."""
        return datetime.fromisoformat(self.fetched) if self.fetched else None

    @property
    def last_try(self) -> datetime | None:
        """When it was last asked for."""
        return datetime.fromisoformat(self.checked) if self.checked else None


def kept(path: Path) -> Kept:
    """What the note beside a file says; nothing where the file or a readable note is missing."""
    try:
        note = json.loads(_note(path).read_text("utf-8"))
        known = Kept(**{name: value for name, value in note.items() if name in Kept.__dataclass_fields__})
    except (OSError, ValueError, TypeError):
        return Kept()
    if not path.is_file():
        # A note without its file must not make the server say "not modified".
        return Kept(checked=known.checked, problem=known.problem, waits_until=known.waits_until)
    return known


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json-note")


class Downloader:
    """Downloads into files. `async with` opens and closes it."""

    def __init__(self, contact: str = "", most_bytes: int = 200_000_000, timeout: float = 300.0) -> None:
        self._agent = f"urltrap/{__version__}" + (f" ({contact})" if contact else "")
        self._most_bytes = most_bytes
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Downloader:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout, connect=20, sock_read=60),
            headers={"User-Agent": self._agent},
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(
        self,
        url: str,
        path: Path,
        check: Callable[[Path], Any] = lambda path: None,
        now: datetime | None = None,
    ) -> bool:
        """Bring `path` up to date; whether it changed. `check` is called with the new file before it is swapped in
        and refuses it by raising ValueError.

        Raises ProviderError kinds, which name no address; the old file and its note of success stay.
        """
        moment = now or datetime.now(UTC)
        before = kept(path)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            reply = await self._load(url, part, before)
            if reply.status == 304:
                self._remember(path, before, fetched=moment, checked=moment, problem="")
                return False
            await asyncio.to_thread(_unpack, part, self._most_bytes)
            try:
                await asyncio.to_thread(check, part)
            except ValueError as error:
                raise Malformed(str(error)) from None
            size = part.stat().st_size
            part.replace(path)
            headers = {name.lower(): value for name, value in reply.headers.items()}
            self._remember(
                path, Kept(), fetched=moment, checked=moment, problem="", size=size,
                etag=headers.get("etag", "")[:300], modified=headers.get("last-modified", "")[:100],
            )  # fmt: skip
            return True
        except ProviderError as error:
            until = error.until if isinstance(error, Limited) else None
            self._remember(
                path,
                before,
                checked=moment,
                problem=str(error),
                waits_until=until.isoformat() if until else "",
            )
            raise
        finally:
            part.unlink(missing_ok=True)

    def _remember(self, path: Path, before: Kept, **changes: Any) -> None:
        values = asdict(before)
        values.update({k: v.isoformat() if isinstance(v, datetime) else v for k, v in changes.items()})
        note = _note(path)
        fresh = note.with_name(f"{note.name}.{os.getpid()}.part")
        fresh.write_text(json.dumps(values), "utf-8")
        fresh.replace(note)

    async def _load(self, url: str, part: Path, before: Kept) -> Reply:
        assert self._session is not None, "open the downloader first"
        headers = {}
        if before.etag:
            headers["If-None-Match"] = before.etag
        elif before.modified:
            headers["If-Modified-Since"] = before.modified
        # No causes below: the errors repeat the address, in which abuse.ch wants its key.
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                reply = Reply(response.status, dict(response.headers), b"", datetime.now(UTC))
                if reply.status == 304 and headers:
                    return reply
                if reply.status != 200:
                    raise refusal(reply)
                await self._write(response, part)
                return reply
        except TimeoutError:
            raise Unavailable("the download did not end in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"cannot be downloaded ({type(error).__name__})") from None

    async def _write(self, response: aiohttp.ClientResponse, part: Path) -> None:
        size = 0
        with part.open("wb") as file:
            async for chunk in response.content.iter_chunked(_CHUNK):
                size += len(chunk)
                if size > self._most_bytes:
                    raise TooLarge(f"the download is larger than {self._most_bytes} bytes")
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.flush)
            await asyncio.to_thread(os.fsync, file.fileno())
        if size == 0:
            raise Malformed("the download is empty")


def _unpack(part: Path, most: int) -> None:
    """Replace a gzip, bzip2 or zip file (its first member) by what is in it, of at most `most` bytes."""
    with part.open("rb") as file:
        magic = file.read(4)
        packed = magic[:2] == b"\x1f\x8b" or magic[:3] == b"BZh" or magic == b"PK\x03\x04"
        if not packed:
            return
        fresh = part.with_name(part.name + ".unpacked")
        try:
            file.seek(0)
            size = 0
            with fresh.open("wb") as out:
                for chunk in _unpacked(file, magic):
                    size += len(chunk)
                    if size > most:
                        raise TooLarge(f"the download unpacks to more than {most} bytes")
                    out.write(chunk)
            fresh.replace(part)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError, RuntimeError) as error:
            raise Malformed(f"the download is a damaged archive ({type(error).__name__})") from None
        finally:
            fresh.unlink(missing_ok=True)


def _unpacked(file: IO[bytes], magic: bytes) -> Iterator[bytes]:
    source: IO[bytes] | io.BufferedIOBase
    if magic == b"PK\x03\x04":
        archive = zipfile.ZipFile(file)
        members = [item for item in archive.infolist() if not item.is_dir()]
        if not members:
            raise ValueError("an empty archive")
        source = archive.open(members[0])
    else:
        source = gzip.GzipFile(fileobj=file) if magic[:2] == b"\x1f\x8b" else bz2.BZ2File(file)
    while chunk := source.read(_CHUNK):
        yield chunk


__all__ = ["Downloader", "Kept", "Refused", "kept"]
