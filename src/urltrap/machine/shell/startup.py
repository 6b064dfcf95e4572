"""What a shell has before its first command: options, variables, the working folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.shell.arguments import Arguments
from urltrap.machine.shell.builtins.options import switch

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell


def prepare(sh: Shell, arguments: Arguments) -> None:
    """Set up `sh` for what its command line asks."""
    p = sh.p
    if arguments.name:
        sh.arg0 = arguments.name
    elif arguments.script is not None:
        sh.arg0 = arguments.script
    sh.positional = list(arguments.rest)
    sh.command_string = arguments.command is not None
    from_stdin = arguments.command is None and arguments.script is None
    sh.reads_stdin = arguments.stdin or from_stdin
    sh.login = arguments.login or bool(p.argv and p.argv[0].startswith("-"))
    sh.interactive = arguments.interactive or (from_stdin and p.is_tty(0) and p.is_tty(2))
    sh.extra["script"] = arguments.script is not None
    sh.extra["named"] = bool(arguments.name)
    sh.seconds_base = p.now()
    sh.vars.order = "bash" if sh.dialect.bash else "ash"
    for name, value in p.env.items():
        if name.replace("_", "a").isalnum() and not name[0].isdecimal():
            sh.vars.set(name, value, export=True)
    if sh.dialect.bash:
        sh.options.update(("hashall", "braceexpand", "interactive-comments"))
        if sh.interactive:
            sh.options.update(("history", "histexpand", "emacs", "monitor"))
            sh.shopts.update(("expand_aliases", "promptvars"))
    elif sh.interactive:
        sh.options.add("monitor")
        if sh.dialect.name == "ash":
            sh.shopts.add("expand_aliases")
    for name, on in arguments.options:
        switch(sh, name, on)
    for name, on in arguments.shopts:
        if on:
            sh.shopts.add(name)
        else:
            sh.shopts.discard(name)
    if sh.interactive and p.is_tty(2):
        # Bash keeps the terminal at 255, dash and ash at 10, closed in what they start.
        own = 255 if sh.dialect.bash else 10
        p.dup2(2, own)
        sh.private_fds.add(own)
    _first_variables(sh)
    sh.bind_dynamic()


def _first_variables(sh: Shell) -> None:
    p, put = sh.p, sh.vars.set
    inherited = sh.vars.get("PWD")
    if inherited and inherited.startswith("/") and _same_folder(sh, inherited):
        sh.extra["pwd"] = inherited
    else:
        sh.extra["pwd"] = p.cwd
    put("PWD", str(sh.extra["pwd"]))
    sh.vars.slot("PWD").exported = True
    put("OPTIND", "1")
    put("PPID", str(p.ppid))
    put("IFS", " \t\n")
    if sh.vars.get("PATH") is None:
        put("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" if sh.dialect.name != "ash" else
            "/sbin:/usr/sbin:/bin:/usr/bin")  # fmt: skip
    if sh.dialect.bash:
        sh.vars.slot("OLDPWD").exported = True
        level = sh.getvar("SHLVL")
        put("SHLVL", str(int(level[:6]) + 1 if level.isdecimal() else 1))
        sh.vars.slot("SHLVL").exported = True
        sh.last_argument = sh.vars.get("_") or sh.arg0
        sh.vars.unset("_")
        machine = p.persona.kernel.machine
        release = p.persona.tools.bash
        put("BASH_VERSION", f"{release}(1)-release")
        put("BASH", "/bin/bash" if sh.login else "/usr/bin/bash")
        put("HOSTNAME", p.hostname)
        put("HOSTTYPE", machine)
        put("MACHTYPE", f"{machine}-pc-linux-gnu")
        put("OSTYPE", "linux-gnu")
        put("OPTERR", "1")
        put("UID", str(p.uid))
        put("EUID", str(p.uid))
        put("PS4", "+ ")
        put("BASHOPTS", ":".join(sorted(sh.shopts)))
        put("SHELLOPTS", ":".join(sorted(sh.options)))
        versions = sh.vars.slot("BASH_VERSINFO")
        numbers = (*release.split("."), "1", "release", f"{machine}-pc-linux-gnu")
        versions.value = dict(enumerate(numbers))
        versions.array = "a"
        for name in ("UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"):
            sh.vars.slot(name).readonly = True
        for name in ("UID", "EUID", "PPID"):
            sh.vars.slot(name).integer = True
        if sh.vars.get("SHELL") is None:
            put("SHELL", "/bin/bash")
        if sh.vars.get("TERM") is None:
            put("TERM", "dumb")
        if sh.interactive:
            kept = f"{sh.getvar('HOME') or '/'}/.bash_history".replace("//", "/")
            for name, value in (("HISTFILE", kept), ("HISTSIZE", "500"), ("HISTFILESIZE", "500")):
                if sh.vars.get(name) is None:
                    put(name, value)
            columns, rows = p.window()
            put("COLUMNS", str(columns))
            put("LINES", str(rows))
    else:
        put("PS2", "> ")
        put("PS4", "+ ")
        if sh.dialect.name == "ash":
            level = sh.getvar("SHLVL")
            put("SHLVL", str(int(level[:6]) + 1 if level.isdecimal() else 1))
            sh.vars.slot("SHLVL").exported = True
        if sh.vars.get("PS1") is None:
            put(
                "PS1",
                ("\\w \\$ " if sh.dialect.name == "ash" else "# ")
                if p.uid == 0 or sh.dialect.name == "ash"
                else "$ ",
            )
    sh.vars.changed()


def _same_folder(sh: Shell, path: str) -> bool:
    try:
        here, there = sh.p.fs.stat("."), sh.p.fs.stat(path)
    except SysError:
        return False
    return (here.device, here.inode) == (there.device, there.inode)
