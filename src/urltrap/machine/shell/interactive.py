"""Interactive shells: start-up files, prompts, the line editor, job notices, history."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.evaluation import run_file
from urltrap.machine.shell.builtins.jobs import notify
from urltrap.machine.shell.editor import read_line
from urltrap.machine.shell.errors import (
    BreakLoop,
    ContinueLoop,
    DiscardLine,
    ExitShell,
    ExpansionError,
    ReturnFrom,
    ShellSyntaxError,
)
from urltrap.machine.shell.interpreter.script import run_command, run_text, syntax_failure, warn_here
from urltrap.machine.shell.parser import next_command, open_parser
from urltrap.machine.shell.prompt import expand_prompt_text
from urltrap.model.event import CommandEntered

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_MAX_FILE = 1_000_000
_SYSTEM_FILES = ("/etc/profile", "/etc/profile.d", "/etc/bash.bashrc")
_MAX_HISTORY = 1000
_SHARED_HISTORY = 16_384
"""Bytes of a history file whose lines are shared between shells."""
_MAX_ENTERED = 65_536
"""Bytes of an entered line that are recorded."""


def start_files(sh: Shell, *, profile: bool, rc: bool, rc_file: str | None = None) -> Gen[None]:
    """Read profile and rc files, as the dialect does. What those of the system run is no news of an attacker's."""
    home = sh.getvar("HOME").rstrip("/")
    own = [f"{home}/{name}" for name in (".bash_profile", ".bash_login", ".profile", ".bashrc")]
    named = [path for path in (rc_file, sh.getvar("ENV")) if path]
    muted = not named and all(map(sh.p.fs.shipped, (*_SYSTEM_FILES, *own)))
    sh.p.mute_programs(muted)
    try:
        yield from _start_files(sh, home, profile=profile, rc=rc, rc_file=rc_file)
    finally:
        sh.p.mute_programs(False)
        if muted:
            sh.told = set()  # nobody was told: the same words are news where he types them


def _start_files(sh: Shell, home: str, *, profile: bool, rc: bool, rc_file: str | None) -> Gen[None]:
    if sh.interactive and sh.dialect.bash:
        # Before the files: Debian's look whether PS1 is set to know that the shell is interactive.
        if sh.vars.get("PS1") is None:
            sh.set_var("PS1", "\\s-\\v\\$ ")
        if sh.vars.get("PS2") is None:
            sh.set_var("PS2", "> ")
    if profile:
        yield from _read(sh, "/etc/profile")
        candidates = ("/.bash_profile", "/.bash_login", "/.profile") if sh.dialect.bash else ("/.profile",)
        for name in candidates:
            if (yield from _read(sh, home + name)):
                break
    if not sh.interactive:
        return
    if sh.dialect.bash:
        if rc and not sh.login:
            yield from _read(sh, "/etc/bash.bashrc")  # Debian's reads it whatever --rcfile names
            yield from _read(sh, rc_file if rc_file is not None else home + "/.bashrc")
    else:
        path = sh.getvar("ENV")
        if path:
            yield from _read(sh, path)


def _read(sh: Shell, path: str) -> Gen[bool]:
    """Run a start-up file where it exists; nothing in it ends the shell but ``exit``."""
    try:
        fd = sh.p.open(path)
    except SysError:
        return False
    if sh.dialect.bash and sh.p.fstat(fd).is_dir:
        sh.p.close(fd)
        yield from sh.p.err(f"{sh.arg0}: {path}: is a directory\n")
        return True
    try:
        data = yield from sh.p.read_all(fd, _MAX_FILE)
    except SysError:
        return False
    finally:
        sh.p.close(fd)
    before = sh.interactive
    try:
        yield from run_file(sh, decode(data), path, [])
    except (DiscardLine, BreakLoop, ContinueLoop) as jump:
        sh.status = getattr(jump, "status", 0)
    finally:
        sh.interactive = before
    sh.status = 0
    return True


@lru_cache(maxsize=64)
def _history_lines(data: bytes) -> tuple[str, ...]:
    """The lines of a history file; shells that read the same one share them."""
    lines = [line for line in decode(data).split("\n") if line and not line.startswith("#")]
    return tuple(lines[-_MAX_HISTORY:])


