"""What sed reads and writes: lines of its files one ahead, output or the file edited in place, files of r, R and w."""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._lines import Source


class Quit(Exception):
    """The script ends here."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class Streams:
    """Input and output of one run."""

    def __init__(self, c: Cmd) -> None:
        self.c = c
        self.in_place = c.has("i")
        self.separate = self.in_place or c.has("s")
        self.end = "\0" if c.has("z") else "\n"
        self.files = c.args or ["-"]
        self.at = 0
        self.path = "-"
        self.source: Source | None = None
        self.next_line: bytes | None = None
        self.number = 0
        self.space = ""
        self.ended = True
        """Whether the line had a newline."""
        self.queue: list[tuple[str, str]] = []
        self.out = bytearray()
        self.writers: dict[str, bytearray] = {}
        self.readers: dict[str, list[bytes]] = {}

    def pull(self) -> Generator[Any, Any, bytes]:
        """The next line of the current group of files; b"" at the end."""
        while True:
            if self.source is None:
                if self.at >= len(self.files):
                    return b""
                path = self.files[self.at]
                self.at += 1
                try:
                    self.source = Source(self.c, path)
                except SysError as problem:
                    yield from self._unreadable(path, problem)
                    continue
                self.path = path
            line = yield from self.source.line(self.end.encode())
            if line:
                return line
            self.source.close()
            self.source = None
            if self.separate:
                return b""

    def _unreadable(self, path: str, problem: SysError) -> Gen:
        """Tell of a file; one that is a directory ends it all, unless it is only not to be edited."""
        if self.c.bb:
            yield from self.c.fail(f"{path}: {problem.words}", 1)
        elif problem.errno != errno.EISDIR:
            yield from self.c.fail(f"can't read {path}: {problem.words}", 2)
        elif self.in_place:
            yield from self.c.fail(f"couldn't edit {path}: not a regular file", 4)
        else:
            yield from self.c.fail(f"read error on {path}: {problem.words}", 4)
            raise Quit(4)

    def advance(self) -> Generator[Any, Any, bool]:
        """Read the next line into the pattern space; False at the end."""
        line = self.next_line if self.next_line is not None else (yield from self.pull())
        self.next_line = None
        if not line:
            return False
        self.number += 1
        self.ended = line.endswith(self.end.encode())
        self.space = decode(line[:-1] if self.ended else line)
        return True

    def is_last(self) -> Generator[Any, Any, bool]:
        """Whether no line follows."""
        if self.next_line is None:
            self.next_line = yield from self.pull()
        return not self.next_line

    def emit(self, text: str, newline: bool = True) -> Gen:
        """To the output, or to the file that is edited in place."""
        data = encode(text) + (self.end.encode() if newline else b"")
        if self.in_place:
            self.out += data
        else:
            yield from self.c.put(data)

    def flush_queue(self) -> Gen:
        """What a, r and R put behind the line."""
        for kind, text in self.queue:
            if kind == "text":
                yield from self.emit(text, newline=False)
            elif kind == "R":
                lines = self.readers.get(text)
                if lines is None:
                    try:
                        lines = self.c.p.fs.read(text).splitlines(keepends=True)
                    except SysError:
                        lines = []
                    self.readers[text] = lines
                if lines:
                    yield from self.emit(decode(lines.pop(0)).removesuffix("\n"))
            else:
                try:
                    data = (yield from self.c.load("-")) if text == "/dev/stdin" else self.c.p.fs.read(text)
                except SysError:
                    continue  # a file that is not there is an empty one
                if self.in_place:
                    self.out += data
                else:
                    yield from self.c.put(data)
        self.queue.clear()

    def write_to(self, path: str, text: str) -> Gen:
        """A line to a w file."""
        if path == "/dev/stdout":
            yield from self.emit(text)
        elif path == "/dev/stderr":
            yield from self.c.p.err(text + "\n")
        else:
            self.writers.setdefault(path, bytearray()).extend(encode(text) + b"\n")

    def finish_file(self) -> Gen:
        """Write an edited file back."""
        if self.path == "-":
            return
        c, path = self.c, self.path
        suffix = c.value("i") or ""
        try:
            stat = c.p.fs.stat(path)
            if suffix:
                backup = suffix.replace("*", path.rpartition("/")[2]) if "*" in suffix else path + suffix
                c.p.fs.put(backup, c.p.fs.content(path), mode=stat.mode & 0o7777)
            c.p.fs.write(path, bytes(self.out), mode=stat.mode & 0o7777)
        except SysError as problem:
            yield from c.fail(f"couldn't open file {path}: {problem.words}", 4)
        self.out.clear()
        self.path = "-"

    def finish_writers(self) -> Gen:
        """Write the files of w."""
        for path, data in self.writers.items():
            try:
                self.c.p.fs.write(path, bytes(data), mode=0o666 & ~self.c.p.umask)
            except SysError as problem:
                yield from self.c.fail(f"couldn't open file {path}: {problem.words}", 4)

    def run_command(self, line: str) -> Generator[Any, Any, str]:
        """What a command of the e command or flag prints."""
        p = self.c.p
        yield from self.c.flush()
        reader, writer = p.pipe()
        pid = p.spawn(["sh", "-c", line], path="/bin/sh", fds={0: 0, 1: writer, 2: 2})
        p.close(writer)
        data = yield from p.read_all(reader, 1_000_000)
        p.close(reader)
        yield from p.wait(pid)
        return decode(data)
