"""useradd, usermod, userdel and deluser: accounts."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._database import (
    change,
    copy_tree,
    exists,
    free_number,
    join_groups,
    remove,
    remove_tree,
    row,
    rows,
    save,
)
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._syslog import log
from urltrap.machine.programs._when import parse
from urltrap.machine.programs.registry import program

NAME = re.compile(r"^(?![0-9]+$)[a-z0-9_][a-z0-9_.-]{0,31}\$?$", re.I)
"""What Debian's useradd takes: no number alone, no dash in front."""
_USERADD = {
    "badname": "", "base-dir": ":", "comment": ":", "home-dir": ":", "defaults": "", "expiredate": ":", "inactive": ":",
    "gid": ":", "groups": ":", "help": "", "skel": ":", "key": ":", "no-log-init": "", "create-home": "",
    "no-create-home": "",
    "no-user-group": "", "non-unique": "", "password": ":", "system": "", "root": ":", "prefix": ":",
    "shell": ":", "uid": ":",
    "user-group": "",
}  # fmt: skip
_USERMOD = {
    "append": "", "comment": ":", "home": ":", "expiredate": ":", "inactive": ":", "gid": ":", "groups": ":",
    "help": "",
    "login": ":", "lock": "", "move-home": "", "non-unique": "", "password": ":", "shell": ":", "uid": ":",
    "unlock": "",
    "remove": "",
}  # fmt: skip


def refuse(p: Process, name: str) -> Run:
    """What somebody else than root is told."""
    lock = "group" if name.startswith("group") else "passwd"
    yield from p.err(f"{name}: Permission denied.\n{name}: cannot lock /etc/{lock}; try again later.\n")
    return 1 if name != "groupadd" else 10


