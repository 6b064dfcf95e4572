"""File objects: open(), the standard streams, pipes of subprocess."""

from __future__ import annotations

import codecs
import errno
import io
import re
from typing import Any

from urltrap.machine.api import O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._native import check_codec
from urltrap.machine.programs.python._objects import Builtin, Gen, Thing, Yielded, class_of, error
from urltrap.machine.programs.python._vm import Vm, native, os_error

_BUFFER = 8192
_MOST = 8_000_000
_LINE, _UNIVERSAL = re.compile(rb"\n"), re.compile(rb"\r\n?|\n")


class TextFile(Thing):
    """A file over a descriptor; text, or bytes where `binary`."""

    module = "_io"

    def __init__(
        self,
        fd: int,
        name: Any,
        mode: str,
        *,
        encoding: str = "UTF-8",
        errors: str = "strict",
        newline: str | None = None,
    ) -> None:
        self.fd = fd
        self.name = name
        self.mode = mode
        self.binary = "b" in mode
        self.encoding = encoding
        self.errors = errors
        self.newline = newline
        self.below: TextFile | None = None
        self.buffer = bytearray()
        self.pending = bytearray()
        self.ended = False
        self.closed = False
        self.by_line = False
        self.at_once = False
        writes = any(each in mode for each in "wax+")
        self.can_write = writes
        self.can_read = "r" in mode or "+" in mode
        self.type_name = (
            "TextIOWrapper" if not self.binary else ("BufferedWriter" if writes else "BufferedReader")
        )

    def attribute(self, name: str) -> Any:
        """closed, name, mode, encoding, buffer, and the methods."""
        if name in ("closed", "name", "mode", "encoding", "errors"):
            return getattr(self, name)
        if name == "buffer" and not self.binary:
            if self.below is None:
                self.below = TextFile(self.fd, self.name, self.mode + "b")
                self.below.buffer, self.below.at_once = self.buffer, self.at_once
            return self.below
        return super().attribute(name)

    def shown(self) -> str:
        """repr."""
        if self.binary:
            return f"<_io.{self.type_name} name={self.name!r}>"
        return f"<_io.TextIOWrapper name={self.name!r} mode={self.mode!r} encoding={self.encoding!r}>"

    def _open(self) -> None:
        if self.closed:
            raise error("ValueError", "I/O operation on closed file.")

    # writing
    def put(self, vm: Vm, text: str) -> Gen:
        """Write text; what a line or block buffer holds back is written by `flush`."""
        self._open()
        data = (
            encode(text) if self.errors == "surrogateescape" else _encoded(text, self.encoding, self.errors)
        )
        yield from self.put_bytes(vm, data)

    def put_bytes(self, vm: Vm, data: bytes) -> Gen:
        """The same of bytes."""
        self.pending += data
        vm.steps += 2 + (len(data) >> 8)
        if self.at_once or len(self.pending) >= _BUFFER or (self.by_line and b"\n" in data):
            yield from self.m_flush(vm)

    def m_write(self, vm: Vm, data: Any) -> Gen:
        """write."""
        self._open()
        if not self.can_write:
            raise error_unsupported("not writable")
        if self.binary:
            if not isinstance(data, (bytes, bytearray)):
                raise error("TypeError", f"a bytes-like object is required, not '{class_of(data).name}'")
            yield from self.put_bytes(vm, bytes(data))
        else:
            if not isinstance(data, str):
                raise error("TypeError", f"write() argument must be str, not {class_of(data).name}")
            yield from self.put(vm, data)
        return len(data)

    def m_writelines(self, vm: Vm, lines: Any) -> Gen:
        """writelines."""
        for each in (yield from _calls.listed(vm, lines)):
            yield from self.m_write(vm, each)

    def m_flush(self, vm: Vm) -> Gen:
        """flush: first what was written to the buffer below."""
        if self.below is not None:
            yield from self.below.m_flush(vm)
        if self.pending:
            data = bytes(self.pending)
            self.pending.clear()
            yield from vm.p.write(self.fd, data)

    # reading
    def _fill(self, vm: Vm, length: int = 65_536) -> Gen:
        if self.ended:
            return False
        if self.fd == 0:
            yield from vm.stdout.m_flush(vm)
        piece = yield from vm.p.read(self.fd, length)
        if not piece:
            self.ended = True
            return False
        self.buffer += piece
        return True

    def _taken(self, vm: Vm, count: int) -> Any:
        """The first `count` bytes of the buffer, decoded where the file is one of text."""
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        vm.grow(len(data))
        if self.binary:
            return data
        if self.newline is None and b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data.decode(self.encoding, self.errors)

    def _span(self, vm: Vm, characters: int) -> int:
        """How many bytes of the buffer are so many characters of text, if it has as many."""
        head = self.buffer[:characters]
        if head.isascii() and b"\r" not in head:
            return len(head)
        decoder = codecs.getincrementaldecoder(self.encoding)(self.errors)
        last = ""
        for at, byte in enumerate(self.buffer):
            if characters <= 0 and not (last == "\r" and byte == 10 and self.newline is None):
                return at
            vm.steps += 1
            made = decoder.decode(bytes((byte,)))
            characters -= len(made)
            last = made[-1:] or last
            if byte == 10 and self.buffer[at - 1 : at] == b"\r" and self.newline is None:
                characters += 1
        return len(self.buffer)

    def m_read(self, vm: Vm, size: Any = -1) -> Gen:
        """read."""
        self._open()
        if not self.can_read:
            raise error_unsupported("not readable" if not self.binary else "read")
        wanted = -1 if size is None else size
        # A character is at most four bytes, and the newline behind a return belongs to it.
        bytes_ = wanted if self.binary else 4 * wanted + 1
        while (wanted < 0 or len(self.buffer) < bytes_) and len(self.buffer) < _MOST:
            if not (yield from self._fill(vm)):
                break
        if wanted < 0:
            wanted = len(self.buffer)
        elif not self.binary:
            wanted = self._span(vm, wanted)
        data = self._taken(vm, wanted)
        self.ended = False if data else self.ended
        return data

    def m_read1(self, vm: Vm, size: int = 65_536) -> Gen:
        """read1: what one system call gives."""
        if not self.buffer:
            yield from self._fill(vm)
        return self._taken(vm, size)

    def m_readline(self, vm: Vm, size: Any = -1) -> Gen:
        """readline."""
        self._open()
        if not self.can_read:
            raise error_unsupported("not readable")
        ends = _LINE if self.binary or self.newline == "\n" else _UNIVERSAL
        found = ends.search(self.buffer)
        while (found is None or found.end() == len(self.buffer) != found.start() + 2) and len(
            self.buffer
        ) < _MOST:
            if found is not None and found[0] == b"\n":
                break
            if not (yield from self._fill(vm)):
                break
            found = ends.search(self.buffer)
        end = len(self.buffer) if found is None else found.end()
        if size is not None and 0 <= size < end:
            end = size
        vm.steps += 2
        return self._taken(vm, end)

    def m_readlines(self, vm: Vm, hint: int = -1) -> Gen:
        """readlines."""
        found = []
        while line := (yield from self.m_readline(vm)):
            found.append(line)
            vm.grown += 64
        return found

    def iterate(self, vm: Vm) -> Gen:
        """The lines."""
        while line := (yield from self.m_readline(vm)):
            yield Yielded(line)

    def m___next__(self, vm: Vm) -> Gen:
        """The next line."""
        line = yield from self.m_readline(vm)
        if not line:
            raise error("StopIteration")
        return line

    # the rest
    def m_close(self, vm: Vm) -> Gen:
        """close."""
        if not self.closed:
            yield from self.m_flush(vm)
            self.closed = True
            if self.fd in vm.p.fds:
                vm.p.close(self.fd)

    def m___enter__(self, vm: Vm) -> TextFile:
        """with."""
        self._open()
        return self

    def m___exit__(self, vm: Vm, *problem: Any) -> Gen:
        """End of with."""
        yield from self.m_close(vm)

    def m_fileno(self, vm: Vm) -> int:
        """fileno."""
        return self.fd

    def m_isatty(self, vm: Vm) -> bool:
        """isatty."""
        return vm.p.is_tty(self.fd)

    def m_readable(self, vm: Vm) -> bool:
        """readable."""
        return self.can_read

    def m_writable(self, vm: Vm) -> bool:
        """writable."""
        return self.can_write

    def m_seekable(self, vm: Vm) -> bool:
        """seekable."""
        return vm.p.fstat(self.fd).is_file

    def m_seek(self, vm: Vm, offset: int, whence: int = 0) -> Gen:
        """seek."""
        yield from self.m_flush(vm)
        if whence == 1:
            offset -= len(self.buffer)
        self.buffer.clear()
        self.ended = False
        return vm.p.seek(self.fd, offset, whence)

    def m_tell(self, vm: Vm) -> Gen:
        """tell."""
        yield from self.m_flush(vm)
        return vm.p.seek(self.fd, 0, 1) - len(self.buffer)

    def m_truncate(self, vm: Vm, size: Any = None) -> Gen:
        """truncate."""
        yield from self.m_flush(vm)
        length = (yield from self.m_tell(vm)) if size is None else size
        vm.p.fs.truncate(str(self.name), length)
        return length

    def m_reconfigure(self, vm: Vm, **given: Any) -> None:
        """reconfigure."""
        self.by_line = bool(given.get("line_buffering", self.by_line))


