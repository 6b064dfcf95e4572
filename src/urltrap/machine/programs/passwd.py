"""passwd and chpasswd: change passwords, so that the new one lets in and the old one does not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import bb_usage
from urltrap.machine.programs._database import change, row, set_hash
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._password_hash import METHODS, new_hash
from urltrap.machine.programs._syslog import log
from urltrap.machine.programs._system import is_device, names
from urltrap.machine.programs.registry import program

_USAGE = """\
Usage: passwd [options] [LOGIN]

Options:
  -a, --all                     report password status on all accounts
  -d, --delete                  delete the password for the named account
  -e, --expire                  force expire the password for the named account
  -h, --help                    display this help message and exit
  -k, --keep-tokens             change password only if expired
  -i, --inactive INACTIVE       set password inactive after expiration
                                to INACTIVE
  -l, --lock                    lock the password of the named account
  -n, --mindays MIN_DAYS        set minimum number of days before password
                                change to MIN_DAYS
  -q, --quiet                   quiet mode
  -r, --repository REPOSITORY   change password in REPOSITORY repository
  -R, --root CHROOT_DIR         directory to chroot into
  -S, --status                  report password status on the named account
  -u, --unlock                  unlock the password of the named account
  -w, --warndays WARN_DAYS      set expiration warning days to WARN_DAYS
  -x, --maxdays MAX_DAYS        set maximum number of days before password
                                change to MAX_DAYS

