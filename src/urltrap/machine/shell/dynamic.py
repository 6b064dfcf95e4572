"""Variables whose value is computed: RANDOM, SECONDS, LINENO and their kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell


def _ignored(value: str) -> None:
    """Assignments to most of them change nothing."""


def bind(sh: Shell) -> None:
    """Bind the dynamic variables of the dialect to `sh`."""
    sh.vars.hold = sh.p.hold
    known = sh.vars.dynamic
    if sh.dialect.name != "dash":
        known["LINENO"] = lambda: str(sh.line if sh.dialect.bash else sh.ash_line)
    hooks = sh.vars.on_set
    hooks["LINENO"] = _ignored
    hooks["OPTIND"] = lambda value: sh.__setattr__("getopts_state", ("", 0))
    if sh.dialect.name == "dash":
        return
    state = {"seed": sh.p.random(1 << 31)}

    def random() -> str:
        state["seed"] = (state["seed"] * 16807) % 2147483647 or 1
        return str((state["seed"] >> 8) & 32767)

    def seed(value: str) -> None:
        state["seed"] = int(value) if value.lstrip("-").isdecimal() else 0

    known["RANDOM"] = random
    hooks["RANDOM"] = seed
    if not sh.dialect.bash:
        return
    known["SECONDS"] = lambda: str(int(sh.p.now() - sh.seconds_base))

    def set_seconds(value: str) -> None:
        sh.seconds_base = sh.p.now() - (int(value) if value.lstrip("-").isdecimal() else 0)

    hooks["SECONDS"] = set_seconds
    known["BASHPID"] = lambda: str(sh.p.pid)
    known["EPOCHSECONDS"] = lambda: str(int(sh.p.now()))
    known["EPOCHREALTIME"] = lambda: f"{sh.p.now():.6f}"
    known["SRANDOM"] = lambda: str(sh.p.random(1 << 32))
    known["BASH_SUBSHELL"] = lambda: str(sh.in_subshell)
    known["BASH_COMMAND"] = lambda: str(sh.extra.get("command", ""))
    known["HISTCMD"] = lambda: str(len(sh.history) + 1)
    for name in (
        "BASHPID",
        "EPOCHSECONDS",
        "EPOCHREALTIME",
        "SRANDOM",
        "BASH_SUBSHELL",
        "HISTCMD",
        "BASH_COMMAND",
    ):
        hooks[name] = _ignored