def error_unsupported(words: str) -> Exception:
    """io.UnsupportedOperation."""
    from urltrap.machine.programs.python._objects import EXCEPTIONS, Class, Instance, PyError

    cls = Class("UnsupportedOperation", (EXCEPTIONS["OSError"], EXCEPTIONS["ValueError"]), module="io")
    return PyError(Instance(cls, {"args": (words,)}))


def _encoded(text: str, encoding: str, errors: str) -> bytes:
    return text.encode(encoding, errors)


def open_file(
    vm: Vm,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: Any = None,
    errors: Any = None,
    newline: Any = None,
    closefd: bool = True,
    opener: Any = None,
) -> TextFile:
    """open()."""
    if hasattr(file, "text"):
        file = file.text()
    kinds = [each for each in mode if each in "rwxa"]
    if set(mode) - set("rwxabt+") or len(set(mode)) != len(mode):
        raise error("ValueError", f"invalid mode: '{mode}'")
    if "b" in mode and "t" in mode:
        raise error("ValueError", "can't have text and binary mode at once")
    if not kinds:
        raise error(
            "ValueError", "Must have exactly one of create/read/write/append mode and at most one plus"
        )
    if len(kinds) != 1:
        raise error("ValueError", "must have exactly one of create/read/write/append mode")
    if "b" in mode and encoding is not None:
        raise error("ValueError", "binary mode doesn't take an encoding argument")
    if encoding:
        check_codec(encoding)
    if isinstance(file, int):
        fd = file
    elif isinstance(file, (str, bytes)):
        path = decode(file) if isinstance(file, bytes) else file
        if "\0" in path:
            raise error("ValueError", "embedded null byte")
        flags = {"r": O_RDONLY, "w": O_WRONLY | O_CREAT | O_TRUNC, "a": O_WRONLY | O_CREAT | O_APPEND}.get(
            kinds[0], O_WRONLY | O_CREAT | O_EXCL
        )
        if "+" in mode:
            flags = (flags & ~O_WRONLY) | O_RDWR
        try:
            fd = vm.p.open(path, flags)
            if vm.p.fstat(fd).is_dir:
                vm.p.close(fd)
                raise SysError(errno.EISDIR, path)
        except SysError as problem:
            raise os_error(problem.errno, problem.words, file) from None
    else:
        raise error("TypeError", f"expected str, bytes or os.PathLike object, not {class_of(file).name}")
    made = TextFile(fd, file, mode, encoding=encoding or "UTF-8", errors=errors or "strict", newline=newline)
    made.at_once = buffering == 0
    made.by_line = buffering == 1 or vm.p.is_tty(fd)
    vm.files.append(made)
    if vm.frame.node is not None:
        vm.temporary.append(made)
    return made