"""


def ask(p: Process, prompt: str) -> Generator[Any, Any, str | None]:
    """A line read without echo after a prompt on standard error (or the terminal); None at the end of the input."""
    yield from p.err(prompt)
    terminal = p.tty(0) if p.is_tty(0) else None
    if terminal is not None:
        terminal.echo = False
    line = b""
    try:
        while not line.endswith(b"\n"):
            piece = yield from p.read(0, 1)
            if not piece:
                break
            line += piece
    finally:
        if terminal is not None:
            terminal.echo = True
    if terminal is not None:
        yield from p.err("\n")
    return decode(line.rstrip(b"\r\n")) if line else None


@program("passwd")
def passwd(p: Process) -> Run:
    """Change a password in dialogue, or lock, unlock and show accounts."""
    device = is_device(p)
    try:
        options, operands = getopt(p.argv[1:], "a:dlu", {}) if device else getopt(
            p.argv[1:], "adehi:kln:qr:R:Suw:x:",
            {"all": "", "delete": "", "expire": "", "help": "", "inactive": ":", "keep-tokens": "", "lock": "",
             "mindays": ":", "quiet": "", "root": ":", "status": "", "unlock": "", "warndays": ":", "maxdays": ":",
             "stdin": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n{bb_usage(p, 'passwd') if device else _USAGE}")
        return 1 if device else 6
    given = {name.lstrip("-")[0] if name != "--help" else "h" for name, _ in options}
    if any(name == "--stdin" for name, _ in options):
        yield from p.err(f"{p.argv[0]}: unrecognized option '--stdin'\n{_USAGE}")
        return 6
    if "h" in given:
        yield from p.out(_USAGE)
        return 0
    mine = names(p).get(p.uid, "root")
    name = operands[0] if operands else mine
    entry = row(p, "/etc/passwd", name)
    if entry is None:
        yield from p.err(
            f"passwd: user '{name}' does not exist\n"
            if not is_device(p)
            else f"passwd: unknown user {name}\n"
        )
        return 1
    if p.uid and name != mine:
        yield from p.err(f"passwd: You may not view or modify password information for {name}.\n")
        return 1
    if given & set("dluSe"):
        return (yield from _manage(p, name, given))
    return (yield from _dialogue(p, name))


def _manage(p: Process, name: str, given: set[str]) -> Run:
    if "S" in given:
        shadow = row(p, "/etc/shadow", name) or [name, "*", "0"]
        state = "L" if shadow[1][:1] in ("!", "*") else "NP" if not shadow[1] else "P"
        day = int(shadow[2]) if len(shadow) > 2 and shadow[2].isdigit() else 0
        from datetime import UTC, datetime

        changed = datetime.fromtimestamp(day * 86_400, UTC)
        yield from p.out(f"{name} {state} {changed:%Y-%m-%d} 0 99999 7 -1\n")
        return 0
    if p.uid:
        yield from p.err("passwd: Permission denied.\n")
        return 1

    def edit(fields: list[str]) -> None:
        if "d" in given:
            fields[1] = ""
        elif "l" in given and not fields[1].startswith("!"):
            fields[1] = f"!{fields[1]}"
        elif "u" in given:
            fields[1] = fields[1].lstrip("!") or fields[1]

    entry = row(p, "/etc/shadow", name)
    if "u" in given and entry is not None and not entry[1].lstrip("!"):
        yield from p.err(
            "passwd: unlocking the password would result in a passwordless account.\n"
            "You should set a password with usermod -p to unlock the password of this account.\n"
        )
        return 3
    change(p, "/etc/shadow", name, edit)
    yield from p.out(
        "passwd: password changed.\n"
        if given & set("dlu")
        else "passwd: password expiry information changed.\n"
    )
    return 0


_UNCHANGED = "passwd: Authentication token manipulation error\npasswd: password unchanged\n"
_TRIES = 3
"""How often pam_unix(8) asks again after a password that it does not like."""


def _dialogue(p: Process, name: str) -> Run:
    if is_device(p):
        return (yield from _device_dialogue(p, name))
    current: str | None = None
    if p.uid:
        yield from p.out(f"Changing password for {name}.\n")
        current = yield from ask(p, "Current password: ")
        if current is None or not p.password_opens(name, current):
            if current:
                yield from p.sleep(1.6 + p.random(800) / 1000)
            yield from p.err(_UNCHANGED)
            return 10
    for _ in range(_TRIES):
        first = yield from ask(p, "New password: ")
        second = None if first is None else (yield from ask(p, "Retype new password: "))
        if first is None or second is None:
            yield from p.err(f"Password change has been aborted.\n{_UNCHANGED}")
            return 10
        if first != second:
            yield from p.err(f"Sorry, passwords do not match.\n{_UNCHANGED}")
            return 10
        fault = "" if first else "No password has been supplied."
        fault = fault or (_weakness(current, first) if current is not None else "")
        if not fault:
            break
        yield from p.err(fault + "\n")
    else:
        yield from p.err("passwd: Have exhausted maximum number of retries for service\n"
                         "passwd: password unchanged\n")  # fmt: skip
        return 10
    yield from p.tick(20_000)
    try:
        changed = set_hash(p, name, new_hash(p, first))
    except SysError:  # the disk is full
        changed = False
    if not changed:  # somebody took the set-uid bit from passwd
        yield from p.err(_UNCHANGED)
        return 10
    log(p, "passwd", f"pam_unix(passwd:chauthtok): password changed for {name}")
    yield from p.err("passwd: password updated successfully\n")
    return 0


def _weakness(old: str, new: str) -> str:
    """What pam_unix's "obscure" checks say of an ordinary user's choice; empty where it will do."""
    if new == old:
        return "The password has not been changed."
    if len(new) < 6:
        return "You must choose a longer password."
    folded, before = new.lower(), old.lower()
    if folded == folded[::-1]:
        return "Bad: new password cannot be a palindrome"
    if folded == before:
        return "Bad: new and old password must differ by more than just case"
    if sum(letter in before for letter in set(folded)) * 2 > len(folded) and len(new) < 8:
        return "Bad: new and old password are too similar"
    kinds = (str.isdigit, str.isupper, str.islower, lambda letter: not letter.isalnum())
    if 9 - sum(any(map(kind, new)) for kind in kinds) > len(new):
        return "Bad: new password is too simple"
    if folded in before * 2:
        return "Bad: new password is just a wrapped version of the old one"
    return ""


def _device_dialogue(p: Process, name: str) -> Run:
    """BusyBox' own dialogue (loginutils/passwd.c)."""
    yield from p.out(f"Changing password for {name}\n")
    if p.uid:
        current = yield from ask(p, "Old password: ")
        if current is None or not p.password_opens(name, current):
            yield from p.sleep(3.0)
            yield from p.err(
                f"passwd: incorrect password for {name}\npasswd: password for {name} is unchanged\n"
            )
            return 1
    first = yield from ask(p, "New password: ")
    second = None if first is None else (yield from ask(p, "Retype password: "))
    if first is None or second is None:
        yield from p.err(f"passwd: password for {name} is unchanged\n")
        return 1
    if len(first) < 6:
        yield from p.out("Bad password: too short\n")
    if first != second:
        yield from p.err(f"Passwords don't match\npasswd: password for {name} is unchanged\n")
        return 1
    yield from p.tick(20_000)
    set_hash(p, name, new_hash(p, first))
    yield from p.out(f"passwd: password for {name} changed by {names(p).get(p.uid, 'root')}\n")
    return 0