def load_history(sh: Shell) -> None:
    """The lines of $HISTFILE."""
    path = sh.getvar("HISTFILE")
    if not path:
        return
    try:
        data = sh.p.fs.read(path, _MAX_FILE)
    except SysError:
        return
    sh.history = list(
        _history_lines(data) if len(data) <= _SHARED_HISTORY else _history_lines.__wrapped__(data)
    )
    sh.extra["history_saved"] = len(sh.history)


def save_history(sh: Shell) -> None:
    """Append what was entered to $HISTFILE, as bash does when it ends."""
    path = sh.getvar("HISTFILE")
    new = sh.history[sh.extra.get("history_saved", 0) :]
    if not path or not new or not sh.dialect.bash:
        return
    try:
        # The commands are recorded as they are entered: a file of them at each visit's end would tell nothing new.
        text = encode("".join(line + "\n" for line in new))
        sh.p.fs.write(path, text, mode=0o600, append=True, told=False)
    except SysError:
        pass  # bash is silent about a history that cannot be written


def remember(sh: Shell, text: str) -> None:
    """Put an entered command into the history, as HISTCONTROL and HISTIGNORE allow."""
    line = text.rstrip("\n")
    if not line.strip() or ("history" not in sh.options and sh.dialect.bash):
        return
    control = sh.getvar("HISTCONTROL").split(":") if sh.dialect.bash else ["ignoredups"]
    if line[0] in " \t" and ("ignorespace" in control or "ignoreboth" in control):
        return
    if sh.history and sh.history[-1] == line and ("ignoredups" in control or "ignoreboth" in control):
        return
    size = sh.getvar("HISTSIZE", "500")
    if size == "0":
        return
    sh.history.append(line)
    if len(sh.history) > _MAX_HISTORY:
        drop = len(sh.history) - _MAX_HISTORY
        del sh.history[:drop]
        sh.extra["history_saved"] = max(0, sh.extra.get("history_saved", 0) - drop)


def run_interactive(sh: Shell) -> Gen[None]:
    """The loop of prompt, line, command. Returns at the end of input; raises ExitShell for ``exit``."""
    p = sh.p
    # Caught rather than ignored: what is ignored would stay so in the programs that are started.
    for number in (2, 3, 15, 20):
        p.trap_signal(number, "catch")
    sh.extra["caught"] = True
    load_history(sh)
    if sh.dialect.name == "ash" and p.persona.busybox:
        yield from p.out(
            f"\n\n{p.persona.busybox} built-in shell (ash)\nEnter 'help' for a list of built-in commands.\n\n"
        )
    try:
        yield from _loop(sh)
    finally:
        save_history(sh)
        _hang_up_jobs(sh)


def without_terminal(sh: Shell) -> Gen[None]:
    """What an interactive shell says where its input is no terminal: it controls no jobs then."""
    if sh.dialect.bash:
        group = sh.p.group
        yield from sh.p.err(
            f"{sh.arg0}: cannot set terminal process group ({group}): Inappropriate ioctl for device\n"
            f"{sh.arg0}: no job control in this shell\n"
        )
    else:
        number = "" if sh.dialect.name == "ash" else "0: "
        yield from sh.p.err(f"{sh.arg0}: {number}can't access tty; job control turned off\n")
    sh.options.discard("monitor")


def _hang_up_jobs(sh: Shell) -> None:
    if "huponexit" not in sh.shopts:
        return
    for job in sh.jobs.jobs:
        if job.status is None and not job.no_hup:
            try:
                sh.p.kill(-job.pids[0], 1)
            except SysError:
                continue


