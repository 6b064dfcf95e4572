"""The old scp protocol (``scp -t`` and ``scp -f`` on the server), as values.

Source: OpenSSH scp.c (sink, source); every record is answered with a zero byte, 1 a warning, 2 the end.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from urltrap.wire.sftp.files import Attributes, Files, OpenFile, TransferError

MAX_LINE = 4096
_RECORD = re.compile(rb"([CD])([0-7]{4}) (\d{1,19}) (.+)", re.DOTALL)
_DIRECTORY = 0o040000
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class ScpCommand:
    """A server-side scp command line."""

    sink: bool
    recursive: bool
    directory: bool
    paths: tuple[bytes, ...]


def parse_scp(command: bytes) -> ScpCommand | None:
    """The scp server that a command line starts; None where it is something else or needs a shell."""
    text = command.decode("latin-1")
    if not re.match(r"\s*(/[\w./]*/)?scp\s", text) or re.search(r"[;&|<>`$()*?\[\]{}#\n]", text):
        return None
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    flags, paths, only_paths = "", [], False
    for word in words[1:]:
        if only_paths or not word.startswith("-") or word == "-":
            paths.append(word.encode("latin-1"))
        elif word == "--":
            only_paths = True
        else:
            flags += word[1:]
    if ("t" in flags) == ("f" in flags) or not paths:
        return None
    return ScpCommand("t" in flags, "r" in flags, "d" in flags, tuple(paths))


@dataclass(slots=True)
class ScpSink:
    """Takes files. `take` is what to send; `status` is None until it has ended."""

    files: Files
    target: bytes
    must_be_directory: bool = False
    status: int | None = None
    _out: bytearray = field(default_factory=bytearray)
    _buffer: bytearray = field(default_factory=bytearray)
    _file: OpenFile | None = None
    _left: int = 0
    _offset: int = 0
    _ending: bool = False
    _failed: bytes = b""
    _path: list[bytes] = field(default_factory=list)
    _errors: int = 0
    _first: bool = True

    def __post_init__(self) -> None:
        if self.must_be_directory and not self._is_directory(self.target):
            self._out += b"\x01scp: " + self.target + b": Not a directory\n"
            self.status = 1
            return
        self._out += b"\0"

    def take(self) -> bytes:
        """Bytes for the client, once."""
        out, self._out = bytes(self._out), bytearray()
        return out

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        self._buffer += data
        while self._buffer and self.status is None:
            if self._left:
                self._content()
            elif self._ending:
                self._end_of_file()
            elif not self._record():
                return

    def end(self) -> None:
        """The client sends no more."""
        if self._file is not None:
            self._file.close(complete=False)
            self._file = None
        if self.status is None:
            self.status = 1 if self._errors or self._left or self._ending else 0

    def _content(self) -> None:
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        if self._file is not None:
            try:
                self._file.write(self._offset, piece)
            except TransferError as error:
                self._failed = error.words.encode("utf-8", "replace")
                self._close(False)
        self._offset += len(piece)
        self._left -= len(piece)
        self._ending = self._left == 0

    def _end_of_file(self) -> None:
        mark = self._buffer[0]
        del self._buffer[:1]
        self._ending = False
        self._close(mark == 0)
        if self._failed:
            self._complain(b"scp: " + self._failed)
            self._failed = b""
        else:
            self._out += b"\0"

    def _close(self, complete: bool) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close(complete=complete)
            except TransferError as error:
                self._failed = self._failed or error.words.encode("utf-8", "replace")

    def _record(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE:
                self._fatal(b"scp: protocol error: line too long")
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if line[:1] in (b"\x01", b"\x02"):
            self._errors += 1
            if line[:1] == b"\x02":
                self.status = 1
        elif line[:1] == b"T":
            self._out += b"\0"
        elif line == b"E":
            if not self._path:
                self._fatal(b"scp: protocol error: unexpected E")
                return False
            self._path.pop()
            self._out += b"\0"
        else:
            self._entry(line)
        return True

    def _entry(self, line: bytes) -> None:
        match = _RECORD.fullmatch(line)
        first, self._first = self._first, False
        if match is None:
            # What comes first may be the other side's complaint: scp passes it on.
            other = first and line[:1] not in (b"C", b"D")
            self._fatal(b"scp: " + (line[:MAX_LINE] if other else b"protocol error: expected control record"))
            return
        kind, mode, size, name = match[1], int(match[2], 8), int(match[3]), match[4]
        if b"/" in name or name in (b".", b".."):
            self._fatal(b"scp: error: unexpected filename: " + name[:255])
            return
        base = b"/".join([self.target, *self._path])
        path = base.rstrip(b"/") + b"/" + name if self._path or self._is_directory(base) else base
        if kind == b"D":
            self._directory(path, mode, name)
            return
        try:
            self._file = self.files.open(
                path,
                read=False,
                write=True,
                create=True,
                truncate=True,
                exclusive=False,
                append=False,
                mode=mode,
            )
        except TransferError as error:
            self._complain(b"scp: " + path + b": " + error.words.encode("utf-8", "replace"))
            return
        self._left, self._offset, self._ending = size, 0, size == 0
        self._out += b"\0"

    def _directory(self, path: bytes, mode: int, name: bytes) -> None:
        if len(self._path) >= 64:
            self._fatal(b"scp: too many directories")
            return
        if not self._is_directory(path):
            try:
                self.files.mkdir(path, mode)
            except TransferError as error:
                self._complain(b"scp: " + path + b": " + error.words.encode("utf-8", "replace"))
                return
        if not self._path and path == self.target:
            self._path.append(b".")  # the target itself was made
        else:
            self._path.append(name)
        self._out += b"\0"

    def _is_directory(self, path: bytes) -> bool:
        try:
            found: Attributes = self.files.attributes(path, follow=True)
        except TransferError:
            return False
        return (found.mode or 0) & 0o170000 == _DIRECTORY

    def _complain(self, text: bytes) -> None:
        self._errors += 1
        self._out += b"\x01" + text + b"\n"

    def _fatal(self, text: bytes) -> None:
        self._complain(text)
        self.status = 1


@dataclass(slots=True)
class ScpSource:
    """Gives files. `take` is what to send; it may be long, so it comes in pieces; `status` is None until the end."""

    files: Files
    command: ScpCommand
    status: int | None = None
    _out: bytearray = field(default_factory=bytearray)
    _todo: list[tuple[str, bytes]] = field(default_factory=list)
    _file: OpenFile | None = None
    _offset: int = 0
    _left: int = 0
    _errors: int = 0
    _acks: int = 0

    def __post_init__(self) -> None:
        self._todo = [("path", path) for path in reversed(self.command.paths)]

    def receive(self, data: bytes) -> None:
        """Answers of the client: zero bytes, or an error with its line."""
        for byte in data:
            if byte == 0:
                self._acks += 1
            elif byte in (1, 2):
                self._errors += 1
                if byte == 2:
                    self.status = 1
        self._go_on()

    def end(self) -> None:
        """The client sends no more."""
        if self._file is not None:
            self._file.close(complete=False)
            self._file = None
        if self.status is None:
            self.status = 1

    def take(self) -> bytes:
        """Bytes for the client, once; call again while something comes."""
        if not self._out and self._file is not None and self._left:
            self._read()
        out, self._out = bytes(self._out), bytearray()
        return out

    def _go_on(self) -> None:
        while self._acks and self.status is None and not self._left:
            self._acks -= 1
            if self._file is not None:
                self._send_content()
            elif self._todo:
                self._next()
            else:
                self.status = 1 if self._errors else 0

    def _next(self) -> None:
        kind, path = self._todo.pop()
        if kind == "end":
            self._out += b"E\n"
            return
        try:
            found = self.files.attributes(path, follow=True)
            mode, name = found.mode or 0, path.rstrip(b"/").rsplit(b"/", 1)[-1] or b"."
            if mode & 0o170000 == _DIRECTORY:
                if not self.command.recursive:
                    raise TransferError(4, "not a regular file")
                names = self.files.names(path)[:10_000]
                self._todo.append(("end", b""))
                self._todo += [("path", path.rstrip(b"/") + b"/" + each) for each in reversed(names)]
                self._out += b"D%04o 0 %s\n" % (mode & 0o7777, name)
                return
            self._file = self.files.open(
                path,
                read=True,
                write=False,
                create=False,
                truncate=False,
                exclusive=False,
                append=False,
                mode=0,
            )
            self._offset, self._size = 0, found.size or 0
            self._out += b"C%04o %d %s\n" % (mode & 0o7777, self._size, name)
        except TransferError as error:
            self._errors += 1
            self._out += b"\x01scp: " + path + b": " + error.words.encode("utf-8", "replace") + b"\n"
            self._acks += 1  # a warning is not acknowledged
            if not self._todo:
                self.status = 1

    _size: int = 0

    def _send_content(self) -> None:
        self._left = self._size
        if not self._left:
            self._finish_file()

    def _read(self) -> None:
        assert self._file is not None
        try:
            data = self._file.read(self._offset, min(self._left, _CHUNK))
        except TransferError:
            data = b""
        data = data or bytes(min(self._left, _CHUNK))  # it shrank meanwhile: scp fills up
        self._offset += len(data)
        self._left -= len(data)
        self._out += data
        if not self._left:
            self._finish_file()

    def _finish_file(self) -> None:
        if self._file is not None:
            self._file.close(complete=True)
            self._file = None
        self._out += b"\0"
