"""Fields of SFTP packets."""

from __future__ import annotations

from datetime import UTC, datetime

from urltrap.wire.sftp.files import Attributes

_SIZE, _OWNER, _MODE, _TIMES, _EXTENDED = 1, 2, 4, 8, 0x80000000
_SIX_MONTHS = 365 * 86_400 // 2


class Truncated(ValueError):
    """A packet is shorter than its fields say."""


class Reader:
    """Takes fields from a packet; Truncated where one is cut."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """The next bytes."""
        end = self._at + length
        if end > len(self._data):
            raise Truncated(f"{length} bytes wanted, {len(self._data) - self._at} there")
        part, self._at = self._data[self._at : end], end
        return part

    def u32(self) -> int:
        """A number of 32 bits."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """A number of 64 bits."""
        return int.from_bytes(self.take(8), "big")

    def string(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.u32())

    def attributes(self) -> Attributes:
        """A file's attributes."""
        flags = self.u32()
        size = self.u64() if flags & _SIZE else None
        uid, gid = (self.u32(), self.u32()) if flags & _OWNER else (None, None)
        mode = self.u32() if flags & _MODE else None
        atime, mtime = (self.u32(), self.u32()) if flags & _TIMES else (None, None)
        if flags & _EXTENDED:
            for _ in range(min(self.u32(), 64)):
                self.string()
                self.string()
        return Attributes(size, uid, gid, mode, atime, mtime)


def u32(number: int) -> bytes:
    """A number of 32 bits."""
    return (number & 0xFFFFFFFF).to_bytes(4, "big")


def u64(number: int) -> bytes:
    """A number of 64 bits."""
    return (number & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


def string(data: bytes) -> bytes:
    """Bytes with their length before them."""
    return u32(len(data)) + data


def attributes(found: Attributes) -> bytes:
    """A file's attributes, all that are known."""
    flags, body = 0, b""
    if found.size is not None:
        flags, body = flags | _SIZE, body + u64(found.size)
    if found.uid is not None and found.gid is not None:
        flags, body = flags | _OWNER, body + u32(found.uid) + u32(found.gid)
    if found.mode is not None:
        flags, body = flags | _MODE, body + u32(found.mode)
    if found.atime is not None and found.mtime is not None:
        flags, body = flags | _TIMES, body + u32(found.atime) + u32(found.mtime)
    return u32(flags) + body


def mode_text(mode: int) -> str:
    """As ``ls -l`` shows a mode."""
    kind = {0o040000: "d", 0o120000: "l", 0o020000: "c", 0o060000: "b", 0o010000: "p", 0o140000: "s"}
    text = kind.get(mode & 0o170000, "-")
    for shift, special, letter in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = mode >> shift
        text += ("r" if bits & 4 else "-") + ("w" if bits & 2 else "-")
        if mode & special:
            text += letter if bits & 1 else letter.upper()
        else:
            text += "x" if bits & 1 else "-"
    return text


def long_name(name: bytes, found: Attributes, owner: str, group: str, now: float) -> bytes:
    """The line that sftp-server gives for a name (sftp-common.c, ls_file)."""
    when = datetime.fromtimestamp(found.mtime or 0, UTC)
    age = now - (found.mtime or 0)
    shown = f"{when:%b} {when.day:>2} " + (
        f"{when:%H:%M}" if -_SIX_MONTHS < age < _SIX_MONTHS else f" {when.year}"
    )
    mode = mode_text(found.mode or 0)
    line = f"{mode} {found.nlink:>4} {owner:<8} {group:<8} {found.size or 0:>8} {shown} "
    return line.encode("utf-8", "replace") + name
