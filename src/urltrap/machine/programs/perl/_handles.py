"""File handles: over descriptors with perl's buffers, and over strings."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from urltrap.machine.errors import SysError
from urltrap.machine.programs.perl._attention import attend, patience
from urltrap.machine.programs.perl._values import Gen, Scalar, string, to_bytes, whole

if TYPE_CHECKING:
    from urltrap.machine.programs.perl._vm import Vm

_BUFFER = 8192
_MOST = 8_000_000


class Handle:
    """A stream. What is read is a string with one character per byte, or wide ones where a layer decodes."""

    def __init__(self, fd: int, shown: str, *, reads: bool = True, writes: bool = False) -> None:
        self.fd = fd
        self.shown = shown
        self.reads, self.writes = reads, writes
        self.buffer = bytearray()
        self.pending = bytearray()
        self.ended = False
        self.lines = 0
        self.at_once = False
        self.by_line = False
        self.utf8 = False
        self.crlf = False
        self.pid = 0
        self.memory: Scalar | None = None
        self.path = ""
        self.socket: Any = None

    # writing
    def put(self, vm: Vm, text: str) -> Gen:
        """Write; False where it cannot be."""
        if self.memory is not None:
            self.memory.v = string(self.memory.v) + text
            vm.grow(len(string(self.memory.v)))
            return True
        if self.socket is not None and self.socket.kind != 1:
            return (yield from self.socket.send(vm, self, text)) is not None
        if not self.writes or self.fd < 0:
            vm.set_errno(errno.EBADF)
            return False
        data = text.encode("utf-8", "surrogatepass") if self.utf8 else to_bytes(text)
        self.pending += data
        vm.steps += 1 + (len(data) >> 8)
        if self.at_once or len(self.pending) >= _BUFFER or (self.by_line and b"\n" in data):
            return (yield from self.flush(vm))
        return True

    def flush(self, vm: Vm) -> Gen:
        """Write what is held back."""
        if self.pending:
            data = bytes(self.pending)
            self.pending.clear()
            try:
                yield from vm.p.write(self.fd, data)
            except SysError as problem:
                vm.set_errno(problem)
                return False
        return True

    # reading
    def _fill(self, vm: Vm) -> Gen:
        if self.ended or self.memory is not None or self.fd < 0:
            return False
        if self.fd == 0 and vm.p.is_tty(0):
            yield from vm.flush()
        if vm.alarm_at is not None or vm.trapped:
            yield from attend(vm)
        try:
            piece = yield from vm.p.read(self.fd, 65_536, timeout=patience(vm))
        except SysError as problem:
            vm.set_errno(problem)
            if problem.errno in (errno.EINTR, errno.EAGAIN) and (vm.trapped or vm.alarm_at is not None):
                yield from attend(vm)
                return (yield from self._fill(vm)) if problem.errno == errno.EAGAIN else False
            return False
        if not piece:
            self.ended = not vm.p.is_tty(self.fd)
            return False
        self.buffer += piece
        return True

    def _text(self, data: bytes) -> str:
        return data.decode("utf-8", "replace") if self.utf8 else data.decode("latin-1")

    def readline(self, vm: Vm, separator: Any) -> Gen:
        """One line; None at the end."""
        vm.last_read = self
        if separator is None:
            while len(self.buffer) < _MOST and (yield from self._fill(vm)):
                pass
            end = len(self.buffer)
        elif type(separator) is not str:
            wanted = max(1, whole(getattr(getattr(separator, "t", None), "v", 1)))
            while len(self.buffer) < wanted and (yield from self._fill(vm)):
                pass
            end = min(wanted, len(self.buffer))
        else:
            paragraph = separator == ""
            mark = b"\n\n" if paragraph else to_bytes(separator)
            if paragraph:
                while True:
                    stripped = self.buffer.lstrip(b"\n")
                    self.buffer = bytearray(stripped)
                    if self.buffer or not (yield from self._fill(vm)):
                        break
            looked = 0
            while (at := self.buffer.find(mark, max(0, looked - len(mark)))) < 0 and len(self.buffer) < _MOST:
                looked = len(self.buffer)
                if not (yield from self._fill(vm)):
                    break
            end = at + len(mark) if at >= 0 else len(self.buffer)
        if end == 0:
            return None
        data = bytes(self.buffer[:end])
        del self.buffer[:end]
        if separator == "":
            self.buffer = bytearray(self.buffer.lstrip(b"\n"))
        self.lines += 1
        vm.steps += 2
        vm.grown += len(data)
        return self._text(data)

    def read(self, vm: Vm, size: int) -> Gen:
        """Up to `size` bytes; empty at the end."""
        size = min(max(size, 0), _MOST)
        while len(self.buffer) < size and (yield from self._fill(vm)):
            pass
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return self._text(data)

    def sysread(self, vm: Vm, size: int) -> Gen:
        """What one read(2) gives."""
        if not self.buffer:
            yield from self._fill(vm)
        data = bytes(self.buffer[: max(size, 0)])
        del self.buffer[: len(data)]
        return data.decode("latin-1")

    def at_end(self, vm: Vm) -> Gen:
        """eof."""
        if self.buffer:
            return False
        if not self.reads:
            return True
        return not (yield from self._fill(vm))

    # the rest
    def close(self, vm: Vm) -> Gen:
        """Close; what a program on the other end of a pipe ended with goes to $?."""
        done = yield from self.flush(vm)
        if self.memory is not None:
            self.memory = None
            return True
        if self.fd < 0:
            vm.set_errno(errno.EBADF)
            return False
        if self.fd in vm.p.fds:
            vm.p.close(self.fd)
        self.fd = -1
        self.lines = 0
        if vm.last_read is self:
            vm.last_read = None
        if self.pid:
            status = 0
            try:
                ended = yield from vm.p.wait(self.pid)
                status = status_word(ended[1]) if ended is not None else 0
            except SysError:
                status = -1
            self.pid = 0
            vm.sv("main::?").v = status
            return status == 0
        return done

    def tell(self, vm: Vm) -> Gen:
        """Where it is."""
        yield from self.flush(vm)
        try:
            return vm.p.seek(self.fd, 0, 1) - len(self.buffer)
        except SysError:
            return -1

    def seek(self, vm: Vm, offset: int, whence: int) -> Gen:
        """Go there."""
        yield from self.flush(vm)
        if whence == 1:
            offset -= len(self.buffer)
        self.buffer.clear()
        self.ended = False
        try:
            vm.p.seek(self.fd, offset, whence)
        except SysError as problem:
            vm.set_errno(problem)
            return False
        return True


def in_memory(variable: Scalar, mode: str) -> Handle:
    """A handle over a string."""
    made = Handle(-1, "$fh", reads=mode == "<", writes=mode != "<")
    if mode == "<":
        made.buffer += to_bytes(string(variable.v))
        made.ended = True
    else:
        if mode == ">" or variable.v is None:
            variable.v = ""
        made.memory = variable
    return made


def status_word(status: int) -> int:
    """What wait(2) gives for a status of ours."""
    return status - 128 if 128 < status < 192 else status << 8
