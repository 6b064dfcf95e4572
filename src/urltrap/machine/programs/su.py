"""su, runuser and login: become another user by his password, or without one as root."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._syslog import log, session
from urltrap.machine.programs._system import account, is_device
from urltrap.machine.programs.passwd import ask
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.sudo import ROOT_PATH

USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
_DEVICE_PATH = "/sbin:/usr/sbin:/bin:/usr/bin"
_TRIES = 3


@program("su", "runuser")
def su(p: Process) -> Run:
    """Become another user by a log-in or a plain shell."""
    me = p.argv[0].rpartition("/")[2]
    words = ["-l" if word == "-" else word for word in p.argv[1:]]
    try:
        options, operands = getopt(
            words, "c:flmps:g:G:PTw:hVu:",
            {"command": ":", "login": "", "shell": ":", "preserve-environment": "", "fast": "", "pty": "",
             "group": ":", "session-command": ":", "help": "", "version": "", "user": ":"},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{me}: {error}\nTry '{me} --help' for more information.\n")
        return 1
    given = {name.lstrip("-")[0] if len(name) > 1 else name: value for name, value in options}
    if me == "runuser" and p.uid:
        yield from p.err("runuser: may not be used by non-root users\n")
        return 1
    direct = me == "runuser" and "u" in given
    name = given["u"] if direct else operands[0] if operands else "root"
    fields = account(p, name)
    if fields is None:
        yield from p.err(
            f"su: unknown user {name}\n"
            if is_device(p)
            else f"{me}: user {name} does not exist or the user entry does not contain all the required fields\n"
        )
        return 1
    if p.uid:
        secret = yield from ask(p, "Password: ")
        if not p.set_uid:
            yield from p.err("su: must be suid to work properly\n" if is_device(p) else
                             "su: cannot set groups: Operation not permitted\n")  # fmt: skip
            return 1
        if secret is None or not p.password_opens(name, secret):
            if secret is not None:
                yield from p.sleep(1.6 + p.random(800) / 1000)
            yield from p.err("su: incorrect password\n" if is_device(p) else "su: Authentication failure\n")
            return 1
    if direct:
        return (yield from _start(p, me, fields, operands, dict(p.env), None))
    shell = given.get("s", fields[6] or "/bin/sh")
    if shell.endswith("nologin") and "s" not in given:
        yield from p.out("This account is currently not available.\n")
        return 1
    if shell.endswith("/false") and "s" not in given:
        return 1
    env = dict(p.env)
    if "m" not in given and "p" not in given:
        env |= {"HOME": fields[5], "SHELL": shell}
        if fields[2] != "0":
            env |= {"USER": name, "LOGNAME": name}
        if p.persona.is_server:
            env["MAIL"] = f"/var/mail/{name}"
    if "l" in given:
        env = {
            "HOME": fields[5],
            "SHELL": shell,
            "USER": name,
            "LOGNAME": name,
            "PATH": path_of(p, fields[2]),
        }
        if p.persona.is_server:
            env["MAIL"] = f"/var/mail/{name}"
        if "TERM" in p.env:
            env["TERM"] = p.env["TERM"]
    argv = [f"-{shell.rpartition('/')[2]}" if "l" in given else shell.rpartition("/")[2]]
    if "c" in given:
        argv += ["-c", given["c"]]
    cwd = fields[5] if "l" in given else None
    return (yield from _start(p, me, fields, argv + operands[1:], env, cwd, shell))


def path_of(p: Process, uid: str) -> str:
    """The PATH that a log-in begins with (login.defs; a device has one for all)."""
    return _DEVICE_PATH if not p.persona.is_server else ROOT_PATH if uid == "0" else USER_PATH


def _start(
    p: Process,
    me: str,
    fields: list[str],
    argv: list[str],
    env: dict[str, str],
    cwd: str | None,
    path: str | None = None,
) -> Run:
    if not argv:
        yield from p.err(f"{me}: no command was specified\n")
        return 1
    p.trap_signal(2, "ignore")
    uid = int(fields[2])
    if cwd is not None:
        try:
            p.owner_fs.listdir(cwd)
        except SysError as error:
            yield from p.err(f"{me}: warning: cannot change directory to {cwd}: {error.words}\n")
            cwd = None
    try:
        pid = p.spawn(argv, path=path, env=env, cwd=cwd, uid=uid if uid != p.uid else None)
    except SysError as error:
        yield from p.err(f"{me}: failed to execute {path or argv[0]}: {error.words}\n")
        return 127 if error.words.startswith("No such") else 126
    service = f"{me}-l" if cwd is not None and me == "su" else me
    place = p.tty(0).name if p.is_tty(0) else "none"
    log(p, me, f"(to {fields[0]}) {p.user} on {place}")
    session(p, service, fields[0], uid, opened=True)
    ended = yield from p.wait(pid)
    session(p, service, fields[0], uid, opened=False)
    return ended[1] if ended is not None else 0


@program("login")
def login(p: Process) -> Run:
    """Ask for a name and a password on a terminal, and start that user's shell."""
    if p.uid:
        yield from p.err("login: must be suid to work properly\n" if is_device(p) else
                         "login: Cannot possibly work without effective root\n")  # fmt: skip
        return 1
    try:
        options, operands = getopt(p.argv[1:], "f:h:pHr:V", {"help": "", "version": ""})
    except OptionError as error:
        yield from p.err(f"login: {error}\n")
        return 1
    given = dict(options)
    if not p.is_tty(0):
        return 1
    name = given.get("f") or (operands[0] if operands else "")
    for number in range(_TRIES):
        if not name or number:
            name = yield from _line(p, f"{p.hostname} login: ")
        fields = account(p, name)
        if "f" not in given:
            secret = yield from ask(p, "Password: ")
            if secret is None:
                return 1
            if fields is None or not p.password_opens(name, secret):
                yield from p.sleep(3.0)
                yield from p.out("\nLogin incorrect\n")
                continue
        if fields is None:
            yield from p.out("\nLogin incorrect\n")
            return 1
        shell = fields[6] or "/bin/sh"
        for path in ("/run/motd.dynamic", "/etc/motd"):
            try:
                yield from p.write(1, p.fs.read(path, 100_000))
            except SysError:
                continue  # no such message
        env = {"HOME": fields[5], "SHELL": shell, "USER": name, "LOGNAME": name, "PATH": path_of(p, fields[2]),
               "TERM": p.env.get("TERM", "dumb")}  # fmt: skip
        return (
            yield from _start(p, "login", fields, [f"-{shell.rpartition('/')[2]}"], env, fields[5], shell)
        )
    return 1


def _line(p: Process, prompt: str) -> Generator[Any, Any, str]:
    yield from p.out(prompt)
    line = b""
    while not line.endswith(b"\n"):
        piece = yield from p.read(0, 1)
        if not piece:
            break
        line += piece
    return decode(line.strip())
