"""adduser and gpasswd: Debian's friendly ways to make an account, or to put a user into a group."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._database import (
    change,
    copy_tree,
    exists,
    free_number,
    join_groups,
    leave_group,
    row,
    rows,
    save,
)
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.groupadd import groupadd
from urltrap.machine.programs.passwd import ask
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.useradd import NAME

_LONG = {
    "uid": ":", "firstuid": ":", "lastuid": ":", "gid": ":", "firstgid": ":", "lastgid": ":", "ingroup": ":",
    "add-extra-groups": "", "shell": ":", "comment": ":", "gecos": ":", "home": ":", "no-create-home": "",
    "allow-all-names": "", "allow-bad-names": "", "force-badname": "", "allow-badname": "", "disabled-password": "",
    "disabled-login": "", "conf": ":", "quiet": "", "verbose": "", "debug": "", "system": "", "group": "", "help": "",
    "version": "", "encrypt-home": "",
}  # fmt: skip
_USAGE = """\
adduser [--uid id] [--firstuid id] [--lastuid id]
        [--gid id] [--firstgid id] [--lastgid id] [--ingroup group]
        [--add-extra-groups] [--shell shell]
        [--comment comment] [--home dir] [--no-create-home]
        [--allow-all-names] [--allow-bad-names]
        [--disabled-password] [--disabled-login]
        [--conf file] [--quiet] [--verbose] [--debug]
        user
    Add a normal user

adduser --system
        [--uid id] [--group] [--ingroup group] [--gid id]
        [--shell shell] [--comment comment] [--home dir] [--no-create-home]
        [--conf file] [--quiet] [--verbose] [--debug]
        user
   Add a system user

adduser --group
        [--gid ID] [--firstgid id] [--lastgid id]
        [--conf file] [--quiet] [--verbose] [--debug]
        group
addgroup
        [--gid ID] [--firstgid id] [--lastgid id]
        [--conf file] [--quiet] [--verbose] [--debug]
        group
   Add a user group

addgroup --system
        [--gid id]
        [--conf file] [--quiet] [--verbose] [--debug]
        group
   Add a system group

adduser USER GROUP
   Add an existing user to an existing group
"""
_BAD_NAME = """\
adduser: Please enter a username matching the regular expression
            configured via the NAME_REGEX configuration variable.  Use the
            `--allow-bad-names' option to relax this check or reconfigure
            NAME_REGEX in configuration.
"""
_FIELDS = ("Full Name", "Room Number", "Work Phone", "Home Phone", "Other")


@program("adduser")
def adduser(p: Process) -> Run:
    """Make an account in dialogue, or put a user into a group."""
    if p.argv[0].rpartition("/")[2] == "addgroup":
        return (yield from groupadd(p))
    try:
        options, words = getopt(p.argv[1:], "", _LONG)
    except OptionError as error:
        name = str(error).rpartition("option '")[2].lstrip("-").rstrip("'")
        yield from p.out(_USAGE)
        yield from p.err(f"Unknown option: {name}\n")
        return 1
    given = {name.lstrip("-"): value for name, value in options}
    if "help" in given:
        yield from p.out(_USAGE)
        return 0
    if p.uid:
        yield from p.err("adduser: Only root may add a user or group to the system.\n")
        return 1
    if not 0 < len(words) <= 2:
        yield from p.err("adduser: Only one or two names allowed.\n" if words else
                         "adduser: No name for the user to be added given\n")  # fmt: skip
        return 1
    name = words[0]
    if len(words) == 2:
        return (yield from _into(p, name, words[1]))
    system = "system" in given
    if not NAME.match(name) and not given.keys() & {"allow-bad-names", "allow-all-names", "force-badname"}:
        yield from p.err(_BAD_NAME)
        return 1
    if row(p, "/etc/passwd", name) is not None:
        if system:
            yield from p.out(f"The system user `{name}' already exists. Exiting.\n")
            return 0
        yield from p.err(f"adduser: The user `{name}' already exists.\n")
        return 1
    return (yield from _make(p, name, given, system))


def _into(p: Process, name: str, group: str) -> Run:
    if row(p, "/etc/passwd", name) is None or row(p, "/etc/group", group) is None:
        kind, which = ("user", name) if row(p, "/etc/passwd", name) is None else ("group", group)
        yield from p.err(f"adduser: The {kind} `{which}' does not exist.\n")
        return 1
    members = (row(p, "/etc/group", group) or ["", "", "", ""])[3].split(",")
    if name in members:
        yield from p.out(f"adduser: The user `{name}' is already a member of `{group}'.\n")
        return 0
    yield from p.out(f"Adding user `{name}' to group `{group}' ...\n")
    join_groups(p, name, [group], append=True)
    yield from p.out("Done.\n")
    return 0


