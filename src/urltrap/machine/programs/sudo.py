"""sudo: run a command as another user, where /etc/sudoers says so and the password is right."""

from __future__ import annotations

import struct

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._database import rows
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._sudoers import Grant, sudoers
from urltrap.machine.programs._syslog import log, session
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
ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TRIES = 3
_REMEMBERED = 900.0
"""Seconds for which a password is not asked again on the same terminal (timestamp_timeout)."""
_TICKET = struct.Struct("<HHHHIIqqqqQ")
"""struct timestamp_entry of sudo's timestamp.h: version, size, type, flags, uid, session, start, time, terminal."""
_SHORT = {"--user": "u", "--login": "i", "--shell": "s", "--list": "l", "--non-interactive": "n", "--stdin": "S",
          "--validate": "v", "--version": "V", "--help": "h", "--remove-timestamp": "K", "--reset-timestamp": "k",
          "--prompt": "p", "--background": "b", "--other-user": "U"}  # fmt: skip


@program("sudo", "sudoedit")
def sudo(p: Process) -> Run:
    """Run a command as another user."""
    try:
        options, words = getopt(
            p.argv[1:], "+ABbC:D:Eeg:Hhi" + "KkllNnPp:R:r:SsT:t:U:u:Vv",
            {"user": ":", "login": "", "shell": "", "list": "", "non-interactive": "", "stdin": "",
             "validate": "", "version": "", "help": "", "preserve-env": "::", "set-home": "", "background": "",
             "group": ":", "prompt": ":", "remove-timestamp": "", "reset-timestamp": "", "other-user": ":"},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"sudo: {error}\n{_USAGE}")
        return 1
    given = {_SHORT.get(name, name): value for name, value in options}
    if "V" in given:
        version = p.persona.tools.sudo
        yield from p.out(
            f"Sudo version {version}\nSudoers policy plugin version {version}\nSudoers file grammar version 50\n"
        )
        return 0
    if "h" in given:
        yield from p.out(f"sudo - execute a command as another user\n\n{_USAGE}")
        return 0
    if p.uid and not p.set_uid:
        yield from p.err("sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set\n")
        return 1
    asked: dict[str, str] = {}
    while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
        name, _, value = words.pop(0).partition("=")
        asked[name] = value
    caller = names(p).get(p.uid, str(p.uid))
    if "K" in given or ("k" in given and not words):
        _forget(p, caller)
        return 0
    if not words and not given.keys() & {"i", "s", "l", "v"}:
        yield from p.err(_USAGE)
        return 1
    target = account(p, given.get("u", "root").lstrip("#"))
    if target is None:
        yield from p.err(
            f"sudo: unknown user {given.get('u')}\nsudo: error initializing audit plugin sudoers_audit\n"
        )
        return 1
    member_of = [
        fields[0] for fields in rows(p, "/etc/group") if len(fields) > 3 and caller in fields[3].split(",")
    ]
    rules = sudoers(p, caller, member_of)
    path = _found(p, words[0]) if words else ""
    fitting = [grant for grant in rules.grants if not path or grant.covers(path, [path, *words[1:]])]
    if p.uid:
        free = (
            bool(fitting)
            and fitting[-1].free
            and ("l" not in given or all(each.free for each in rules.grants))
        )
        if not free and not (yield from _authenticated(p, caller, given)):
            return 1
        if not rules.grants and "l" in given:
            yield from p.err(f"Sorry, user {caller} may not run sudo on {p.hostname}.\n")
            return 1
        if not rules.grants:
            yield from p.err(f"{caller} is not in the sudoers file.\n")
            return 1
        if not fitting and "l" not in given:
            line = " ".join([path or words[0], *words[1:]])
            yield from p.err(
                f"Sorry, user {caller} is not allowed to execute '{line}' as {target[0]} on {p.hostname}.\n"
            )
            return 1
    if "l" in given:
        if words:
            yield from p.out(" ".join([path, *words[1:]]) + "\n" if path else "")
            return 0 if path else 1
        yield from _list(p, caller, rules.defaults, rules.grants)
        return 0
    if not words and not given.keys() & {"i", "s"}:
        return 0
    env = _environment(p, target, keep="E" in given or "--preserve-env" in given)
    env["SUDO_COMMAND"] = " ".join([path, *words[1:]]) if words else target[6]
    env |= {"SUDO_USER": caller, "SUDO_UID": str(p.uid), "SUDO_GID": str(p.gid), **asked}
    if "i" in given or "s" in given:
        shell = target[6] if "i" in given else p.env.get("SHELL", target[6])
        words = [shell, "-c", " ".join(words)] if words else [shell]
        if "i" in given:
            words = ["-" + shell.rpartition("/")[2], *words[1:]]
            return (yield from _run(p, int(target[2]), words, env, target[5], shell))
    return (yield from _run(p, int(target[2]), words, env, None, None))


def _environment(p: Process, target: list[str], *, keep: bool) -> dict[str, str]:
    """The variables that env_reset leaves (sudoers(5)), in the order in which sudo hands them on."""
    kept = {
        name: value
        for name, value in p.env.items()
        if keep
        or name in ("LANG", "LANGUAGE", "DISPLAY", "XAUTHORITY", "COLORTERM")
        or name.startswith("LC_")
    }
    return kept | {
        "PATH": ROOT_PATH, "MAIL": f"/var/mail/{target[0]}", "LOGNAME": target[0], "USER": target[0],
        "HOME": target[5], "SHELL": target[6], "TERM": p.env.get("TERM", "unknown"),
    }  # fmt: skip


