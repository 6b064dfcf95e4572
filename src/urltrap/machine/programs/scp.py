"""scp: the server's side of its protocol (-t, -f), and the client, which never connects."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, Stat, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._connecting import told
from urltrap.machine.programs._paths import base_name, is_dir, join, lstat
from urltrap.machine.programs.ssh import unreachable
from urltrap.model.event import Uploaded

_USAGE = """\
usage: scp [-346ABCOpqRrsTv] [-c cipher] [-D sftp_server_path] [-F ssh_config]
           [-i identity_file] [-J destination] [-l limit] [-o ssh_option]
           [-P port] [-S program] [-X sftp_option] source ... target
"""
_MAX_FILE = 64_000_000


@command("scp", short="12346ABCOpqrRsTvdtfc:D:F:i:J:l:o:P:S:X:", bb=False, bad=1, hint=_USAGE)
def scp(c: Cmd) -> Run:
    """Copy files over SSH."""
    if c.has("t"):
        return (yield from _sink(c))
    if c.has("f"):
        return (yield from _source(c))
    if len(c.args) < 2:
        yield from c.p.err(_USAGE)
        return 1
    for word in c.args:
        match = re.match(r"(?:scp://)?(?:[^@/:]+@)?(\[[^\]]+\]|[^:/]+):", word)
        if match is not None:
            port = int(c.value("P") or 22) if (c.value("P") or "22").isdecimal() else 22
            host = match[1].strip("[]")
            told(c.p, host, min(port, 65_535), encode(word))
            yield from unreachable(c.p, host, port)
            yield from c.p.err("scp: Connection closed\r\n")
            return 255
    *sources, target = c.args
    if len(sources) > 1 and not is_dir(c.p, target):
        there = lstat(c.p, target) is not None
        yield from c.p.err(f"{target}: {'Not a directory' if there else 'No such file or directory'}\n")
        return 1
    # Between two places of the machine itself scp starts cp, once for each source.
    options = [f"-{letter}" for letter in "rp" if c.has(letter)]
    status = 0
    for source in sources:
        ended = yield from c.p.wait(c.p.spawn(["cp", *options, "--", source, target]))
        status = 1 if ended is None or ended[1] else status
    return status


def _ok(p: Process) -> Gen:
    yield from p.write(1, b"\0")


def _line(p: Process) -> Generator[Any, Any, bytes]:
    out = bytearray()
    while len(out) < 4096:
        char = yield from p.read(0, 1)
        if not char:
            return b""
        if char == b"\n":
            return bytes(out) + b"\n"
        out += char
    return bytes(out)


def _sink(c: Cmd) -> Run:
    """-t: receive files."""
    p = c.p
    if len(c.args) != 1:
        yield from p.err("scp: ambiguous target\n")
        return 1
    stack = [c.args[0]]
    if c.has("d") and not is_dir(p, c.args[0]):
        yield from p.write(1, encode(f"\x01scp: {c.args[0]}: Not a directory\n"))
        return 1
    yield from _ok(p)
    times: tuple[float, float] | None = None
    status = 0
    while line := (yield from _line(p)):
        kind, rest = line[:1], decode(line[1:]).rstrip("\n")
        if kind == b"E":
            if len(stack) > 1:
                stack.pop()
            yield from _ok(p)
            continue
        if kind == b"T":
            parts = rest.split()
            if len(parts) == 4 and parts[0].isdecimal() and parts[2].isdecimal():
                times = (float(parts[0][:12]), float(parts[2][:12]))
            yield from _ok(p)
            continue
        if kind in (b"\x01", b"\x02"):
            if kind == b"\x02":
                return 1
            status = 1
            continue
        match = re.fullmatch(r"([0-7]{3,4}) (\d{1,15}) (.+)", rest)
        if kind not in (b"C", b"D") or match is None or "/" in match[3] or match[3] in (".", ".."):
            words = "unexpected filename" if match is not None else "protocol error: expected control record"
            yield from p.write(1, encode(f"\x01scp: {words}{': ' + match[3] if match else ''}\n"))
            return 1
        mode, size, name = int(match[1], 8), int(match[2]), match[3]
        path = join(stack[-1], name) if is_dir(p, stack[-1]) else stack[-1]
        if kind == b"D":
            if not c.has("r"):
                yield from p.write(1, b"\x01scp: received directory without -r\n")
                return 1
            try:
                if not is_dir(p, path):
                    p.fs.mkdir(path, mode | 0o700)
            except SysError as problem:
                yield from p.write(1, encode(f"\x01scp: {path}: {problem.words}\n"))
                return 1
            stack.append(path)
            yield from _ok(p)
            continue
        status = (yield from _receive(p, path, mode, size, times)) or status
        times = None
    return status


def _receive(
    p: Process, path: str, mode: int, size: int, times: tuple[float, float] | None
) -> Generator[Any, Any, int]:
    if size > _MAX_FILE:
        yield from p.write(1, encode(f"\x01scp: {path}: No space left on device\n"))
        return 1
    yield from _ok(p)
    data = bytearray()
    while len(data) < size:
        piece = yield from p.read(0, min(65_536, size - len(data)))
        if not piece:
            break
        data += piece
    complete = len(data) == size
    if complete:
        yield from p.read(0, 1)
    try:
        p.fs.write(path, bytes(data), mode=mode & 0o777 & ~p.umask)
        p.fs.chmod(path, mode & 0o777)
        if times is not None:
            p.fs.utime(path, times[1], times[0])
    except SysError as problem:
        yield from p.write(1, encode(f"\x01scp: {path}: {problem.words}\n"))
        return 1
    import hashlib

    p.fact(
        Uploaded,
        via="scp",
        path=encode(path),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        complete=complete,
    )
    yield from _ok(p)
    return 0 if complete else 1


def _source(c: Cmd) -> Run:
    """-f: send files."""
    status = 0
    yield from c.p.read(0, 1)
    for path in c.args:
        try:
            stat = c.p.fs.stat(path)
            status = (yield from _send(c, path, stat, 0)) or status
        except SysError as problem:
            yield from c.p.write(1, encode(f"\x01scp: {path}: {problem.words}\n"))
            status = 1
    return status


def _send(c: Cmd, path: str, stat: Stat, depth: int) -> Generator[Any, Any, int]:
    p = c.p
    if c.has("p"):
        yield from p.write(1, f"T{int(stat.mtime)} 0 {int(stat.atime)} 0\n".encode())
        yield from p.read(0, 1)
    if stat.is_dir:
        if not c.has("r") or depth > 60:
            yield from p.write(1, encode(f"\x01scp: {path}: not a regular file\n"))
            return 1
        yield from p.write(1, encode(f"D{stat.mode & 0o7777:04o} 0 {base_name(path)}\n"))
        yield from p.read(0, 1)
        for name in p.fs.listdir(path):
            below = join(path, name)
            yield from _send(c, below, p.fs.stat(below), depth + 1)
        yield from p.write(1, b"E\n")
        yield from p.read(0, 1)
        return 0
    content = p.fs.content(path)
    yield from p.write(1, encode(f"C{stat.mode & 0o7777:04o} {content.size} {base_name(path)}\n"))
    yield from p.read(0, 1)
    position = 0
    while piece := content.read(position, 65_536):
        position += len(piece)
        yield from p.write(1, piece)
    yield from _ok(p)
    yield from p.read(0, 1)
    return 0
