"""Files, pipes and programs that an awk program reads and writes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import O_APPEND, O_CREAT, O_TRUNC, O_WRONLY
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._lines import Source
from urltrap.machine.programs.awk._memory import AwkFatal, Memory
from urltrap.machine.programs.awk._parser import Program
from urltrap.machine.programs.awk._tokens import unescape
from urltrap.machine.programs.awk._values import Field, from_bytes, native, number, to_bytes


class InputMissing(Exception):
    """An operand cannot be read: the program ends."""


class Streams(Memory):
    """Inputs and outputs of one run."""

    def __init__(self, c: Cmd, program: Program) -> None:
        super().__init__(c, program)
        self.source: Source | None = None
        self.argument = 0
        self.used_file = False
        self.outputs: dict[str, tuple[int, int]] = {}
        self.inputs: dict[str, tuple[Source, int]] = {}
        self.buffers: dict[int, bytearray] = {}
        self.status = 0

    def flush(self) -> Gen:
        """Write all that is buffered."""
        yield from self.c.flush()
        for fd, data in self.buffers.items():
            if data:
                piece = bytes(data)
                data.clear()
                yield from self.p.write(fd, piece)

    def close(self, name: str) -> Generator[Any, Any, float]:
        """close(name)."""
        result = -1.0
        if name in self.outputs:
            fd, pid = self.outputs.pop(name)
            data = bytes(self.buffers.pop(fd, b""))
            yield from self.p.write(fd, data)
            self.p.close(fd)
            result = 0.0
            if pid:
                ended = yield from self.p.wait(pid)
                result = float(ended[1] if ended is not None else 0)
        if name in self.inputs:
            source, pid = self.inputs.pop(name)
            self.p.close(source.fd)
            result = 0.0
            if pid:
                ended = yield from self.p.wait(pid)
                result = float(ended[1] if ended is not None else 0)
        return result

    def close_all(self) -> Gen:
        """At the end: other programs have written all of theirs before what is still held for standard output."""
        if self.p.is_tty(1):
            yield from self.flush()
        for name in [*self.outputs, *self.inputs]:
            yield from self.close(name)
        yield from self.flush()

    def output(self, kind: str, name: str) -> Generator[Any, Any, int]:
        """The descriptor of a redirection."""
        if name in self.outputs:
            return self.outputs[name][0]
        if kind != "|" and name in ("/dev/stdout", "-", "/dev/stderr"):
            return 2 if name == "/dev/stderr" else 1
        pid = 0
        if kind == "|":
            yield from self.flush()
            reader, fd = self.p.pipe()
            pid = self.p.spawn(["sh", "-c", native(name)], path="/bin/sh", fds={0: reader, 1: 1, 2: 2})
            self.p.close(reader)
        else:
            try:
                fd = self.p.open(native(name), O_WRONLY | O_CREAT | (O_APPEND if kind == ">>" else O_TRUNC))
            except SysError as problem:
                words = f'cannot open "{name}" for output ({problem.words})'
                raise AwkFatal(words, f"can't open '{name}': {problem.words}", bare=True) from None
        self.outputs[name] = (fd, pid)
        return fd

    def print(self, text: str, kind: str, name: str) -> Gen:
        """Print to a redirection: ">", ">>" or "|", and where to."""
        data = to_bytes(text)
        fd = yield from self.output(kind, name)
        if fd == 1:
            yield from self.c.put(data)
        elif fd == 2:
            yield from self.flush()
            yield from self.p.write(2, data)
        else:
            buffer = self.buffers.setdefault(fd, bytearray())
            buffer += data
            if len(buffer) > 32_768:
                piece = bytes(buffer)
                buffer.clear()
                yield from self.p.write(fd, piece)

    def read_record(self, source: Source) -> Generator[Any, Any, str | None]:
        """The next record of a source by RS."""
        separator = self.setting("RS")
        if separator == "\n":
            line = yield from source.line()
            return from_bytes(line.removesuffix(b"\n")) if line else None
        if separator == "":
            lines: list[bytes] = []
            while True:
                line = yield from source.line()
                if not line:
                    break
                if line == b"\n":
                    if lines:
                        break
                    continue
                lines.append(line)
            return from_bytes(b"".join(lines).removesuffix(b"\n")) if lines else None
        if len(separator) == 1 and ord(separator) < 128:
            line = yield from source.line(separator.encode())
            if not line:
                return None
            text = from_bytes(line)
            return text.removesuffix(separator)
        rest = bytearray()
        while len(rest) < 4_000_000:
            piece = yield from source.chunk()
            if not piece:
                break
            rest += piece
        if not rest:
            return None
        text = from_bytes(bytes(rest))
        found = self.regex(separator).search(text)
        if found is None or found.end == found.start:
            return text.removesuffix("\n")
        source.buffer, source.pos = to_bytes(text[found.end :]), 0
        return text[: found.start]

    def next_record(self) -> Generator[Any, Any, str | None]:
        """The next record of the operands."""
        while True:
            if self.source is None and not (yield from self._open_next()):
                return None
            assert self.source is not None  # opened just now
            record = yield from self.read_record(self.source)
            if record is not None:
                self.globals["NR"] = number(self.globals["NR"]) + 1
                self.globals["FNR"] = number(self.globals["FNR"]) + 1
                return record
            self.source.close()
            self.source = None

    def _open_next(self) -> Generator[Any, Any, bool]:
        arguments = self.array("ARGV")
        while self.argument + 1 < number(self.globals["ARGC"]):
            self.argument += 1
            word = self.text(arguments.get(str(self.argument)))
            if not word:
                continue
            name, equals, value = word.partition("=")
            if equals and name.isidentifier() and name.isascii():
                self.set(name, Field(unescape(value, self.busybox)))
                continue
            self.used_file = True
            try:
                self.source = Source(self.c, native(word))
            except SysError as problem:
                yield from self.flush()
                words = (
                    f"{word}: {problem.words}" if self.busybox else f"cannot open {word} ({problem.words})"
                )
                yield from self.p.err(f"{self.c.name}: {native(words)}\n")
                self.status = 1 if self.busybox else 2
                raise InputMissing from None
            self.globals["FILENAME"] = word
            self.globals["FNR"] = 0.0
            return True
        if not self.used_file:
            self.used_file = True
            self.source = Source(self.c, "-")
            return True
        return False

    def _open_input(self, kind: str, name: str) -> Generator[Any, Any, tuple[Source, int]]:
        if kind == "file":
            return Source(self.c, native(name)), 0
        yield from self.flush()
        reader, writer = self.p.pipe()
        pid = self.p.spawn(["sh", "-c", native(name)], path="/bin/sh", fds={0: 0, 1: writer, 2: 2})
        self.p.close(writer)
        source = Source(self.c, "-")
        source.fd = reader
        return source, pid
