"""What the programs that change the tree share: joining paths, walking, copying."""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Stat
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError


def base_name(path: str) -> str:
    """The last component, as basename(1)."""
    bare = path.rstrip("/")
    return bare.rpartition("/")[2] or ("/" if path else "")


def join(folder: str, name: str) -> str:
    """`name` in `folder`."""
    return folder + name if folder.endswith("/") else f"{folder}/{name}"


def lstat(p: Process, path: str) -> Stat | None:
    """What is at a path itself; None where nothing is."""
    try:
        return p.fs.stat(path, follow=False)
    except SysError:
        return None


def is_dir(p: Process, path: str) -> bool:
    """True where a path leads to a directory."""
    try:
        return p.fs.stat(path).is_dir
    except SysError:
        return False


def copy_file(p: Process, source: str, target: str, mode: int) -> Generator[Any, Any, None]:
    """Copy what a file holds; devices and pipes are read to their end or to 16 MB."""
    stat = p.fs.stat(source)
    if stat.is_file:
        content = p.fs.content(source)
        yield from p.tick(1 + content.size // 65_536)
        p.fs.put(target, content, mode=mode)
        return
    fd = p.open(source)
    try:
        data = yield from p.read_all(fd)
    finally:
        p.close(fd)
    p.fs.put(target, BytesContent(data), mode=mode)


def same_file(p: Process, one: str, other: str) -> bool:
    """True where two paths lead to one file."""
    try:
        first, second = p.fs.stat(one), p.fs.stat(other)
    except SysError:
        return False
    return (first.device, first.inode) == (second.device, second.inode) and first.inode != 0


def confirm(p: Process, question: str) -> Generator[Any, Any, bool]:
    """Ask on standard error, read one line of the answer."""
    yield from p.err(question)
    return (yield from read_answer(p))[:1].lower() == b"y"


def read_answer(p: Process) -> Generator[Any, Any, bytes]:
    """One line of standard input with its newline; without where the input ended, or goes on for too long."""
    answer = bytearray()
    while len(answer) < 1000:
        try:
            char = yield from p.read(0, 1)
        except SysError as problem:
            if problem.errno == errno.EINTR:
                continue
            break
        answer += char
        if not char or char == b"\n":
            break
    return bytes(answer)
