"""A pseudo-terminal's line discipline: echo, line editing, signals of keys, CR and NL, as Linux' n_tty does it.

Source: termios(3), drivers/tty/n_tty.c (behaviour only).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.api import S_IFCHR, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.signals import SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN
from urltrap.machine.kernel.waiting import WaitQueue

if TYPE_CHECKING:
    from urltrap.machine.kernel.job import KernelJob
    from urltrap.machine.kernel.state import ProcessState

_SIGNALS = {3: SIGINT, 28: SIGQUIT, 26: SIGTSTP}
_EOF, _ERASE, _WERASE, _KILL, _LNEXT, _REPRINT = 4, 127, 23, 21, 22, 18
_XON, _XOFF = 17, 19
_LINE_MAX = 4_095
"""Characters of a line that the terminal edits itself (N_TTY_BUF_SIZE - 1); more are answered with a bell."""
_MAX_EOFS = 4_096
"""Ends of file that wait to be read; a real terminal's buffer holds no more."""


class Tty:
    """One terminal. The attributes are `api.Terminal`'s; `receive` is what was typed, `write` what programs print."""

    def __init__(self, job: KernelJob, number: int, columns: int, rows: int) -> None:
        self.job = job
        self.number = number
        self.columns = columns
        self.rows = rows
        self.icanon = True
        self.echo = True
        self.isig = True
        self.icrnl = True
        self.opost = True
        self.onlcr = True
        self.foreground = 0
        self.hung = False
        self.opened_at = job.kernel.clock
        self.typed_at = job.kernel.clock
        self.owner = 0
        self.readable = WaitQueue()
        self._line = bytearray()
        self._lines = bytearray()  # canonical: whole lines
        self._eofs: list[int] = []  # where in them, counted from the first byte ever, ^D was typed
        self._gone = 0
        self._raw = bytearray()
        self._literal = False
        self._echoed = bytearray()  # echo that the job could not take yet

    @property
    def name(self) -> str:
        """ "pts/0"."""
        return f"pts/{self.number}"

    def stat(self) -> Stat:
        """Of /dev/pts/N."""
        when = self.job.kernel.clock
        return Stat(
            S_IFCHR | 0o620,
            0,
            self.owner,
            5,
            when,
            when,
            self.opened_at,
            self.number + 3,
            1,
            (136, self.number),
            0,
            24,
        )

    def file(self, path: str, flags: int) -> File:
        """An open description of it."""
        return TtyFile(self, path, flags)

    @property
    def unread(self) -> int:
        """Bytes that a program could read and has not read yet. None is dropped: who types has to wait."""
        return len(self._raw) + len(self._lines)

    # the keyboard
    def receive(self, data: bytes) -> None:
        """Bytes that were typed."""
        self.typed_at = self.job.kernel.clock
        for byte in data:
            self._key(byte)
        self.readable.wake()
        self.flush()

    def receive_eof(self) -> None:
        """The other side will type no more: what ^D does."""
        self.receive(bytes((_EOF,)))

    def _key(self, byte: int) -> None:
        if byte == 13 and self.icrnl and not self._literal:
            byte = 10
        if self._literal:
            self._literal = False
            self._append(byte)
            return
        if self.isig and byte in _SIGNALS:
            self._signal_key(byte)
            return
        if self.isig and byte in (_XON, _XOFF):
            return
        if not self.icanon:
            self._raw.append(byte)
            self._echo(byte)
            return
        self._edit(byte)

    def _signal_key(self, byte: int) -> None:
        if self.echo:
            self._show(b"^" + bytes((byte ^ 64,)))
        self._line.clear()
        self._drop_lines()
        self._raw.clear()
        if self.foreground:
            self.job.kernel.signal_group(self.foreground, _SIGNALS[byte])

    def _edit(self, byte: int) -> None:
        if byte == 10:
            self._line.append(byte)
            self._echo(byte)
            self._end_line()
        elif byte == _EOF:
            self._end_line()
            if len(self._eofs) < _MAX_EOFS:
                self._eofs.append(self._gone + len(self._lines))
        elif byte in (_ERASE, 8):
            if byte == 8:
                self._append(byte)  # VERASE is ^?; ^H is a character like others
            else:
                self._erase()
        elif byte == _KILL:
            while self._line:
                self._erase()
        elif byte == _WERASE:
            while self._line and not _is_word(self._line[-1]):
                self._erase()
            while self._line and _is_word(self._line[-1]):
                self._erase()
        elif byte == _LNEXT:
            self._literal = True
            if self.echo:
                self._show(b"^\b")
        elif byte == _REPRINT:
            if self.echo:
                self._show(b"^R\r\n" + b"".join(_shown(each) for each in self._line))
        else:
            self._append(byte)

    def _append(self, byte: int) -> None:
        if self.icanon and len(self._line) >= _LINE_MAX:
            if self.echo:
                self._show(b"\a")
            return
        (self._line if self.icanon else self._raw).append(byte)
        self._echo(byte)

    def _end_line(self) -> None:
        self._lines += self._line
        self._line.clear()

    def _drop_lines(self) -> None:
        self._gone += len(self._lines)
        self._lines.clear()
        self._eofs.clear()

    def _erase(self) -> None:
        if not self._line:
            return
        gone = self._line.pop()
        while gone & 0xC0 == 0x80 and self._line:  # one character of UTF-8 is one on the screen
            gone = self._line.pop()
        if self.echo:
            width = self._tab_width() if gone == 9 else 2 if gone < 32 else 1
            self._show(b"\b" * width if gone == 9 else b"\b \b" * width)

    def _tab_width(self) -> int:
        column = 0
        for byte in self._line:
            if byte == 9:
                column += 8 - column % 8
            elif byte & 0xC0 != 0x80:
                column += 2 if byte < 32 else 1
        return 8 - column % 8

    def _echo(self, byte: int) -> None:
        if self.echo:
            self._show(self._cooked(b"\n") if byte == 10 else _shown(byte))

    # the screen
    def _show(self, data: bytes) -> None:
        self._echoed += data

    def _cooked(self, data: bytes) -> bytes:
        return data.replace(b"\n", b"\r\n") if self.opost and self.onlcr else data

    def flush(self) -> None:
        """Give out the echo that is due."""
        while self._echoed and not self.hung:
            taken = self.job.put_out(bytes(self._echoed), 1)
            if not taken:
                return
            del self._echoed[:taken]
        self._echoed.clear()

    def write(self, data: bytes) -> int:
        """What a program prints; how many bytes of it were taken."""
        if self.hung:
            raise SysError(errno.EIO, f"/dev/{self.name}")
        self.flush()
        room = self.job.room()
        if self._echoed or room < 2:
            return 0
        piece = data[: room // 2]
        self.job.put_out(self._cooked(piece), 1)
        return len(piece)

    # programs read
    def take(self, length: int) -> bytes | None:
        """What a read gets: one line at most where it is canonical; None where there is nothing yet."""
        if not self.icanon and (self._lines or self._line):
            self._raw += self._lines + self._line
            self._drop_lines()
            self._line.clear()
        if self._raw:
            end = min(length, len(self._raw))
            if self.icanon:
                newline = self._raw.find(b"\n", 0, end)
                end = newline + 1 if newline >= 0 else end
            data = bytes(self._raw[:end])
            del self._raw[:end]
            return data
        if self._lines or self._eofs:
            return self._take_line(length)
        return b"" if self.hung else None

    def _take_line(self, length: int) -> bytes:
        newline = self._lines.find(b"\n", 0, length)
        end = newline + 1 if newline >= 0 else min(length, len(self._lines))
        if self._eofs and self._eofs[0] - self._gone <= end:
            end = self._eofs.pop(0) - self._gone
        data = bytes(self._lines[:end])
        del self._lines[:end]
        self._gone += end
        return data

    def give_back(self, data: bytes) -> None:
        """Put back what a line editor has read and not used: it belongs to who reads next."""
        self._raw[:0] = data

    # its end
    def hang_up(self) -> None:
        """The other side is gone: reads end, writes fail."""
        self.hung = True
        self._echoed.clear()
        self.readable.wake()

    def leader_ended(self, leader: ProcessState) -> None:
        """The session's leader ended: what runs in the foreground is hung up."""
        self.flush()
        if self.foreground and self.foreground != leader.group:
            self.job.kernel.signal_group(self.foreground, SIGHUP)


class TtyFile(File):
    """An open description of a terminal."""

    __slots__ = ("_tty",)

    def __init__(self, tty: Tty, path: str, flags: int) -> None:
        super().__init__(path, flags)
        self._tty = tty
        self.read_queue = tty.readable
        self.write_queue = tty.job.drained

    @property
    def is_tty(self) -> bool:
        """It is one."""
        return True

    @property
    def terminal(self) -> Tty:
        """Its terminal."""
        return self._tty

    def stat(self) -> Stat:
        """fstat(2)."""
        return self._tty.stat()

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """What was typed. A background process is stopped (SIGTTIN), or gets EIO where it ignores that."""
        tty = self._tty
        if process.terminal is tty and tty.foreground not in (0, process.group) and not tty.hung:
            if process.actions.get(SIGTTIN) == "ignore":
                raise SysError(errno.EIO, self.path)
            process.kernel.signal_group(process.group, SIGTTIN)
            return None
        return tty.take(length)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Print."""
        return self._tty.write(data)


def _is_word(byte: int) -> bool:
    return byte not in (32, 9)


def _shown(byte: int) -> bytes:
    if byte < 32 and byte not in (9, 10):
        return b"^" + bytes((byte + 64,))
    return b"^?" if byte == 127 else bytes((byte,))