class Memory(Thing):
    """io.StringIO and io.BytesIO."""

    module = "_io"

    def __init__(self, made: io.StringIO | io.BytesIO) -> None:
        self.host: Any = made
        self.type_name = type(made).__name__

    def attribute(self, name: str) -> Any:
        """The methods of the host's, which hold nothing else."""
        if name == "closed":
            return self.host.closed
        if name in (
            "read",
            "readline",
            "readlines",
            "getvalue",
            "seek",
            "tell",
            "truncate",
            "close",
            "flush",
            "getbuffer",
        ):
            return Builtin(name, lambda vm, *args: getattr(self.host, name)(*args))
        return super().attribute(name)

    def m_write(self, vm: Vm, data: Any) -> int:
        """write."""
        vm.grow(len(self.host.getvalue()) + len(data) >> 4)
        return int(self.host.write(data))

    def put(self, vm: Vm, text: str) -> Gen:
        """What print does."""
        self.host.write(text)
        yield from ()

    def m___enter__(self, vm: Vm) -> Memory:
        """with."""
        return self

    def m___exit__(self, vm: Vm, *problem: Any) -> None:
        """End of with."""

    def iterate(self, vm: Vm) -> Gen:
        """The lines."""
        for line in self.host:
            yield Yielded(line)


def memory(vm: Vm, kind: Any, *start: Any) -> Memory:
    """io.StringIO or io.BytesIO."""
    return Memory(native(vm, kind, *start))


STRING_IO, BYTES_IO = io.StringIO, io.BytesIO
