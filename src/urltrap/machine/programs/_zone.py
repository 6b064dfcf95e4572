"""Local time from the time zone files of the image (tzfile(5)), as localtime(3) finds it."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from urltrap.machine.api import FileSystem, Process
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.fs.content import PackedContent

_POSIX = re.compile(r"^(?:<([A-Za-z0-9+-]{3,})>|([A-Za-z]{3,}))([+-]?\d{1,2})(?::(\d{2}))?$")


_EPOCH = datetime(1970, 1, 1)
_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Local:
    """A moment in a zone: wall clock without zone, its abbreviation, seconds east of Greenwich."""

    clock: datetime
    zone: str
    offset: int


@dataclass(frozen=True, slots=True)
class Zone:
    """Transitions of a zone: from `times[n]` on `types[n]` (seconds east, abbreviation) holds; `first` before."""

    times: tuple[int, ...]
    types: tuple[tuple[int, str], ...]
    first: tuple[int, str]

    def at(self, when: float) -> Local:
        """The local time at `when` (unix seconds)."""
        place = bisect_right(self.times, when) - 1
        offset, name = self.types[place] if place >= 0 else self.first
        return Local(_EPOCH + timedelta(seconds=when + offset), name, offset)


UTC_ZONE = Zone((), (), (0, "UTC"))


@lru_cache(maxsize=32)
def parse_tzfile(data: bytes) -> Zone:
    """Read a time zone file; UTC where it is none (as localtime(3) does)."""
    if data[:4] != b"TZif":
        return UTC_ZONE
    try:
        if data[4:5] >= b"2":
            isut, isstd, leap, times, types, chars = struct.unpack_from(">6l", data, 20)
            data = data[44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut :]
            return _block(data, 8)
        return _block(data, 4)
    except (struct.error, IndexError):
        return UTC_ZONE


def _block(data: bytes, size: int) -> Zone:
    _, _, _, count, types, chars = struct.unpack_from(">6l", data, 20)
    at = 44
    times = struct.unpack_from(f">{count}{'q' if size == 8 else 'l'}", data, at)
    at += count * size
    indices = data[at : at + count]
    at += count
    names = data[at + types * 6 : at + types * 6 + chars]
    known = []
    for number in range(types):
        offset, _, name = struct.unpack_from(">lBB", data, at + number * 6)
        known.append((offset, names[name : names.index(b"\0", name)].decode("ascii", "replace")))
    return Zone(times, tuple(known[index] for index in indices), known[0] if known else (0, "UTC"))


def zone_of(p: Process, name: str | None = None) -> Zone:
    """The zone that `name` (default: $TZ, else /etc/localtime) stands for."""
    wanted = p.env.get("TZ") if name is None else name
    path = "/etc/localtime"
    if wanted is not None:
        wanted = wanted.removeprefix(":")
        if not wanted:
            return UTC_ZONE
        match = _POSIX.match(wanted)
        path = wanted if wanted.startswith("/") else f"/usr/share/zoneinfo/{wanted}"
        if match:
            sign = -1 if not match[3].startswith("-") else 1
            offset = sign * (abs(int(match[3])) * 3600 + int(match[4] or 0) * 60)
            return Zone((), (), (offset, match[1] or match[2]))
    try:
        content = p.fs.content(path)
    except SysError:
        # What looks like a name is shown as one, as glibc does.
        named = re.match("[A-Za-z]{3,}", wanted or "")
        return Zone((), (), (0, named[0])) if named else UTC_ZONE
    # A file of the image is never changed: it is read once.
    if isinstance(content, BytesContent | PackedContent):
        return _zone_in(content)
    return parse_tzfile(content.read(0, _MAX))


@lru_cache(maxsize=32)
def _zone_in(content: BytesContent | PackedContent) -> Zone:
    return parse_tzfile(content.read(0, _MAX))


def zone_in(files: FileSystem) -> Zone:
    """The zone of a machine that is looked at without a process: /etc/localtime's."""
    try:
        return parse_tzfile(files.read("/etc/localtime", _MAX))
    except SysError:
        return UTC_ZONE


def local(p: Process, when: float, name: str | None = None) -> Local:
    """The machine's local time at `when` (unix seconds)."""
    return zone_of(p, name).at(when)
