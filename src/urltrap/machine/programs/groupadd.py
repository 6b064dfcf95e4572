"""groupadd, groupmod and groupdel: groups."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._database import change, free_number, remove, row, rows, save
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.useradd import refuse

_NAME = re.compile(r"^[a-z0-9_][a-z0-9_.-]{0,31}\$?$", re.IGNORECASE)
_LONG = {"force": "", "gid": ":", "help": "", "key": ":", "non-unique": "", "password": ":", "system": "", "root": ":",
         "prefix": ":", "new-name": ":", "append": "", "users": ":"}  # fmt: skip


def _given(p: Process, letters: str) -> tuple[dict[str, str], list[str]]:
    options, operands = getopt(p.argv[1:], letters, _LONG)
    return {name.lstrip("-")[0]: value for name, value in options}, operands


@program("groupadd", "addgroup")
def groupadd(p: Process) -> Run:
    """Make a group."""
    try:
        given, words = _given(p, "fg:hK:op:rR:P:U:")
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\nUsage: groupadd [options] GROUP\n\n")
        return 2
    if len(words) != 1:
        yield from p.err("Usage: groupadd [options] GROUP\n\n")
        return 2
    name = words[0]
    if "g" in given and not given["g"].isdecimal():
        yield from p.err(f"groupadd: invalid group ID '{given['g']}'\n")
        return 3
    if row(p, "/etc/group", name) is not None:
        if "f" in given:
            return 0
        yield from p.err(f"groupadd: group '{name}' already exists\n")
        return 9
    if not _NAME.match(name):
        yield from p.err(f"groupadd: '{name}' is not a valid group name\n")
        return 3
    if p.uid:
        return (yield from refuse(p, "groupadd"))
    taken = {fields[2] for fields in rows(p, "/etc/group")}
    gid = given.get("g", "")
    if gid in taken and "o" not in given:
        if "f" not in given:
            yield from p.err(f"groupadd: GID '{gid}' already exists\n")
            return 4
        gid = ""
    low, high = (100, 999) if "r" in given else (1000, 60_000)
    gid = gid or str(free_number(p, "/etc/group", low, high))
    save(p, "/etc/group", [*rows(p, "/etc/group"), [name, "x", gid, given.get("U", "")]])
    return 0


@program("groupmod")
def groupmod(p: Process) -> Run:
    """Change a group's name or number."""
    try:
        given, words = _given(p, "ag:hn:op:R:P:U:")
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\nUsage: groupmod [options] GROUP\n\n")
        return 2
    if len(words) != 1:
        yield from p.err("Usage: groupmod [options] GROUP\n\n")
        return 2
    name, gid, new = words[0], given.get("g", ""), given.get("n", "")
    if gid and not gid.isdecimal():
        yield from p.err(f"groupmod: invalid group ID '{gid}'\n")
        return 3
    found = row(p, "/etc/group", name)
    if found is None:
        yield from p.err(f"groupmod: group '{name}' does not exist\n")
        return 6
    if gid and gid != found[2] and "o" not in given and any(each[2] == gid for each in rows(p, "/etc/group")):
        yield from p.err(f"groupmod: GID '{gid}' already exists\n")
        return 4
    if new and new != name and row(p, "/etc/group", new) is not None:
        yield from p.err(f"groupmod: group '{new}' already exists\n")
        return 9
    if p.uid:
        return (yield from refuse(p, "groupmod"))
    before = found[2]

    def edit(fields: list[str]) -> None:
        fields[0], fields[2] = new or fields[0], gid or fields[2]

    change(p, "/etc/group", name, edit)
    if gid:
        users = [
            [*each[:3], gid, *each[4:]] if each[3] == before else each for each in rows(p, "/etc/passwd")
        ]
        save(p, "/etc/passwd", users)
    return 0


@program("groupdel", "delgroup")
def groupdel(p: Process) -> Run:
    """Remove a group."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if not words:
        yield from p.err("Usage: groupdel [options] GROUP\n\n")
        return 2
    found = row(p, "/etc/group", words[0])
    if found is None:
        yield from p.err(f"groupdel: group '{words[0]}' does not exist\n")
        return 6
    if p.uid:
        return (yield from refuse(p, "groupdel"))
    if any(fields[3] == found[2] for fields in rows(p, "/etc/passwd")):
        yield from p.err(f"groupdel: cannot remove the primary group of user '{words[0]}'\n")
        return 8
    remove(p, "/etc/group", words[0])
    return 0