def _run(
    p: Process, uid: int, words: list[str], env: dict[str, str], cwd: str | None, path: str | None
) -> Run:
    p.trap_signal(2, "ignore")
    try:
        pid = p.spawn(words, path=path, env=env, cwd=cwd, uid=uid if uid != p.uid else None)
    except SysError as error:
        what = "command not found" if "/" not in words[0] else error.words
        name = words[0]
        if what != "command not found":
            what = (
                f"unable to execute {name}: {what}" if not what.startswith("No such") else "command not found"
            )
        yield from p.err(f"sudo: {what}\n" if what.startswith("unable") else f"sudo: {name}: {what}\n")
        return 1
    place = f"TTY={p.tty(0).name} ; " if p.is_tty(0) else ""
    line, target = env.get("SUDO_COMMAND", words[0]), env.get("USER", "root")
    log(p, "sudo", f"{p.user:>8} : {place}PWD={p.cwd} ; USER={target} ; COMMAND={line}")
    session(p, "sudo", target, uid, opened=True)
    ended = yield from p.wait(pid)
    session(p, "sudo", target, uid, opened=False)
    return ended[1] if ended is not None else 0


def _found(p: Process, name: str) -> str:
    if "/" in name:
        return name
    for folder in ROOT_PATH.split(":"):
        if p.owner_fs.access(f"{folder}/{name}", 1):
            return f"{folder}/{name}" if folder not in ("/bin", "/sbin") else f"/usr{folder}/{name}"
    return ""


def _list(p: Process, caller: str, defaults: tuple[str, ...], grants: tuple[Grant, ...]) -> Run:
    columns = p.window()[0] if p.is_tty(1) else 0
    if defaults:
        text, width = "    ", 4
        for number, each in enumerate(defaults):
            piece = each.replace('"', "").replace(":", "\\:") if each.startswith("secure_path") else each
            piece += ", " if number < len(defaults) - 1 else ""
            if columns and width > 4 and width + len(piece.rstrip()) > columns:
                text, width = text.rstrip() + "\n    ", 4
            text, width = text + piece, width + len(piece)
        yield from p.out(f"Matching Defaults entries for {caller} on {p.hostname}:\n{text}\n\n")
    yield from p.out(f"User {caller} may run the following commands on {p.hostname}:\n")
    for grant in grants:
        yield from p.out(f"    {grant.shown}\n")
    return 0


def _authenticated(p: Process, caller: str, given: dict[str, str]) -> Run:
    """1 where the caller gave his password, now or on this terminal a while ago."""
    if _remembered(p, caller) and "k" not in given:
        return 1
    if "n" in given:
        yield from p.err("sudo: a password is required\n")
        return 0
    terminal = p.is_tty(0)
    if not terminal and "S" not in given:
        yield from p.err(
            "sudo: a terminal is required to read the password; either use the -S option to read from standard input "
            "or configure an askpass helper\nsudo: a password is required\n"
        )
        return 0
    prompt = given.get("p", "[sudo] password for %p: ").replace("%p", caller).replace("%u", "root")
    wrong = 0
    while wrong < _TRIES:
        secret = yield from ask(p, prompt)
        if secret is None:
            said = f"sudo: {wrong} incorrect password attempt{'s' if wrong > 1 else ''}"
            said = said if wrong else "sudo: a password is required"
            yield from p.err(f"\nsudo: no password was provided\n{said}\n")
            return 0
        if p.password_opens(caller, secret):
            _remember(p, caller)
            return 1
        yield from p.sleep(1.6 + p.random(800) / 1000)
        wrong += 1
        if wrong < _TRIES:
            yield from p.err("Sorry, try again.\n")
    yield from p.err(f"sudo: {wrong} incorrect password attempts\n")
    return 0


def _ticket(p: Process, caller: str) -> tuple[str, int, int]:
    """(file, kind of record, what it is for): the terminal, or the parent where there is none."""
    path = f"/run/sudo/ts/{caller}"
    if not p.is_tty(0):
        return path, 4, p.ppid
    return path, 2, 0x8800 + int(p.tty(0).name.rpartition("/")[2] or 0)


def _remembered(p: Process, caller: str) -> bool:
    path, kind, where = _ticket(p, caller)
    try:
        data = p.owner_fs.read(path, 100 * _TICKET.size)
    except SysError:
        return False
    for at in range(0, len(data) - _TICKET.size + 1, _TICKET.size):
        _, _, found, _, _, _, _, _, when, _, place = _TICKET.unpack_from(data, at)
        if (found, place) == (kind, where) and 0 <= p.now() - p.boot_time - when < _REMEMBERED:
            return True
    return False


def _remember(p: Process, caller: str) -> None:
    path, kind, where = _ticket(p, caller)
    record = _TICKET.pack(2, _TICKET.size, kind, 0, p.uid, 0, 0, 0, int(p.now() - p.boot_time), 0, where)
    for folder in ("/run/sudo", "/run/sudo/ts"):
        try:
            p.owner_fs.mkdir(folder, 0o711 if folder == "/run/sudo" else 0o700)
        except SysError:
            continue  # it is there
    try:
        p.owner_fs.write(path, record, mode=0o600, append=True)
    except SysError:
        pass  # the disk is full: it asks again


def _forget(p: Process, caller: str) -> None:
    try:
        p.owner_fs.unlink(f"/run/sudo/ts/{caller}")
    except SysError:
        pass  # there was none
