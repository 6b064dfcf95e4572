"""dd and split."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import APPLETS, Cmd, command, guard
from urltrap.machine.programs._words import words
from urltrap.machine.programs.head import size_of
from urltrap.machine.programs.registry import program

_OPERANDS = words("if of bs ibs obs cbs count skip seek iseek oseek conv iflag oflag status")
_CONV = frozenset(
    words(
        "ascii ebcdic ibm block unblock lcase ucase sparse swab sync excl nocreat notrunc noerror fdatasync fsync"
    )
)


def _number(text: str) -> int | None:
    total = 1
    for part in text.split("x"):
        value = size_of(part) if part != "" else None
        if value is None:
            match = re.fullmatch(r"(\d{1,15})([cw])", part)
            if match is None:
                return None
            value = int(match[1]) * (2 if match[2] == "w" else 1)
        total *= value
    return total


def _register() -> None:
    for flavour in (False, True):

        def dd(p: Process, flavour: bool = flavour) -> Run:
            return (yield from guard(Cmd(p, [], list(p.argv[1:]), flavour), _dd))

        if flavour:
            APPLETS["dd"] = dd
        else:
            program("dd")(dd)


def _dd(c: Cmd) -> Run:
    p = c.p
    given: dict[str, str] = {}
    for word in c.args:
        name, equals, value = word.partition("=")
        if word == "--version":
            yield from p.out("dd (coreutils) 9.1\n")
            return 0
        if word == "--help":
            yield from p.out(f"Usage: {c.name} [OPERAND]...\n  or:  {c.name} OPTION\n")
            return 0
        if not equals or name not in _OPERANDS:
            if c.bb:
                return (yield from c.usage())
            return (yield from c.usage(f"unrecognized operand {c.lq(word)}"))
        if name == "status" and value not in ("none", "noxfer", "progress"):
            return (yield from c.usage(f"invalid status level: {c.lq(value)}"))
        given[name] = value
    sizes: dict[str, int] = {}
    for name in ("bs", "ibs", "obs", "cbs", "count", "skip", "seek", "iseek", "oseek"):
        if name in given:
            value_of = _number(
                given[name].removesuffix("B") if name in ("count", "skip", "seek") else given[name]
            )
            if value_of is None or (name in ("bs", "ibs", "obs") and not value_of):
                yield from p.err(
                    f"{c.name}: invalid number: {c.lq(given[name])}\n"
                    if value_of is None or not c.bb
                    else f"{c.name}: invalid number '{given[name]}'\n"
                )
                return 1
            sizes[name] = value_of
    conv = set(given["conv"].split(",")) if "conv" in given else set()
    if wrong := sorted(conv - _CONV):
        return (yield from c.usage(f"invalid conversion: {c.lq(wrong[0])}"))
    block_in = sizes.get("bs", sizes.get("ibs", 512))
    block_out = sizes.get("bs", sizes.get("obs", 512))
    if max(block_in, block_out) > 1 << 31:
        yield from p.err(f"{c.name}: memory exhausted by input buffer of size {block_in} bytes\n")
        return 1
    source, target = 0, 1
    try:
        if "if" in given:
            source = p.open(given["if"])
    except SysError as problem:
        yield from p.err(
            f"{c.name}: "
            + (f"can't open '{given['if']}'" if c.bb else f"failed to open {c.quoted(given['if'])}")
            + f": {problem.words}\n"
        )
        return 1
    seek = sizes.get("seek", sizes.get("oseek", 0)) * block_out
    try:
        if "of" in given:
            flags = O_WRONLY | (0 if "nocreat" in conv else O_CREAT)
            if "append" in given.get("oflag", ""):
                flags |= O_APPEND
            elif "notrunc" not in conv and not seek:
                flags |= O_TRUNC
            target = p.open(given["of"], flags)
            if seek:
                if "notrunc" not in conv and p.fstat(target).is_file:
                    p.fs.truncate(given["of"], seek)
                p.seek(target, seek)
    except SysError as problem:
        yield from p.err(
            f"{c.name}: "
            + (f"can't open '{given['of']}'" if c.bb else f"failed to open {c.quoted(given['of'])}")
            + f": {problem.words}\n"
        )
        return 1
    return (yield from _copy(c, given, sizes, conv, source, target, block_in, block_out))


def _copy(
    c: Cmd,
    given: dict[str, str],
    sizes: dict[str, int],
    conv: set[str],
    source: int,
    target: int,
    block_in: int,
    block_out: int,
) -> Generator[Any, Any, int]:
    p = c.p
    whole_in = part_in = whole_out = part_out = total = 0
    began = p.now()
    status = 0
    count = sizes.get("count")
    full = "fullblock" in given.get("iflag", "")
    flags = given.get("iflag", "").split(",")
    skipped = sizes.get("skip", sizes.get("iseek", 0))
    in_bytes = "skip_bytes" in flags or given.get("skip", "").endswith("B")
    yield from _skip(p, source, skipped if in_bytes else skipped * block_in)
    left = (
        count
        if count is not None and ("count_bytes" in flags or given.get("count", "").endswith("B"))
        else None
    )
    pending = bytearray()
    records = _Records(sizes.get("cbs", 0), "block" in conv) if conv & {"block", "unblock"} else None
    devices = given.get("if") in ("/dev/zero", "/dev/urandom", "/dev/random")
    try:
        while left != 0 if left is not None else count is None or whole_in + part_in < count:
            data = yield from _read(p, source, min(block_in, left or block_in), full or devices)
            if not data:
                break
            left = left - len(data) if left is not None else None
            if len(data) == block_in:
                whole_in += 1
            else:
                part_in += 1
                if "sync" in conv:
                    data = data.ljust(block_in, b"\0")
            if "ucase" in conv:
                data = data.upper()
            if "lcase" in conv:
                data = data.lower()
            if "swab" in conv:
                swapped = bytearray(data)
                swapped[0 : len(data) // 2 * 2 : 2], swapped[1 : len(data) // 2 * 2 : 2] = (
                    data[1::2],
                    data[0 : len(data) // 2 * 2 : 2],
                )
                data = bytes(swapped)
            if records is not None:
                data = records.take(data)
            if "bs" in given and records is None:
                yield from p.write(target, data)
                whole_out += len(data) == block_out
                part_out += len(data) != block_out
                total += len(data)
                continue
            pending += data
            while len(pending) >= block_out:
                yield from p.write(target, bytes(pending[:block_out]))
                del pending[:block_out]
                whole_out += 1
                total += block_out
            yield from p.tick()
        if records is not None:
            pending += records.rest()
        if pending:
            yield from p.write(target, bytes(pending))
            part_out += 1
            total += len(pending)
    except SysError as problem:
        what = (
            "writing to"
            if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            else "reading"
            if problem.errno == errno.EISDIR
            else "writing"
        )
        name = given.get(
            "of" if what.startswith("writ") else "if",
            "standard output" if what.startswith("writ") else "standard input",
        )
        yield from p.err(
            f"{c.name}: error {what if what != 'writing to' else 'writing'} {c.quoted(name)}: {problem.words}\n"
        )
        status = 1
    if total > 8_000_000:
        yield from p.sleep(min(total / 900e6, 3.0))  # a disk's pace, so that large copies take time
    if given.get("status") != "none":
        yield from p.err(f"{whole_in}+{part_in} records in\n{whole_out}+{part_out} records out\n")
        if not c.bb and given.get("status") != "noxfer":
            yield from p.err(_summary(p, total, p.now() - began))
    for fd in {source, target} - {0, 1}:
        p.close(fd)
    return status


class _Records:
    """conv=block: lines padded with blanks to `size` bytes; conv=unblock: the way back."""

    def __init__(self, size: int, blocking: bool) -> None:
        self.size = max(1, size)
        self.blocking = blocking
        self.held = b""

    def take(self, data: bytes) -> bytes:
        """What `data` completes."""
        data = self.held + data
        if self.blocking:
            *lines, self.held = data.split(b"\n")
            return b"".join(line[: self.size].ljust(self.size) for line in lines)
        whole = len(data) // self.size * self.size
        self.held = data[whole:]
        return b"".join(data[at : at + self.size].rstrip(b" ") + b"\n" for at in range(0, whole, self.size))

    def rest(self) -> bytes:
        """What is left at the end."""
        if not self.held:
            return b""
        return self.held[: self.size].ljust(self.size) if self.blocking else self.held.rstrip(b" ") + b"\n"


def _read(p: Process, fd: int, size: int, full: bool) -> Generator[Any, Any, bytes]:
    data = bytearray((yield from p.read(fd, min(size, 16_000_000))))
    regular = full or p.fstat(fd).is_file
    while data and len(data) < size and regular:
        more = yield from p.read(fd, min(size - len(data), 16_000_000))
        if not more:
            break
        data += more
    return bytes(data)


def _skip(p: Process, fd: int, size: int) -> Generator[Any, Any, None]:
    if not size:
        return
    try:
        p.seek(fd, size, 1)
    except SysError:
        left = size
        while left > 0:
            piece = yield from p.read(fd, min(left, 65_536))
            if not piece:
                return
            left -= len(piece)


def _scaled(value: float, base: int, units: str) -> str:
    step = 0
    while value >= base and step < len(units) - 1:
        value /= base
        step += 1
    shown = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    unit = units[step] if step else ""
    return f"{shown} {unit}{'i' if base == 1024 and step else ''}B"


def _summary(p: Process, total: int, seconds: float) -> str:
    if seconds <= 0:
        seconds = total / 1.2e9 + (21 + p.random(40)) * 1e-6
    sizes = ""
    if total >= 1000:
        sizes = f" ({_scaled(total, 1000, ' kMGTP')}" + (
            f", {_scaled(total, 1024, ' KMGTP')})" if total >= 1024 else ")"
        )
    noun = "byte" if total == 1 else "bytes"
    speed = _scaled(total / seconds, 1000, " kMGTP")
    shown = f"{seconds:.6g}" if seconds >= 1e-4 else f"{seconds:.4e}".replace("e-0", "e-0")
    return f"{total} {noun}{sizes} copied, {shown} s, {speed if total else '0.0 kB'}/s\n"


_register()


@command(
    "split",
    short="a:b:C:del:n:t:u",
    long={
        "suffix-length:": "a",
        "bytes:": "b",
        "line-bytes:": "C",
        "numeric-suffixes::": "d",
        "lines:": "l",
        "number:": "n",
        "additional-suffix:": "as",
        "verbose": "verbose",
    },
)
def split(c: Cmd) -> Run:
    """Cut a file into pieces."""
    path = c.args[0] if c.args else "-"
    prefix = c.args[1] if len(c.args) > 1 else "x"
    width = int(c.value("a") or 2) if (c.value("a") or "2").isdecimal() else 2
    size = size_of(c.value("b") or "") if c.has("b") else None
    count = int(c.value("l") or 1000) if (c.value("l") or "1000").isdecimal() else 0
    if (c.has("b") and not size) or not count or (c.has("n") and not (c.value("n") or "").isdecimal()):
        text = c.value("b") or c.value("l") or c.value("n") or ""
        what = "bytes" if c.has("b") else "lines" if c.has("l") else "chunks"
        why = ": Numerical result out of range" if text == "0" else ""
        yield from c.warn(f"invalid number of {what}: {c.lq(text)}{why}")
        return 1
    try:
        data = yield from c.load(path)
    except SysError as problem:
        yield from c.warn(f"cannot open {c.quoted(path)} for reading: {problem.words}")
        return 1
    if c.has("n"):
        size = max(1, -(-len(data) // max(1, int((c.value("n") or "1")[:6]))))
    if size:
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
    else:
        lines = data.splitlines(keepends=True)
        pieces = [b"".join(lines[at : at + count]) for at in range(0, len(lines), count)]
    letters = "0123456789" if c.has("d") else "abcdefghijklmnopqrstuvwxyz"
    for number, piece in enumerate(pieces[:5_000]):
        suffix, rest = "", number
        for _ in range(max(width, 1)):
            rest, digit = divmod(rest, len(letters))
            suffix = letters[digit] + suffix
        if rest:
            yield from c.fail("output file suffixes exhausted")
            return 1
        c.p.fs.write(prefix + suffix + (c.value("as") or ""), piece, mode=0o666 & ~c.p.umask)
        yield from c.p.tick(4)
    return 0