@program("useradd")
def useradd(p: Process) -> Run:
    """Make an account."""
    try:
        options, operands = getopt(p.argv[1:], "b:c:d:De:f:g:G:hk:K:lmMNop:rR:P:s:u:UZ:", _USERADD)
    except OptionError as error:
        yield from p.err(
            f"{p.argv[0]}: {error}\nUsage: useradd [options] LOGIN\n       useradd -D\n       useradd "
            f"-D [options]\n\n"
        )
        return 2
    short = {"--base-dir": "b", "--comment": "c", "--home-dir": "d", "--gid": "g", "--groups": "G",
    "--create-home": "m",
             "--non-unique": "o", "--password": "p", "--system": "r", "--shell": "s", "--uid": "u",
             "--no-create-home": "M",
             "--no-user-group": "N", "--defaults": "D", "--help": "h",
             "--expiredate": "e", "--inactive": "f"}  # fmt: skip
    given = {short.get(name, name): value for name, value in options}
    if "h" in given or (len(operands) != 1 and "D" not in given):
        told = p.recorded_answer("useradd", "--help")
        yield from p.err(told[1] if told else "Usage: useradd [options] LOGIN\n       useradd -D\n\n")
        return 0 if "h" in given else 2
    if "D" in given:
        yield from p.out(
            "GROUP=100\nHOME=/home\nINACTIVE=-1\nEXPIRE=\nSHELL=/bin/sh\nSKEL=/etc/skel\nCREATE_MAIL_SPOOL=no\nLOG_INIT=yes\n"
        )
        return 0
    name = operands[0]
    if not NAME.match(name):
        yield from p.err(f"useradd: invalid user name '{name}': use --badname to ignore\n")
        return 3
    if row(p, "/etc/passwd", name) is not None:
        yield from p.err(f"useradd: user '{name}' already exists\n")
        return 9
    if not {"g", "N"} & given.keys() and row(p, "/etc/group", name) is not None:
        words = "if you want to add this user to that group, use -g."
        yield from p.err(f"useradd: group {name} exists - {words}\n")
        return 9
    if p.uid:
        return (yield from refuse(p, "useradd"))
    system = "r" in given
    uid = free_number(p, "/etc/passwd", 100 if system else 1000, 999 if system else 60_000)
    if "u" in given:
        if not given["u"].isdigit():
            yield from p.err(f"useradd: invalid user ID '{given['u']}'\n")
            return 3
        uid = int(given["u"])
        if "o" not in given and any(fields[2] == str(uid) for fields in rows(p, "/etc/passwd")):
            yield from p.err(f"useradd: UID {uid} is not unique\n")
            return 4
    if "u" in given and not 1000 <= uid <= 60_000 and not system:
        yield from p.err(
            f"useradd warning: {name}'s uid {uid} outside of the UID_MIN 1000 and UID_MAX 60000 range.\n"
        )
    for letter, what in (("s", "shell"), ("d", "home directory")):
        if letter in given and not given[letter].startswith("/"):
            yield from p.err(f"useradd: invalid {what} '{given[letter]}'\n")
            return 3
    if "s" in given and not p.fs.access(given["s"], 1):
        yield from p.err(f"useradd: Warning: missing or non-executable shell '{given['s']}'\n")
    groups = [part for part in given.get("G", "").split(",") if part]
    for wanted in [*groups, *([given["g"]] if "g" in given else [])]:
        if row(p, "/etc/group", wanted) is None and not any(f[2] == wanted for f in rows(p, "/etc/group")):
            yield from p.err(f"useradd: group '{wanted}' does not exist\n")
            return 6
    gid = _primary(p, given, name, uid)
    home = given.get("d", f"{given.get('b', '/home')}/{name}")
    shell = given.get("s", "/bin/sh")
    save(
        p,
        "/etc/passwd",
        [*rows(p, "/etc/passwd"), [name, "x", str(uid), str(gid), given.get("c", ""), home, shell]],
    )
    day = str(int(p.now() // 86_400))
    moment = parse(p, given.get("e", ""), p.now(), "UTC0") if given.get("e") else None
    expires = str(int(moment // 86_400)) if moment is not None else ""
    save(
        p,
        "/etc/shadow",
        [
            *rows(p, "/etc/shadow"),
            [name, given.get("p", "!"), day, "0", "99999", "7", given.get("f", ""), expires, ""],
        ],
    )
    join_groups(p, name, groups, append=True)
    if "g" not in given:
        log(p, "useradd", f"new group: name={name}, GID={gid}")
    place = f"/dev/{p.tty(0).name}" if p.is_tty(0) else "none"
    log(
        p, "useradd", f"new user: name={name}, UID={uid}, GID={gid}, home={home}, shell={shell}, from={place}"
    )
    if "m" in given:
        if exists(p, home):
            yield from p.err(f"useradd: warning: the home directory {home} already exists.\n"
                             "useradd: Not copying any file from skel directory into it.\n")  # fmt: skip
        else:
            copy_tree(p, "/etc/skel", home, uid, gid, 0o755)
    return 0


def _primary(p: Process, given: dict[str, str], name: str, uid: int) -> int:
    if "g" in given:
        found = row(p, "/etc/group", given["g"])
        return int(found[2]) if found is not None else int(given["g"])
    if "N" in given:
        return 100
    taken = {fields[2] for fields in rows(p, "/etc/group")}
    gid = uid if str(uid) not in taken else free_number(p, "/etc/group", 1000)
    save(p, "/etc/group", [*rows(p, "/etc/group"), [name, "x", str(gid), ""]])
    return gid


@program("usermod")
def usermod(p: Process) -> Run:
    """Change an account."""
    try:
        options, operands = getopt(p.argv[1:], "abc:d:e:f:g:G:hl:Lmop:P:rR:s:u:Uv:V:w:W:Z:", _USERMOD)
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\nUsage: usermod [options] LOGIN\n\n")
        return 2
    short = {"--append": "a", "--comment": "c", "--home": "d", "--gid": "g", "--groups": "G", "--login": "l",
    "--lock": "L",
             "--password": "p", "--shell": "s", "--uid": "u", "--unlock": "U"}  # fmt: skip
    given = {short.get(name, name): value for name, value in options}
    if len(operands) != 1:
        yield from p.err("Usage: usermod [options] LOGIN\n\n")
        return 2
    name = operands[0]
    if not options and row(p, "/etc/passwd", name) is not None:
        yield from p.err("usermod: no options\nUsage: usermod [options] LOGIN\n\n")
        return 2
    if "s" in given and not p.fs.access(given["s"], 1):
        yield from p.err(f"usermod: Warning: missing or non-executable shell '{given['s']}'\n")
    if row(p, "/etc/passwd", name) is None:
        yield from p.err(f"usermod: user '{name}' does not exist\n")
        return 6
    if p.uid:
        return (yield from refuse(p, "usermod"))
    taken = [fields[0] for fields in rows(p, "/etc/passwd") if fields[2] == given.get("u")]
    if taken and taken != [name] and not {"o", "--non-unique"} & given.keys():
        yield from p.err(f"usermod: UID '{given['u']}' already exists\n")
        return 4
    groups = [part for part in given.get("G", "").split(",") if part]
    for wanted in groups:
        if row(p, "/etc/group", wanted) is None:
            yield from p.err(f"usermod: group '{wanted}' does not exist\n")
            return 6
    if "G" in given:
        join_groups(p, name, groups, append="a" in given)
        for wanted in groups:
            log(p, "usermod", f"add '{name}' to group '{wanted}'")
            log(p, "usermod", f"add '{name}' to shadow group '{wanted}'")

    def edit(fields: list[str]) -> None:
        fields[4], fields[5], fields[6] = (
            given.get("c", fields[4]),
            given.get("d", fields[5]),
            given.get("s", fields[6]),
        )
        fields[2] = given["u"] if given.get("u", "").isdigit() else fields[2]
        fields[0] = given.get("l", fields[0])

    def edit_shadow(fields: list[str]) -> None:
        fields[1] = given.get("p", fields[1])
        if "L" in given and not fields[1].startswith("!"):
            fields[1] = f"!{fields[1]}"
        if "U" in given:
            fields[1] = fields[1].removeprefix("!")
        fields[0] = given.get("l", fields[0])

    change(p, "/etc/passwd", name, edit)
    change(p, "/etc/shadow", name, edit_shadow)
    return 0


@program("userdel")
def userdel(p: Process) -> Run:
    """Remove an account."""
    try:
        options, operands = getopt(p.argv[1:], "fhrR:P:Z", {"force": "", "help": "", "remove": ""})
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\nUsage: userdel [options] LOGIN\n\n")
        return 2
    given = {name.lstrip("-")[:1] for name, _ in options}
    if len(operands) != 1:
        yield from p.err("Usage: userdel [options] LOGIN\n\nOptions:\n"
                         "  -f, --force                   force some actions that would fail otherwise\n"
                         "                                e.g. removal of user still logged in\n"
                         "                                or files, even if not owned by the user\n"
                         "  -h, --help                    display this help message and exit\n"
                         "  -r, --remove                  remove home directory and mail spool\n"
                         "  -R, --root CHROOT_DIR         directory to chroot into\n"
                         "  -P, --prefix PREFIX_DIR       prefix directory where are located the /etc/* files\n"
                         "  -Z, --selinux-user            remove any SELinux user mapping for the "
                         "user\n\n")  # fmt: skip
        return 2
    name = operands[0]
    fields = row(p, "/etc/passwd", name)
    if fields is None:
        yield from p.err(f"userdel: user '{name}' does not exist\n")
        return 6
    if p.uid:
        return (yield from refuse(p, "userdel"))
    busy = next((each for each in p.processes() if str(each.uid) == fields[2]), None)
    if busy is not None and "f" not in given:
        yield from p.err(f"userdel: user {name} is currently used by process {busy.pid}\n")
        return 8
    for path in ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"):
        remove(p, path, name)
    join_groups(p, name, [], append=False)
    log(p, "userdel", f"delete user '{name}'")
    log(p, "userdel", f"removed group '{name}' owned by '{name}'")
    log(p, "userdel", f"removed shadow group '{name}' owned by '{name}'")
    if "r" in given:
        yield from p.err(f"userdel: {name} mail spool (/var/mail/{name}) not found\n")
        remove_tree(p, fields[5])
    return 0


@program("deluser")
def deluser(p: Process) -> Run:
    """Debian's friendly way to remove an account."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if not words:
        yield from p.err("fatal: Only one or two names allowed.\n")
        return 1
    if row(p, "/etc/passwd", words[0]) is None:
        yield from p.err(f"fatal: The user `{words[0]}' does not exist.\n")
        return 2
    yield from p.out(f"Removing user `{words[0]}' ...\n")
    p.argv[:] = ["userdel", "-f", words[0]]
    status = yield from userdel(p)
    if status == 0:
        yield from p.out("Done.\n")
    return status
