"""What runs in the middle of a word: command substitution, arithmetic, process substitution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.arithmetic import evaluate
from urltrap.machine.shell.ast import ArithSub, CommandSub, Node, ProcessSub, Quoted, Simple
from urltrap.machine.shell.expansion.names import ShellNames

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

MAX_CAPTURE = 4_000_000


def arithmetic(sh: Shell, part: ArithSub) -> Gen[str]:
    """The value of ``$((…))`` as text."""
    text = yield from arithmetic_text(sh, part)
    return str(evaluate(text, ShellNames(sh), sh.dialect.name))


def arithmetic_text(sh: Shell, part: ArithSub) -> Gen[str]:
    """The expression after its expansions."""
    parts = part.parts
    if len(parts) == 1 and isinstance(parts[0], Quoted):
        return parts[0].text
    from urltrap.machine.shell.expansion.fields import _string_parts

    pieces: list[str] = []
    yield from _string_parts(sh, parts, pieces)
    return "".join(pieces)


def capture(sh: Shell, part: CommandSub) -> Gen[str]:
    """The output of ``$(…)`` or backquotes without its trailing newlines."""
    node = part.program
    if node is None and not part.text.strip():
        sh.subst_status = 0
        return ""
    if isinstance(node, Simple) and not node.words and not node.assigns and len(node.redirs) == 1:
        redir = node.redirs[0]
        if redir.op == "<" and redir.fd is None and sh.dialect.bash:
            return (yield from _read_file(sh, node))
    p = sh.p
    reader, writer = p.pipe()

    def child(process: Process) -> Run:
        process.close(reader)
        if writer != 1:
            process.dup2(writer, 1)
            process.close(writer)
        return run_child(sh.fork(process), node, part.text)

    pid = p.fork(child)
    p.close(writer)
    sh.private_fds.add(reader)
    try:
        data = yield from p.read_all(reader, MAX_CAPTURE)
    finally:
        sh.private_fds.discard(reader)
        p.close(reader)
    sh.subst_status = sh.status = yield from sh.wait_for(pid)
    yield from p.tick(1 + len(data) // 256)
    if b"\0" in data:
        if sh.dialect.bash:
            yield from sh.complain("warning: command substitution: ignored null byte in input")
        data = data.replace(b"\0", b"")
    return decode(data).rstrip("\n")


def run_child(child: Shell, node: Node | None, text: str) -> Run:
    """The subshell of a substitution: run the parsed node, or the text of backquotes."""
    from urltrap.machine.shell.interpreter.script import run_text, subshell

    if node is not None:
        return subshell(child, lambda: child.run(node))
    if "errexit" in child.options and child.dialect.bash and "inherit_errexit" not in child.shopts:
        child.options.discard("errexit")
    return subshell(child, lambda: run_text(child, text, origin="command substitution"))


def _read_file(sh: Shell, node: Simple) -> Gen[str]:
    """``$(<file)``."""
    from urltrap.machine.shell.expansion.fields import expand_string
    from urltrap.machine.shell.interpreter.redirect import open_error

    path = yield from expand_string(sh, node.redirs[0].target)
    try:
        fd = sh.p.open(path)
    except SysError as problem:
        yield from sh.complain(open_error(sh, path, problem, False))
        sh.subst_status = 1
        return ""
    try:
        data = yield from sh.p.read_all(fd, MAX_CAPTURE)
    except SysError as problem:
        yield from sh.complain(f"{path}: {problem.words}")
        data = b""
    finally:
        sh.p.close(fd)
    sh.subst_status = 0
    return decode(data.replace(b"\0", b"")).rstrip("\n")


def process_substitution(sh: Shell, part: ProcessSub) -> Gen[str]:
    """``<(…)``: start the command, return the name of the pipe's other end."""
    p = sh.p
    reader, writer = p.pipe()
    ours, theirs, number = (reader, writer, 1) if part.mode == "<" else (writer, reader, 0)
    node = part.program

    def child(process: Process) -> Run:
        process.close(ours)
        if theirs != number:
            process.dup2(theirs, number)
            process.close(theirs)
        return run_child(sh.fork(process), node, "")

    sh.last_background = p.fork(child)
    p.close(theirs)
    target = 63
    while target in p.fds:
        target -= 1
    p.dup2(ours, target)
    p.close(ours)
    sh.temporary_fds.append(target)
    yield from p.tick(1)
    return f"/dev/fd/{target}"
