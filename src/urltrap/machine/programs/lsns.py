"""lsns: the namespaces that /proc/PID/ns shows."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.proc.pid_state import NAMESPACES
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._ps_columns import command
from urltrap.machine.programs._system import names
from urltrap.machine.programs.registry import program

_KINDS = ("mnt", "net", "ipc", "user", "pid", "uts", "cgroup", "time")


@program("lsns")
def lsns(p: Process) -> Run:
    """List namespaces, by their numbers."""
    try:
        options, words = getopt(
            p.argv[1:], "Jlno:p:rt:uWT::P", {"json": "", "list": "", "noheadings": "", "output": ":", "output-all": "",
                                        "persistent": "", "task": ":", "raw": "", "notruncate": "", "nowrap": "",
                                        "type": ":", "tree": "::"},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"lsns: {error}\nTry 'lsns --help' for more information.\n")
        return 1
    given = {name.removeprefix("--")[:1] if name != "--notruncate" else "u": value for name, value in options}
    kind = given.get("t", "")
    if kind and kind not in _KINDS:
        yield from p.err(f"lsns: unknown namespace type: {kind}\n")
        return 1
    if words and not words[0].isdecimal():
        yield from p.err(f"lsns: invalid namespace argument: '{words[0]}'\n")
        return 1
    users, mine = names(p), []
    for row in p.processes():
        try:
            p.fs.readlink(f"/proc/{row.pid}/ns/mnt")
        except SysError:
            continue  # somebody else's
        if not given.get("p") or given["p"] == str(row.pid):
            mine.append(row)
    if not mine:
        return 1
    first = mine[0]
    found = sorted((NAMESPACES[each], each) for each in _KINDS if kind in ("", each))
    found = [each for each in found if not words or str(each[0]) == words[0]]
    who, width = users.get(first.uid, str(first.uid)), max(4, len(users.get(first.uid, "")))
    rows = [
        (str(number), each, str(len(mine)), str(first.pid), who, command(first)) for number, each in found
    ]
    counts, pids = (
        max(len(title), *(len(row[at]) for row in rows)) for title, at in (("NPROCS", 2), ("PID", 3))
    )
    if "n" not in given:
        yield from p.out(
            f"{'NS':>10} {'TYPE':<6} {'NPROCS':>{counts}} {'PID':>{max(5, pids)}} {'USER':<{width}} COMMAND\n"
        )
    for number, each, count, pid, user, text in rows:
        yield from p.out(
            f"{number:>10} {each:<6} {count:>{counts}} {pid:>{max(5, pids)}} {user:<{width}} {text}\n"
        )
    return 0
