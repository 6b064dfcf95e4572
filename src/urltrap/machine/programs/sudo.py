"""sudo and su: become another user."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._database import row
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._password_hash import matches
from urltrap.machine.programs._system import account, names
from urltrap.machine.programs.passwd import ask
from urltrap.machine.programs.registry import program

_USAGE = """\
usage: sudo -h | -K | -k | -V
usage: sudo -v [-ABkNnS] [-g group] [-h host] [-p prompt] [-u user]
usage: sudo -l [-ABkNnS] [-g group] [-h host] [-p prompt] [-U user] [-u user]
            [command [arg ...]]
usage: sudo [-ABbEHkNnPS] [-r role] [-t type] [-C num] [-D directory] [-g
            group] [-h host] [-p prompt] [-R directory] [-T timeout] [-u user]
            [VAR=value] [-i | -s] [command [arg ...]]
usage: sudo -e [-ABkNnS] [-r role] [-t type] [-C num] [-D directory] [-g group]
            [-h host] [-p prompt] [-R directory] [-T timeout] [-u user] file ...
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _become(p: Process, fields: list[str], argv: list[str], env: dict[str, str], cwd: str | None) -> Run:
    uid = int(fields[2])
    p.trap_signal(2, "ignore")
    try:
        pid = p.spawn(argv, env=env, cwd=cwd, uid=uid if uid != p.uid else None)
    except SysError as error:
        name = p.argv[0].rpartition("/")[2]
        if name == "sudo":
            what = (
                "command not found"
                if "/" not in argv[0] or error.words.startswith("No such")
                else error.words
            )
            yield from p.err(f"sudo: {argv[0]}: {what}\n")
            return 1
        yield from p.err(f"{name}: failed to execute {argv[0]}: {error.words}\n")
        return 127
    ended = yield from p.wait(pid)
    return ended[1] if ended is not None else 0