def _loop(sh: Shell) -> Gen[None]:
    p = sh.p
    pending = ""
    number = 1
    while True:
        if not pending:
            yield from notify(sh)
            yield from _prompt_command(sh)
        template = sh.getvar("PS2", "> ") if pending else sh.getvar("PS1", "$ ")
        prompt = yield from expand_prompt_text(sh, template)
        line = yield from read_line(sh, prompt)
        if line and sh.dialect.bash and not p.is_tty(0):
            yield from p.err(line)  # readline shows what it reads, whatever it reads from
        if line is None:  # ^C
            pending = ""
            sh.status = 130
            continue
        if line == "":  # the end of input
            if pending:
                again = yield from _syntax_at_end(sh, pending)
                pending = ""
                if not sh.dialect.bash or p.is_tty(0):
                    continue
                more = sh.getvar("PS2", "> ") if again else ""
                yield from p.err(f"{more}exit\n")
                return
            if p.is_tty(0) or sh.dialect.bash:
                yield from p.err(("logout\n" if sh.login else "exit\n") if sh.dialect.bash else "\n")
            return
        if sh.dialect.bash and "histexpand" in sh.options and not pending and ("!" in line or line[0] == "^"):
            from urltrap.machine.shell.histexpand import expand_history

            expanded = expand_history(sh, line)
            if isinstance(expanded, Exception):
                yield from sh.complain(str(expanded))
                continue
            if expanded != line:
                yield from p.err(expanded)
                line = expanded
        entered = encode(line.rstrip("\n"))
        p.fact(
            CommandEntered,
            mode="shell",
            text=entered[:_MAX_ENTERED],
            truncated_from=len(entered) if len(entered) > _MAX_ENTERED else None,
        )
        pending += line
        number += 1
        if not pending.strip():
            pending = ""
            continue
        again = yield from _try(sh, pending)
        if again:
            continue
        pending = ""


def _prompt_command(sh: Shell) -> Gen[None]:
    if not sh.dialect.bash:
        return
    text = sh.getvar("PROMPT_COMMAND")
    if text:
        status = sh.status
        try:
            yield from run_text(sh, text, origin="eval")
        except DiscardLine:
            pass  # the message is printed; the prompt comes anyway
        sh.status = status


def _try(sh: Shell, pending: str) -> Gen[bool]:
    """Parse and run what was entered; True where it is not complete yet."""
    yield from sh.p.tick(1 + len(pending) // 64)
    parser = open_parser(pending, sh.dialect, line=1, aliases=sh.aliases, extglob=sh.extglob)
    nodes = []
    try:
        while (node := next_command(parser)) is not None:
            nodes.append(node)
    except ShellSyntaxError as problem:
        if problem.incomplete and not _continuation_ended(pending):
            return True
        if not nodes:
            remember(sh, pending)
            yield from syntax_failure(sh, problem, "interactive")
            return False
        failure: ShellSyntaxError | None = problem
    else:
        failure = None
    if parser.here_warning:
        return True
    if pending.endswith("\\\n") and not pending.endswith("\\\\\n"):
        return True
    remember(sh, pending)
    sh.extra["command_number"] = sh.extra.get("command_number", 1) + 1
    for first, last, delimiter in parser.here_warning:
        yield from warn_here(sh, first, last, delimiter)
    for node in nodes:
        if not (yield from run_one(sh, node)):
            return False
    if failure is not None:
        yield from syntax_failure(sh, failure, "interactive")
    return False


def _continuation_ended(pending: str) -> bool:
    return len(pending) > 2_000_000


def run_one(sh: Shell, node: object) -> Gen[bool]:
    """Run one entered command; False where the rest of the line is dropped."""
    sh.line = 0
    try:
        yield from run_command(sh, node, True)  # type: ignore[arg-type]
    except (BreakLoop, ContinueLoop):
        sh.status = 0
    except ReturnFrom as jump:
        sh.status = jump.status
    except (DiscardLine, ExpansionError):
        sh.status = 1
        return False
    except SysError as problem:
        if problem.errno == 4:
            sh.p.pending_signals()
            sh.status = 130
            return False
        yield from sh.complain(f"fork: {problem.words}")
        sh.status = 254
    interrupted = 2 in sh.p.pending_signals()
    if interrupted and sh.status == 0:
        sh.status = 130
    return not interrupted


def _syntax_at_end(sh: Shell, pending: str) -> Gen[bool]:
    """Complain of what the end of input cut off; whether the shell looks for more input then."""
    parser = open_parser(pending, sh.dialect, line=1)
    try:
        while next_command(parser) is not None:
            continue
    except ShellSyntaxError as problem:
        yield from syntax_failure(sh, problem, "interactive")
        return problem.kind != "eof"
    return True


__all__ = ["ExitShell", "load_history", "remember", "run_interactive", "save_history", "start_files"]