_CHPASSWD = """\
Usage: chpasswd [options]

Options:
  -c, --crypt-method METHOD     the crypt method (one of NONE DES MD5 SHA256 SHA512 YESCRYPT)
  -e, --encrypted               supplied passwords are encrypted
  -h, --help                    display this help message and exit
  -m, --md5                     encrypt the clear text password using
                                the MD5 algorithm
  -R, --root CHROOT_DIR         directory to chroot into
  -s, --sha-rounds              number of rounds for the SHA, BCRYPT
                                or YESCRYPT crypt algorithms

"""


@program("chpasswd")
def chpasswd(p: Process) -> Run:
    """Change the passwords that standard input lists as NAME:PASSWORD."""
    try:
        options, _ = getopt(
            p.argv[1:], "c:ehmR:s:",
            {"crypt-method": ":", "encrypted": "", "help": "", "md5": "", "root": ":", "sha-rounds": ":"},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n{_CHPASSWD}")
        return 2
    given = {name.lstrip("-")[0] if name != "--help" else "h": value for name, value in options}
    if "h" in given:
        yield from p.out(_CHPASSWD)
        return 0
    method = "MD5" if "m" in given else given.get("c")
    if method is not None and method not in (*METHODS, "NONE", "DES"):
        yield from p.err(f"{p.argv[0]}: unsupported crypt method: {method}\n{_CHPASSWD}")
        return 2
    data = yield from p.read_all(0, 65_536)
    status = 0
    pending: list[tuple[str, str]] = []
    for number, line in enumerate(data.splitlines()[:64], 1):
        name, colon, secret = decode(line).partition(":")
        if not colon:
            yield from p.err(f"{p.argv[0]}: line {number}: missing new password\n")
            status = 1
            continue
        if p.uid and "e" not in given and method is None:
            yield from p.out(f"Changing password for {name}.\n")
        elif not p.uid and not secret and method is None and not is_device(p) and "e" not in given:
            yield from p.err("No password has been supplied.\n" * _TRIES)
        if not p.uid and "e" in given and row(p, "/etc/passwd", name) is None:
            yield from p.err(f"{p.argv[0]}: line {number}: user '{name}' does not exist\n")
            status = 1
            continue
        if p.uid or row(p, "/etc/shadow", name) is None or (not secret and not is_device(p)):
            yield from p.err(
                f"{p.argv[0]}: (user {name}) pam_chauthtok() failed, error:\nAuthentication token manipulation "
                f"error\n{p.argv[0]}: (line {number}, user {name}) password not changed\n"
            )
            status = 1
            continue
        yield from p.tick(20_000)
        plain = "e" in given or method == "NONE"
        new = secret if plain else new_hash(p, secret, method if method in METHODS else None)
        if "e" in given and not is_device(p):
            pending.append((name, new))
            continue
        set_hash(p, name, new)
        log(p, "chpasswd", f"pam_unix(chpasswd:chauthtok): password changed for {name}")
        if is_device(p):
            yield from p.out(f"chpasswd: password for '{name}' changed\n")
    if "e" in given and status:  # without PAM it is all or nothing
        yield from p.err(f"{p.argv[0]}: error detected, changes ignored\n")
        return status
    for name, new in pending:
        set_hash(p, name, new)
    return status
