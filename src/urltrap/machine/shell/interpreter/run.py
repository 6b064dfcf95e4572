"""Lists, pipelines, background jobs and subshells; the table of who runs which node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.shell.ast import (
    AndOr,
    ArithCommand,
    ArithFor,
    Background,
    Case,
    CondCommand,
    For,
    FunctionDef,
    Group,
    If,
    Node,
    Pipeline,
    Select,
    Sequence,
    Simple,
    Subshell,
    While,
)
from urltrap.machine.shell.errors import ExitShell
from urltrap.machine.shell.interpreter import compound, condition
from urltrap.machine.shell.interpreter.foreground import wait_foreground
from urltrap.machine.shell.interpreter.redirect import RedirectError, apply_redirections, undo
from urltrap.machine.shell.interpreter.script import subshell
from urltrap.machine.shell.interpreter.simple import exec_child, run_simple
from urltrap.machine.shell.messages import child_died
from urltrap.machine.shell.traps import run_error

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Executor, Gen, Shell


def run_sequence(sh: Shell, node: Sequence) -> Gen[int]:
    """Commands one after the other."""
    status = 0
    for item in node.items:
        if "noexec" in sh.options and not sh.interactive:
            break
        status = yield from EXECUTE[type(item)](sh, item)
    return status


def run_and_or(sh: Shell, node: AndOr) -> Gen[int]:
    """``a && b || c``: ``set -e`` looks only at the last one."""
    rest = node.rest
    last = len(rest) - 1
    sh.quiet_errors += 1
    try:
        status = yield from EXECUTE[type(node.first)](sh, node.first)
    finally:
        sh.quiet_errors -= 1
    for number, (op, item) in enumerate(rest):
        if (status == 0) != (op == "&&"):
            continue
        if number < last:
            sh.quiet_errors += 1
            try:
                status = yield from EXECUTE[type(item)](sh, item)
            finally:
                sh.quiet_errors -= 1
        else:
            status = yield from EXECUTE[type(item)](sh, item)
    return status


def check_error(sh: Shell, status: int) -> Gen[None]:
    """``set -e`` and the ERR trap after a command that failed."""
    if sh.quiet_errors:
        return
    if "ERR" in sh.traps and (not sh.function_depth or "errtrace" in sh.options):
        yield from run_error(sh)
    if "errexit" in sh.options:
        raise ExitShell(status)


def run_pipeline(sh: Shell, node: Pipeline) -> Gen[int]:
    """``a | b``, ``! a``, ``time a``."""
    started, slowed = sh.p.now(), sh.p.slowed()
    if node.negate:
        sh.quiet_errors += 1
    try:
        if not node.commands:
            status = 0
        elif len(node.commands) == 1:
            status = yield from EXECUTE[type(node.commands[0])](sh, node.commands[0])
        else:
            status = yield from _pipe(sh, node)
    finally:
        if node.negate:
            sh.quiet_errors -= 1
    if node.negate:
        status = int(status == 0)
    sh.status = status
    if node.timed:
        yield from _report_time(sh, node.timed, sh.p.now() - started, sh.p.slowed() - slowed)
    if status and len(node.commands) > 1 and not node.negate:
        yield from check_error(sh, status)
    return status


def _report_time(sh: Shell, kind: str, elapsed: float, busy: float) -> Gen[None]:
    spent = max(min(elapsed * 0.3, 0.004), min(elapsed, busy) * 0.95)
    system = spent / 2 if spent <= 0.004 else spent / 25
    if kind == "posix":
        yield from sh.p.err(f"real {elapsed:.2f}\nuser {spent:.2f}\nsys {system:.2f}\n")
        return
    shown = (f"{int(each) // 60}m{each % 60:.3f}s" for each in (elapsed, spent, system))
    real, user, kernel = shown
    yield from sh.p.err(f"\nreal\t{real}\nuser\t{user}\nsys\t{kernel}\n")


def _pipe(sh: Shell, node: Pipeline) -> Gen[int]:
    pids = start_pipeline(sh, node, new_group=False)
    if sh.option("monitor"):
        last = yield from wait_foreground(sh, pids, node.text)
        if "pipefail" in sh.options:
            return next((status & 255 for status in reversed(sh.pipe_status) if status), 0)
        return last
    statuses: list[int] = []
    for pid in pids:
        statuses.append((yield from sh.wait_for(pid)))
    sh.pipe_status = statuses
    if statuses[-1] > 128:
        yield from child_died(sh, pids[-1], statuses[-1], node.text)
    if "pipefail" in sh.options:
        return next((status for status in reversed(statuses) if status), 0)
    return statuses[-1]


def start_pipeline(sh: Shell, node: Pipeline, *, new_group: bool) -> list[int]:
    """Start all commands of a pipeline, connected; their pids."""
    p = sh.p
    pids: list[int] = []
    upstream: int | None = None
    last = len(node.commands) - 1
    for number, command in enumerate(node.commands):
        reader = writer = None
        if number < last:
            reader, writer = p.pipe()
        pids.append(
            p.fork(_stage(sh, command, upstream, writer, reader, node.merge[number]), new_group=new_group)
        )
        if upstream is not None:
            p.close(upstream)
        if writer is not None:
            p.close(writer)
        upstream = reader
    return pids


def _stage(
    sh: Shell, command: Node, source: int | None, sink: int | None, unused: int | None, merge: bool
) -> Any:
    """The child that runs one command of a pipeline."""

    def child(process: Process) -> Run:
        if unused is not None:
            process.close(unused)
        if source is not None:
            process.dup2(source, 0)
            process.close(source)
        if sink is not None:
            process.dup2(sink, 1)
            process.close(sink)
            if merge:
                process.dup2(1, 2)
        stage = sh.fork(process)
        stage.in_pipeline = True
        return run_in_child(stage, command)

    return child


def run_in_child(child: Shell, node: Node) -> Run:
    """Run `node` as the only business of a subshell; a simple command replaces it by its program."""
    if isinstance(node, Simple):
        return subshell(child, lambda: exec_child(child, node))
    return subshell(child, lambda: EXECUTE[type(node)](child, node))


def run_background(sh: Shell, node: Background) -> Gen[int]:
    """``command &``."""
    inner = node.node
    if node.coproc:
        return (yield from _coproc(sh, node))
    quiet = not sh.option("monitor")

    def child(process: Process) -> Run:
        shell = sh.fork(process)
        if quiet and 0 in process.fds:
            try:
                fd = process.open("/dev/null")
            except SysError:
                fd = -1  # no such device on this machine: standard input stays
            if fd > 0:
                process.dup2(fd, 0)
                process.close(fd)
        if quiet:
            process.trap_signal(2, "ignore")
            process.trap_signal(3, "ignore")
        return run_in_child(shell, inner)

    if isinstance(inner, Pipeline) and len(inner.commands) > 1 and not inner.negate and not inner.timed:
        pids = start_pipeline(sh, inner, new_group=sh.option("monitor"))
    else:
        pids = [sh.p.fork(child, new_group=sh.option("monitor"))]
    sh.last_background = pids[-1]
    job = sh.jobs.add(pids, node.text)
    job.own_group = sh.option("monitor")
    if sh.interactive:
        yield from sh.p.err(f"[{job.number}] {pids[-1]}\n" if sh.dialect.bash else "")
    sh.status = 0
    yield from sh.p.tick(1)
    return 0


_COPROC_READS, _COPROC_WRITES = 63, 60
"""The descriptors that bash gives to a coprocess: the highest that are free below 64."""


def _coproc(sh: Shell, node: Background) -> Gen[int]:
    """``coproc``: a child whose input and output are two descriptors of the shell, told in an array."""
    from urltrap.machine.shell.variables import Var

    p = sh.p
    to_child, to_shell = p.pipe(), p.pipe()

    def child(process: Process) -> Run:
        shell = sh.fork(process)
        process.dup2(to_child[0], 0)
        process.dup2(to_shell[1], 1)
        for fd in (*to_child, *to_shell):
            process.close(fd)
        return run_in_child(shell, node.node)

    pid = p.fork(child, new_group=sh.option("monitor"))
    for old, new in ((to_shell[0], _COPROC_READS), (to_child[1], _COPROC_WRITES)):
        p.dup2(old, new)
        p.close(old)
    p.close(to_child[0])
    p.close(to_shell[1])
    var: Var = sh.vars.slot(sh.vars.target(node.coproc))
    var.value = {0: str(_COPROC_READS), 1: str(_COPROC_WRITES)}
    var.array = "a"
    sh.set_var(f"{node.coproc}_PID", str(pid))
    sh.last_background = pid
    job = sh.jobs.add([pid], node.text)
    job.own_group = sh.option("monitor")
    if sh.interactive:
        yield from p.err(f"[{job.number}] {pid}\n")
    sh.status = 0
    yield from p.tick(1)
    return 0


def run_subshell(sh: Shell, node: Subshell) -> Gen[int]:
    """``( … )``."""

    def child(process: Process) -> Run:
        shell = sh.fork(process)
        return subshell(shell, lambda: _redirected_body(shell, node))

    pid = sh.p.fork(child)
    if sh.option("monitor"):
        status = yield from wait_foreground(sh, [pid], node.text)
    else:
        status = yield from sh.wait_for(pid)
        if status > 128:
            yield from child_died(sh, pid, status, node.text)
    sh.status = status
    sh.pipe_status = [status]
    if status:
        yield from check_error(sh, status)
    return status


def _redirected_body(sh: Shell, node: Subshell) -> Gen[int]:
    if node.redirs:
        try:
            yield from apply_redirections(sh, node.redirs, keep=True)
        except RedirectError:
            return sh.dialect.empty_redirect_status
    return (yield from EXECUTE[type(node.body)](sh, node.body))


def redirected(run: Executor) -> Executor:
    """A compound command's runner, with its redirections around it."""

    def wrapped(sh: Shell, node: Any) -> Gen[int]:
        if not node.redirs:
            return run(sh, node)
        return _around(sh, node, run)

    return wrapped


def _around(sh: Shell, node: Any, run: Executor) -> Gen[int]:
    sh.line = node.line
    try:
        saved = yield from apply_redirections(sh, node.redirs)
    except RedirectError:
        sh.status = sh.dialect.empty_redirect_status
        yield from check_error(sh, sh.status)
        return sh.status
    try:
        return (yield from run(sh, node))
    finally:
        undo(sh, saved)


EXECUTE: dict[type, Executor] = {
    Simple: run_simple,
    Sequence: run_sequence,
    AndOr: run_and_or,
    Pipeline: run_pipeline,
    Background: run_background,
    Subshell: run_subshell,
    Group: redirected(compound.run_group),
    If: redirected(compound.run_if),
    While: redirected(compound.run_while),
    For: redirected(compound.run_for),
    ArithFor: redirected(compound.run_arith_for),
    Select: redirected(compound.run_select),
    Case: redirected(compound.run_case),
    FunctionDef: compound.run_function_definition,
    ArithCommand: redirected(compound.run_arithmetic),
    CondCommand: redirected(condition.run_condition),
}
