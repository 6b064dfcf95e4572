"""Programs: looking them up in PATH, starting them, and what the shell says where that fails."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.api import S_IFREG, Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.expansion.transform import trace_quote
from urltrap.machine.shell.interpreter.foreground import wait_foreground
from urltrap.machine.shell.messages import child_died

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def find_program(sh: Shell, name: str, path: str | None = None, *, remember: bool = False) -> str | None:
    """Where PATH has `name`; a file that may not be executed only where there is no other. With `remember` the hash
    table learns it."""
    if "/" in name:
        return name
    if not name:
        return None
    if path is None:
        known = sh.hashed.get(name)
        if known is not None:
            if remember:
                sh.hashed[name] = (known[0], known[1] + 1)
            return known[0]
        search = sh.vars.get("PATH")
        if not search:
            return name if sh.dialect.bash else (name if _is_executable(sh, name) else None)
    else:
        search = path
    fallback: str | None = None
    fs = sh.p.fs
    for folder in search.split(":"):
        candidate = f"{folder}/{name}" if folder else f"./{name}"
        if folder.endswith("/"):
            candidate = folder + name
        try:
            stat = fs.stat(candidate)
        except SysError:
            continue
        if stat.mode & 0o170000 != S_IFREG:
            continue
        if fs.access(candidate, 1):
            if remember and folder.startswith("/"):
                sh.hashed[name] = (candidate, 1)
            return candidate
        fallback = fallback or candidate
    return fallback


def _is_executable(sh: Shell, path: str) -> bool:
    try:
        return sh.p.fs.stat(path).is_file and sh.p.fs.access(path, 1)
    except SysError:
        return False


def run_program(sh: Shell, argv: list[str], env: dict[str, str], text: str) -> Gen[int]:
    """Start a program and wait for it."""
    plain = [str(word) for word in argv]
    path = find_program(sh, plain[0], remember=True)
    if path is None:
        return (yield from not_found(sh, plain))
    try:
        pid = sh.p.spawn(
            plain, path=path, env={**env, "_": path} if sh.dialect.bash else env, fds=sh.child_fds()
        )
    except SysError as problem:
        return (yield from _cannot_run(sh, plain, path, env, problem, False))
    if "monitor" in sh.options:
        return (yield from wait_foreground(sh, [pid], text))
    status = yield from sh.wait_for(pid)
    if status > 128:
        yield from child_died(sh, pid, status, text)
    return status


def replace_by(sh: Shell, argv: list[str], env: dict[str, str]) -> Gen[int]:
    """Become a program (the child of a pipeline, or ``exec``)."""
    plain = [str(word) for word in argv]
    path = find_program(sh, plain[0])
    if path is None:
        return (yield from not_found(sh, plain))
    for fd in list(sh.private_fds):
        if fd in sh.p.fds:
            sh.p.close(fd)
    sh.private_fds.clear()
    try:
        return (yield from sh.p.exec(plain, path=path, env={**env, "_": path} if sh.dialect.bash else env))
    except SysError as problem:
        return (yield from _cannot_run(sh, plain, path, env, problem, True))


def not_found(sh: Shell, argv: list[str]) -> Gen[int]:
    """The dialect's answer to an unknown name; 127."""
    handler = sh.functions.get("command_not_found_handle") if sh.dialect.bash_compat else None
    sh.tell(argv, "not-found", 127)
    if handler is not None:
        from urltrap.machine.shell.interpreter.simple import call_function

        status = yield from call_function(sh, handler, ["command_not_found_handle", *argv])
        return status if sh.dialect.bash else 127
    shown = argv[0]
    if sh.dialect.bash and not shown.isprintable():
        shown = trace_quote(shown)
    if not shown and not sh.dialect.bash:
        yield from sh.complain(": Permission denied")
        return 127
    yield from sh.complain(f"{shown}: {'command not found' if sh.dialect.bash else 'not found'}")
    return 127


def _cannot_run(
    sh: Shell, argv: list[str], path: str, env: dict[str, str], problem: SysError, replace: bool
) -> Gen[int]:
    """A file that execve refused: a script without ``#!`` is run by the shell, the rest gets its message."""
    name = argv[0]
    if problem.errno == errno.ENOEXEC:
        return (yield from script_or_binary(sh, argv, path, replace))
    if problem.errno == errno.EAGAIN:
        yield from sh.complain(
            "fork: retry: Resource temporarily unavailable" if sh.dialect.bash else "Cannot fork"
        )
        return 254 if sh.dialect.bash else 2
    missing = (
        problem.errno in (errno.ENOENT, errno.ENOTDIR)
        if not sh.dialect.bash
        else problem.errno == errno.ENOENT
    )
    sh.tell(argv, "not-found" if missing else "not-executable", 127 if missing else 126, path)
    if not sh.dialect.bash:
        yield from sh.complain(f"{name}: {'not found' if missing else problem.words}")
        return 127 if missing else 126
    sh.hashed.pop(name, None)
    try:
        stat = sh.p.fs.stat(path)
    except SysError:
        yield from sh.complain(f"{name}: {problem.words}")
        return 127 if missing else 126
    if stat.is_dir:
        yield from sh.complain(f"{name}: Is a directory")
        return 126
    if missing:
        yield from sh.complain(f"{name}: cannot execute: required file not found")
        return 127
    yield from sh.complain(f"{name}: {problem.words}")
    return 126


def script_or_binary(sh: Shell, argv: list[str], path: str, replace: bool) -> Gen[int]:
    """A file without ``#!``: text is run as a script by a fresh shell, the rest refused."""
    try:
        data = sh.p.fs.read(path, 4_000_000)
    except SysError as problem:
        yield from sh.complain(f"{argv[0]}: {problem.words}")
        return 126
    first = data[:80].split(b"\n", 1)[0]
    if b"\0" in first and sh.dialect.bash:
        sh.tell(argv, "not-executable", 126, path)
        yield from sh.complain(f"{argv[0]}: cannot execute binary file: Exec format error")
        return 126
    if data[:4] == b"\x7fELF":
        sh.tell(argv, "not-executable", 2, path)
        where, expecting = argv[0], '(expecting ")")'
        yield from sh.p.err(
            f"{where}: 1: Syntax error: word unexpected {expecting}\n"
            if sh.dialect.name == "dash"
            else f"{where}: line 1: syntax error: unexpected word {expecting}\n"
        )
        return 2
    text = decode(data)

    def child(process: Process) -> Run:
        from urltrap.machine.shell.interpreter.script import run_text, subshell
        from urltrap.machine.shell.interpreter.shell import Shell as Fresh

        inner = Fresh(process, sh.dialect, argv[0])
        inner.positional = argv[1:]
        inner.shell_pid = process.pid
        inner.options = {
            name for name in ("hashall", "braceexpand", "interactive-comments") if sh.dialect.bash
        }
        inner.extra["script"] = True
        for key, value in sh.vars.environment().items():
            inner.vars.set(key, value, export=True)
        inner.vars.order = sh.vars.order
        level = inner.getvar("SHLVL")
        if sh.dialect.bash and level[:6].isdecimal():
            inner.vars.set("SHLVL", str(int(level) + 1))
        inner.bind_dynamic()
        return subshell(inner, lambda: run_text(inner, text, origin="file", top=True))

    if replace:
        return (yield from child(sh.p))
    return (yield from sh.wait_for(sh.p.fork(child, comm=argv[0].rpartition("/")[2])))