@program("sudo", "sudoedit")
def sudo(p: Process) -> Run:
    """Run a command as another user."""
    try:
        options, words = getopt(
            p.argv[1:], "+ABbC:D:Eeg:Hhi" + "KkllNnPp:R:r:SsT:t:U:u:Vv",
            {"user": ":", "login": "", "shell": "", "list": "", "non-interactive": "", "stdin": "",
            "validate": "", "version": "",
             "help": "", "preserve-env": "::", "set-home": "", "background": "", "group": ":", "prompt": ":",
             "remove-timestamp": "", "reset-timestamp": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"sudo: {error}\n{_USAGE}")
        return 1
    short = {"--user": "u", "--login": "i", "--shell": "s", "--list": "l", "--non-interactive": "n", "--stdin": "S",
             "--validate": "v", "--version": "V", "--help": "h"}  # fmt: skip
    given = {short.get(name, name): value for name, value in options}
    if "V" in given:
        yield from p.out(
            "Sudo version 1.9.13p3\nSudoers policy plugin version 1.9.13p3\nSudoers file grammar version 50\n"
        )
        return 0
    if "h" in given:
        yield from p.out(f"sudo - execute a command as another user\n\n{_USAGE}")
        return 0
    env = dict(p.env)
    while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
        name, _, value = words.pop(0).partition("=")
        env[name] = value
    caller = names(p).get(p.uid, "root")
    if not words and not given.keys() & {"i", "s", "l", "v", "k", "K"}:
        yield from p.err(_USAGE)
        return 1
    if p.uid:
        members = (row(p, "/etc/group", "sudo") or ["", "", "", ""])[3].split(",")
        if not (yield from _allowed(p, caller, members, given)):
            return 1
    target = account(p, given.get("u", "root"))
    if target is None:
        yield from p.err(
            f"sudo: unknown user {given.get('u')}\nsudo: error initializing audit plugin sudoers_audit\n"
        )
        return 1
    if "l" in given:
        yield from p.out(
            f"Matching Defaults entries for {caller} on {p.hostname}:\n    env_reset, mail_badpass,\n"
            f"    secure_path=/usr/local/sbin\\:/usr/local/bin\\:/usr/sbin\\:/usr/bin\\:/sbin\\:/bin, use_pty\n\n"
            f"User {caller} may run the following commands on {p.hostname}:\n    (ALL : ALL) ALL\n"
        )
        return 0
    if not words and not given.keys() & {"i", "s"}:
        return 0
    env |= {"HOME": target[5], "LOGNAME": target[0], "USER": target[0], "SUDO_USER": caller, "SUDO_UID": str(p.uid),
            "SUDO_GID": str(p.gid), "PATH": _PATH, "SUDO_COMMAND": " ".join(words) or target[6]}  # fmt: skip
    if "i" in given or "s" in given:
        shell = target[6]
        words = [shell, "-c", " ".join(words)] if words else [shell]
    return (yield from _become(p, target, words, env, target[5] if "i" in given else None))


def _allowed(p: Process, caller: str, members: list[str], given: dict[str, str]) -> Run:
    if "n" in given:
        yield from p.err("sudo: a password is required\n")
        return 0
    if not p.is_tty(0) and "S" not in given:
        yield from p.err("sudo: a terminal is required to read the password; either use the -S option to read from "
        "standard input "
                         "or configure an askpass helper\nsudo: a password is required\n")  # fmt: skip
        return 0
    kept = (row(p, "/etc/shadow", caller) or ["", ""])[1] if p.uid == 0 else ""
    secret = yield from ask(p, f"[sudo] password for {caller}: ")
    if secret is None:
        yield from p.err("sudo: no password was provided\nsudo: a password is required\n")
        return 0
    yield from p.sleep(0.3)
    if kept and not matches(secret, kept):
        yield from p.err("Sorry, try again.\nsudo: 1 incorrect password attempt\n")
        return 0
    if caller not in members:
        yield from p.err(f"{caller} is not in the sudoers file.\n")
        return 0
    return 1


@program("su")
def su(p: Process) -> Run:
    """Become another user by a log-in or a plain shell."""
    try:
        options, operands = getopt(
            p.argv[1:], "c:flmps:g:G:PTw:hV",
            {"command": ":", "login": "", "shell": ":", "preserve-environment": "", "fast": "", "pty": "", "group": ":",
             "session-command": ":", "help": "", "version": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"su: {error}\nTry 'su --help' for more information.\n")
        return 1
    given = {name.lstrip("-")[0] if len(name) > 1 else name: value for name, value in options}
    login = "l" in given
    if operands[:1] == ["-"]:
        login, operands = True, operands[1:]
    name = operands[0] if operands else "root"
    fields = account(p, name)
    if fields is None:
        yield from p.err(
            f"su: user {name} does not exist or the user entry does not contain all the required fields\n"
        )
        return 1
    if p.uid:
        secret = yield from ask(p, "Password: ")
        yield from p.sleep(1.5)
        if secret is None or fields[2] == "0":
            yield from p.err("su: Authentication failure\n")
            return 1
    shell = given.get("s", fields[6])
    if shell.endswith(("nologin", "false")):
        if shell.endswith("nologin"):
            yield from p.out("This account is currently not available.\n")
        return 1
    env = dict(p.env)
    env |= {"HOME": fields[5], "SHELL": shell, "USER": name, "LOGNAME": name}
    if login:
        path = _PATH if fields[2] == "0" else "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
        env = {
            "HOME": fields[5],
            "SHELL": shell,
            "USER": name,
            "LOGNAME": name,
            "PATH": path,
            "TERM": p.env.get("TERM", "dumb"),
        }
    words = [shell, *(["-l"] if login else [])]
    if "c" in given:
        words += ["-c", given["c"]]
    return (yield from _become(p, fields, words + operands[1:], env, fields[5] if login else None))
