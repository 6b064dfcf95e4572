"""Reading lines from a descriptor without taking more than the line, as a shell must."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.errors import BudgetError, SysError

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_CHUNK = 4096
_MAX_RECORD = 4_000_000


def _position(sh: Shell, fd: int) -> int | None:
    """The offset of a descriptor that can seek; None for pipes and terminals."""
    file = sh.p.fds.get(fd)
    if file is None or file.is_tty:
        return None
    try:
        return file.seek(0, 1)
    except SysError:
        return None


def read_record(sh: Shell, fd: int, delimiter: bytes) -> Gen[tuple[bytes, bool]]:
    """Bytes up to `delimiter` (taken, not returned) and whether the input ended first."""
    start = _position(sh, fd)
    out = bytearray()
    if start is None:
        while True:
            data = yield from sh.p.read(fd, 1)
            if not data:
                return bytes(out), True
            if data == delimiter:
                return bytes(out), False
            out += data
            if len(out) % 256 == 0:
                yield from sh.p.tick(1)
            if len(out) > _MAX_RECORD:
                raise BudgetError("line length", _MAX_RECORD)
    while True:
        data = yield from sh.p.read(fd, _CHUNK)
        if not data:
            return bytes(out), True
        at = data.find(delimiter)
        if at >= 0:
            out += data[:at]
            sh.p.fds[fd].seek(at + 1 - len(data), 1)
            return bytes(out), False
        out += data
        yield from sh.p.tick(4)
        if len(out) > _MAX_RECORD:
            raise BudgetError("line length", _MAX_RECORD)


class StdinScript:
    """The lines of a script on standard input. bash takes one line at a time, so that the commands it runs can read
    what follows; dash and BusyBox take whole blocks."""

    def __init__(self, sh: Shell, fd: int = 0) -> None:
        self.sh = sh
        self.fd = fd
        self.buffer = b""
        self.ended = False

    def line(self) -> Gen[bytes]:
        """The next line with its newline; empty at the end."""
        if self.sh.dialect.bash:
            data, ended = yield from read_record(self.sh, self.fd, b"\n")
            return data if ended else data + b"\n"
        while b"\n" not in self.buffer and not self.ended:
            data = yield from self.sh.p.read(self.fd, 8192)
            if not data:
                self.ended = True
            self.buffer += data
            if len(self.buffer) > _MAX_RECORD:
                raise BudgetError("line length", _MAX_RECORD)
        head, newline, rest = self.buffer.partition(b"\n")
        self.buffer = rest
        return head + newline
