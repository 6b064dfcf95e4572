"""Reading inputs piece by piece, so that endless inputs work and memory is bounded."""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import Any

from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd

_MAX_LINE = 4_000_000


class Source:
    """An open input. `line` answers one line with its newline, b"" at the end."""

    __slots__ = ("buffer", "c", "eof", "fd", "own", "pos")

    def __init__(self, c: Cmd, path: str) -> None:
        """Open `path` ("-" is standard input). SysError, EISDIR for a directory too."""
        self.c = c
        self.own = path != "-"
        self.fd = c.p.open(path) if self.own else 0
        if self.own and c.p.fstat(self.fd).is_dir:
            self.close()
            raise SysError(errno.EISDIR, path)
        self.buffer = b""
        self.pos = 0
        self.eof = False

    def chunk(self) -> Generator[Any, Any, bytes]:
        """The next piece; what `line` left in the buffer first."""
        if self.pos < len(self.buffer):
            found = self.buffer[self.pos :]
            self.pos = len(self.buffer)
            return found
        if self.eof:
            return b""
        if self.c.buffer and not self.own:
            yield from self.c.flush()
        found = yield from self.c.p.read(self.fd)
        self.eof = not found
        return found

    def line(self, end: bytes = b"\n") -> Generator[Any, Any, bytes]:
        """The next line with its end."""
        at = self.buffer.find(end, self.pos)
        if at >= 0:
            found = self.buffer[self.pos : at + 1]
            self.pos = at + 1
            return found
        parts = [self.buffer[self.pos :]]
        size = len(parts[0])
        self.buffer, self.pos = b"", 0
        while size < _MAX_LINE:
            piece = yield from self.chunk()
            if not piece:
                break
            at = piece.find(end)
            if at >= 0:
                parts.append(piece[: at + 1])
                self.buffer, self.pos = piece, at + 1
                break
            parts.append(piece)
            size += len(piece)
        return b"".join(parts)

    def give_back(self) -> None:
        """Seek standard input back to what was consumed, as programs that stop early do."""
        if self.pos < len(self.buffer) and not self.own:
            try:
                self.c.p.seek(0, self.pos - len(self.buffer), 1)
            except SysError:
                pass  # a pipe: what was read is lost, as in reality

    def close(self) -> None:
        """Close it, unless it is standard input."""
        if self.own:
            self.c.p.close(self.fd)
