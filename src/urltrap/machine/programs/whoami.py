"""whoami, id, groups, logname: who the process is."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import account, gnu_usage, group_names, names, text_of
from urltrap.machine.programs.registry import program

_LONG = {"user": "u", "group": "g", "groups": "G", "name": "n", "real": "r", "zero": "z", "context": "Z"}


@program("whoami")
def whoami(p: Process) -> Run:
    """The name of the effective user."""
    if len(p.argv) > 1:
        word = p.argv[1]
        if word.startswith("--"):
            what = f"unrecognized option '{word}'"
        elif word.startswith("-") and len(word) > 1:
            what = f"invalid option -- '{word[1]}'"
        else:
            what = f"extra operand '{word}'"
        return (yield from gnu_usage(p, what))
    name = names(p).get(p.uid)
    if name is None:
        yield from p.err(f"{p.argv[0]}: cannot find name for user ID {p.uid}: No such file or directory\n")
        return 1
    yield from p.out(f"{name}\n")
    return 0


@program("logname")
def logname(p: Process) -> Run:
    """The name of the log-in on this terminal."""
    if not p.connection.tty:
        yield from p.err(f"{p.argv[0]}: no login name\n")
        return 1
    yield from p.out(f"{p.connection.user}\n")
    return 0


def _memberships(p: Process, name: str, gid: int) -> list[int]:
    found = [gid]
    for line in text_of(p, "/etc/group").splitlines():
        parts = line.split(":")
        if (
            len(parts) > 3
            and parts[2].isdigit()
            and name in parts[3].split(",")
            and int(parts[2]) not in found
        ):
            found.append(int(parts[2]))
    return found


@program("id")
def identity(p: Process) -> Run:
    """User and group numbers and names."""
    try:
        options, operands = getopt(p.argv[1:], "agGnruzZ", dict.fromkeys([*_LONG, "help", "version"], ""))
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    letters = {_LONG.get(name.lstrip("-"), name) for name, _ in options}
    if len(letters & set("ugG")) > 1:
        yield from p.err(f'{p.argv[0]}: cannot print "only" of more than one choice\n')
        return 1
    if "n" in letters and not letters & set("ugG"):
        yield from p.err(f"{p.argv[0]}: cannot print only names or real IDs in default format\n")
        return 1
    users, groups = names(p), group_names(p)
    status = 0
    for operand in operands or [""]:
        if not operand:
            uid, gid, all_groups = p.uid, p.gid, list(dict.fromkeys([p.gid, *p.groups]))
        else:
            fields = account(p, operand)
            if fields is None and operand.isdigit() and int(operand) in users:
                fields = account(p, users[int(operand)])
            if fields is None:
                yield from p.err(f"{p.argv[0]}: '{operand}': no such user\n")
                status = 1
                continue
            uid, gid = int(fields[2]), int(fields[3])
            all_groups = _memberships(p, fields[0], gid)
        end = "\0" if "z" in letters else "\n"
        yield from p.out(_line(letters, uid, gid, all_groups, users, groups) + end)
    return status


def _line(
    letters: set[str],
    uid: int,
    gid: int,
    all_groups: list[int],
    users: dict[int, str],
    groups: dict[int, str],
) -> str:
    if "u" in letters:
        return users.get(uid, str(uid)) if "n" in letters else str(uid)
    if "g" in letters:
        return groups.get(gid, str(gid)) if "n" in letters else str(gid)
    if "G" in letters:
        return " ".join(groups.get(each, str(each)) if "n" in letters else str(each) for each in all_groups)

    def both(number: int, known: dict[int, str]) -> str:
        return f"{number}({known[number]})" if number in known else str(number)

    shown = ",".join(both(each, groups) for each in all_groups)
    return f"uid={both(uid, users)} gid={both(gid, groups)} groups={shown}"


@program("groups")
def show_groups(p: Process) -> Run:
    """The groups of users."""
    known, users = group_names(p), names(p)
    if len(p.argv) == 1:
        yield from p.out(
            " ".join(known.get(each, str(each)) for each in dict.fromkeys([p.gid, *p.groups])) + "\n"
        )
        return 0
    status = 0
    for name in p.argv[1:]:
        fields = account(p, name)
        if fields is None or int(fields[2]) not in users:
            yield from p.err(f"{p.argv[0]}: '{name}': no such user\n")
            status = 1
            continue
        shown = " ".join(known.get(each, str(each)) for each in _memberships(p, name, int(fields[3])))
        yield from p.out(f"{name} : {shown}\n")
    return status
