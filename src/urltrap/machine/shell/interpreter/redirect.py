"""Redirections: applied in the shell's own process, undone afterwards."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from urltrap.machine.api import (
    O_APPEND,
    O_CREAT,
    O_EXCL,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    S_IFREG,
    Process,
    Run,
    encode,
)
from urltrap.machine.errors import SysError
from urltrap.machine.shell.ast import Redir
from urltrap.machine.shell.errors import ExpansionError
from urltrap.machine.shell.expansion.fields import expand_string, expand_word

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_TCP = re.compile(r"/dev/(tcp|udp)/([^/]*)/([^/]*)\Z")
_PIPE_CAPACITY = 4096
_MAX_FD = 1023


class RedirectError(Exception):
    """A redirection failed; its message is printed already."""


Saved = list[tuple[int, int | None]]
"""(descriptor, where its old file is kept; None: it was closed), in the order of the changes."""


def open_error(sh: Shell, path: str, problem: SysError, creating: bool) -> str:
    """The dialect's message for a file that cannot be opened."""
    if sh.dialect.bash:
        return f"{path}: {problem.words}"
    if sh.dialect.name == "dash":
        words = {errno.ENOENT: "Directory nonexistent" if creating else "No such file"}.get(
            problem.errno, problem.words
        )
        return f"cannot {'create' if creating else 'open'} {path}: {words}"
    words = problem.words
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        words = "nonexistent directory" if creating else "no such file"
    return f"can't {'create' if creating else 'open'} {path}: {words}"


def apply_redirections(sh: Shell, redirs: Sequence[Redir], *, keep: bool = False) -> Gen[Saved]:
    """Apply `redirs`; what `undo` needs. With `keep` nothing is saved (exec, children). Raises RedirectError."""
    saved: Saved = []
    try:
        for redir in redirs:
            sh.line = redir.line or sh.line
            yield from _apply(sh, redir, saved, keep)
    except RedirectError:
        undo(sh, saved)
        raise
    except ExpansionError as problem:
        undo(sh, saved)
        if problem.fatal_status is not None:
            yield from sh.fail_expansion(problem)
        yield from sh.complain(problem.message)
        raise RedirectError from None
    except BaseException:
        undo(sh, saved)
        raise
    return saved


def undo(sh: Shell, saved: Saved) -> None:
    """Put the descriptors back as they were."""
    p = sh.p
    for fd, kept in reversed(saved):
        if kept is None:
            if fd in p.fds:
                p.close(fd)
        else:
            p.dup2(kept, fd)
            p.close(kept)
            sh.private_fds.discard(kept)


def _save(sh: Shell, fd: int, saved: Saved, keep: bool) -> None:
    if keep:
        return
    p = sh.p
    if fd not in p.fds:
        saved.append((fd, None))
        return
    spare = 10
    while spare in p.fds:
        spare += 1
    p.dup2(fd, spare)
    sh.private_fds.add(spare)
    saved.append((fd, spare))


def _install(sh: Shell, opened: int, fd: int) -> None:
    """Move the freshly opened descriptor to `fd`."""
    if opened != fd:
        sh.p.dup2(opened, fd)
        sh.p.close(opened)


def _fail(sh: Shell, message: str) -> Gen[None]:
    yield from sh.complain(message)
    raise RedirectError


def _target(sh: Shell, redir: Redir) -> Gen[str]:
    word = redir.target
    if word.plain is not None:
        return word.plain
    if not sh.dialect.bash or redir.op == "<<<":
        return (yield from expand_string(sh, word))
    fields: list[str] = []
    yield from expand_word(sh, word, fields)
    if len(fields) != 1:
        yield from _fail(sh, f"{word.raw}: ambiguous redirect")
    return fields[0]