def _make(p: Process, name: str, given: dict[str, str], system: bool) -> Run:
    low, high = (100, 999) if system else (1000, 59_999)
    uid = int(given["uid"]) if given.get("uid", "").isdecimal() else free_number(p, "/etc/passwd", low, high)
    group = given.get("ingroup", "nogroup" if system and "group" not in given else name)
    known = row(p, "/etc/group", group)
    gid = int(known[2]) if known is not None else free_number(p, "/etc/group", low, high)
    said = f"Adding {'system ' if system else ''}user `{name}'"
    said += f" (UID {uid}) ...\n" if system else " ...\n"
    if known is None:
        said += f"Adding new group `{group}' ({'GID ' if system else ''}{gid}) ...\n"
        save(p, "/etc/group", [*rows(p, "/etc/group"), [group, "x", str(gid), ""]])
    said += (
        f"Adding new user `{name}' (UID {uid}) with group `{group}' ...\n"
        if system
        else f"Adding new user `{name}' ({uid}) with group `{group} ({gid})' ...\n"
    )
    home = given.get("home", "/nonexistent" if system else f"/home/{name}")
    creates = "no-create-home" not in given and home != "/nonexistent"
    if creates and not exists(p, home):
        said += f"Creating home directory `{home}' ...\n"
        said += "" if system else "Copying files from `/etc/skel' ...\n"
    elif not system and creates:
        said += f"The home directory `{home}' already exists.  Not copying from `/etc/skel'.\n"
    else:
        said += f"Not creating home directory `{home}'.\n"
    comment = given.get("gecos", given.get("comment"))
    shell = given.get("shell", "/usr/sbin/nologin" if system else "/bin/bash")
    yield from p.out("" if "quiet" in given else said)
    entry = [name, "x", str(uid), str(gid), comment if comment is not None else "", home, shell]
    save(p, "/etc/passwd", [*rows(p, "/etc/passwd"), entry])
    day = str(int(p.now() // 86_400))
    save(p, "/etc/shadow", [*rows(p, "/etc/shadow"), [name, "!", day, "0", "99999", "7", "", "", ""]])
    if creates:
        copy_tree(p, "/etc/skel" if not system else "/nonexistent", home, uid, gid)
    if system:
        return 0
    if not given.keys() & {"disabled-password", "disabled-login"}:
        yield from _password(p, name)
    if comment is None:
        yield from _about(p, name)
    if row(p, "/etc/group", "users") is not None and p.persona.is_server:
        yield from p.out(
            f"Adding new user `{name}' to supplemental / extra groups `users' ...\n"
            f"Adding user `{name}' to group `users' ...\n"
        )
        join_groups(p, name, ["users"], append=True)
    return 0


def _password(p: Process, name: str) -> Run:
    while True:
        ended = yield from p.wait(p.spawn(["passwd", name]))
        if ended is None or ended[1] == 0:
            return 0
        yield from p.out("Try again? [y/N] ")
        answer = yield from _line(p)
        if not answer.lower().startswith(b"y"):
            return 1


def _about(p: Process, name: str) -> Run:
    while True:
        yield from p.out(
            f"Changing the user information for {name}\nEnter the new value, or press ENTER for the default\n"
        )
        values = []
        for field in _FIELDS:
            yield from p.out(f"\t{field} []: ")
            values.append((yield from _line(p)).strip().decode("utf-8", "surrogateescape"))
        _set(p, name, ",".join(values[:4]))
        yield from p.out("Is the information correct? [Y/n] ")
        answer = yield from _line(p)
        if not answer.lower().startswith(b"n"):
            return 0


def _set(p: Process, name: str, gecos: str) -> None:
    def edit(fields: list[str]) -> None:
        fields[4] = gecos

    change(p, "/etc/passwd", name, edit)


def _line(p: Process) -> Generator[Any, Any, bytes]:
    line = b""
    while not line.endswith(b"\n"):
        piece = yield from p.read(0, 1)
        if not piece:
            break
        line += piece
    return line


@program("gpasswd")
def gpasswd(p: Process) -> Run:
    """Administer a group: members in and out."""
    try:
        options, words = getopt(
            p.argv[1:], "a:d:hQ:rRA:M:",
            {"add": ":", "delete": ":", "help": "", "root": ":", "remove-password": "", "restrict": "",
             "administrators": ":", "members": ":"},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\nUsage: gpasswd [option] GROUP\n\n")
        return 2
    given = {name.lstrip("-")[0]: value for name, value in options}
    if len(words) != 1:
        yield from p.err("Usage: gpasswd [option] GROUP\n\n")
        return 2
    group = words[0]
    if row(p, "/etc/group", group) is None:
        yield from p.err(f"gpasswd: group '{group}' does not exist in /etc/group\n")
        return 3
    if p.uid:
        yield from p.err("gpasswd: Permission denied.\n")
        return 1
    user = given.get("a", given.get("d"))
    if user is not None and row(p, "/etc/passwd", user) is None:
        yield from p.err(f"gpasswd: user '{user}' does not exist\n")
        return 3
    if "a" in given:
        yield from p.out(f"Adding user {user} to group {group}\n")
        join_groups(p, given["a"], [group], append=True)
    elif "d" in given:
        yield from p.out(f"Removing user {user} from group {group}\n")
        if not leave_group(p, given["d"], group):
            yield from p.err(f"gpasswd: user '{user}' is not a member of '{group}'\n")
            return 3
    elif "M" in given:
        change(p, "/etc/group", group, lambda fields: fields.__setitem__(3, given["M"]))
    elif not given:
        yield from p.out(f"Changing the password for group {group}\n")
        first = yield from ask(p, "New Password: ")
        second = yield from ask(p, "Re-enter new password: ")
        if first != second or first is None:
            yield from p.err("They don't match; try again\n")
            return 1
    return 0