def _apply(sh: Shell, redir: Redir, saved: Saved, keep: bool) -> Gen[None]:
    p, op = sh.p, redir.op
    if isinstance(redir.fd, str):
        yield from _named(sh, redir)
        return
    default = 0 if op in ("<", "<<", "<<-", "<<<", "<>", "<&") else 1
    fd = default if redir.fd is None else redir.fd
    if op in ("<<", "<<-", "<<<"):
        if op == "<<<":
            body = (yield from expand_string(sh, redir.target)) + "\n"
        else:
            body = "" if redir.body is None else (yield from expand_string(sh, redir.body))
        opened = yield from here_document(sh, encode(body))
        _save(sh, fd, saved, keep)
        _install(sh, opened, fd)
        return
    target = yield from _target(sh, redir)
    if op in ("<&", ">&"):
        if target == "-":
            _save(sh, fd, saved, keep)
            if fd in p.fds:
                p.close(fd)
            return
        move = target.endswith("-") and target[:-1].isdecimal() and sh.dialect.bash
        number = target[:-1] if move else target
        if number.isdecimal():
            yield from _duplicate(sh, int(number[:6]), fd, saved, keep, move)
            return
        if op == "<&" or redir.fd is not None or not sh.dialect.bash:
            if not sh.dialect.bash:
                words = "Bad fd number" if sh.dialect.name == "dash" else "bad fd number"
                yield from _fail(sh, words)
            yield from _fail(sh, f"{redir.target.raw}: ambiguous redirect")
        op = "&>"
    creating = op not in ("<",)
    flags = {
        "<": O_RDONLY, ">": O_WRONLY | O_CREAT | O_TRUNC, ">|": O_WRONLY | O_CREAT | O_TRUNC,
        ">>": O_WRONLY | O_CREAT | O_APPEND, "<>": O_RDWR | O_CREAT,
        "&>": O_WRONLY | O_CREAT | O_TRUNC, "&>>": O_WRONLY | O_CREAT | O_APPEND,
    }[op]  # fmt: skip
    opened = yield from _open(sh, target, flags, op, creating)
    _save(sh, fd, saved, keep)
    _install(sh, opened, fd)
    if op in ("&>", "&>>"):
        _save(sh, 2, saved, keep)
        p.dup2(fd, 2)


def _open(sh: Shell, target: str, flags: int, op: str, creating: bool) -> Gen[int]:
    p = sh.p
    match = _TCP.match(target) if sh.dialect.bash else None
    if match is not None:
        from urltrap.machine.shell.interpreter.network import open_socket

        return (yield from open_socket(sh, target, match[1], match[2], match[3], RedirectError))
    if op == ">" and "noclobber" in sh.options:
        try:
            regular = p.fs.stat(target).mode & 0o170000 == S_IFREG
        except SysError:
            regular = False  # it does not exist: it may be made
        if regular:
            text = "cannot overwrite existing file" if sh.dialect.bash else "File exists"
            message = f"{target}: {text}" if sh.dialect.bash else f"cannot create {target}: {text}"
            if sh.dialect.name == "ash":
                message = f"can't create {target}: File exists"
            yield from _fail(sh, message)
    try:
        return p.open(target, flags, 0o666)
    except SysError as problem:
        yield from _fail(sh, open_error(sh, target, problem, creating))
        raise AssertionError from problem  # _fail always raises


def _duplicate(sh: Shell, source: int, fd: int, saved: Saved, keep: bool, move: bool) -> Gen[None]:
    p = sh.p
    if source not in p.fds or source in sh.private_fds:
        yield from _fail(sh, f"{source}: Bad file descriptor")
    if source == fd:
        return
    _save(sh, fd, saved, keep)
    p.dup2(source, fd)
    if move:
        p.close(source)


def _named(sh: Shell, redir: Redir) -> Gen[None]:
    """``{name}>file``: a new descriptor from 10 up, its number in the variable; it stays open."""
    name = str(redir.fd)
    target = yield from _target(sh, redir)
    p = sh.p
    if redir.op in (">&", "<&") and target == "-":
        value = sh.getvar(name)
        if value.isdecimal() and int(value) in p.fds:
            p.close(int(value))
        return
    if redir.op in (">&", "<&") and target.isdecimal():
        source = int(target[:6])
        if source not in p.fds:
            yield from _fail(sh, f"{target}: Bad file descriptor")
        opened, fresh = source, False
    elif redir.op in ("<<", "<<-", "<<<"):
        body = (
            target + "\n"
            if redir.op == "<<<"
            else ("" if redir.body is None else (yield from expand_string(sh, redir.body)))
        )
        opened, fresh = (yield from here_document(sh, encode(body))), True
    else:
        flags = {"<": O_RDONLY, ">>": O_WRONLY | O_CREAT | O_APPEND, "<>": O_RDWR | O_CREAT}.get(
            redir.op, O_WRONLY | O_CREAT | O_TRUNC
        )
        opened, fresh = (yield from _open(sh, target, flags, redir.op, redir.op != "<")), True
    number = 10
    while number in p.fds:
        number += 1
    if number > _MAX_FD:
        yield from _fail(sh, f"{target}: Too many open files")
    p.dup2(opened, number)
    if fresh:
        p.close(opened)
    sh.set_var(name, str(number))


def here_document(sh: Shell, body: bytes) -> Gen[int]:
    """A descriptor from which `body` can be read: a pipe; a child writes what does not fit into one."""
    p = sh.p
    reader, writer = p.pipe()
    if len(body) <= _PIPE_CAPACITY:
        if body:
            yield from p.write(writer, body)
        p.close(writer)
        return reader

    def child(process: Process) -> Run:
        process.close(reader)
        try:
            yield from process.write(writer, body)
        except SysError:
            return 1  # the reader is gone
        return 0

    p.fork(child)
    p.close(writer)
    return reader


__all__ = ["O_EXCL", "RedirectError", "Saved", "apply_redirections", "here_document", "open_error", "undo"]
