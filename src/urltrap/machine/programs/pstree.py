"""pstree (psmisc): the tree of processes, with what is alike drawn once."""

from __future__ import annotations

from dataclasses import dataclass, field

from urltrap.machine.api import Process, ProcessInfo, Run
from urltrap.machine.proc.pids import threads
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import account, names
from urltrap.machine.programs._units import in_utf8
from urltrap.machine.programs.registry import program

_USAGE = """\
Usage: pstree [-acglpsStuZ] [ -h | -H PID ] [ -n | -N type ]
              [ -A | -G | -U ] [ PID | USER ]
   or: pstree -V
"""
_LONG = {
    "arguments": "", "ascii": "", "compact-not": "", "highlight-all": "", "highlight-pid": ":", "show-pgids": "",
    "long": "", "numeric-sort": "", "ns-sort": ":", "ns-changes": "", "show-pids": "", "show-parents": "",
    "thread-names": "", "hide-threads": "", "uid-changes": "", "unicode": "", "version": "", "vt100": "", "color": ":",
}  # fmt: skip
_DEPTH = 60


@dataclass(slots=True)
class _Node:
    """One process: what is written, its children, how often it stands there."""

    label: str
    children: list[_Node] = field(default_factory=list)
    times: int = 1
    pid: int = 0

    def shape(self) -> tuple[object, ...]:
        """What must be equal for two to be drawn as one."""
        return self.label, tuple((child.shape(), child.times) for child in self.children)


@program("pstree", "pstree.x11")
def pstree(p: Process) -> Run:
    """Show who started whom."""
    try:
        options, operands = getopt(p.argv[1:], "AaC:cGH:hglN:nSpsTtUuVZ", _LONG)
    except OptionError as error:
        yield from p.err(f"pstree: {error}\n{_USAGE}")
        return 1
    given = {name.lstrip("-") for name, _ in options}
    if given & {"V", "version"}:
        yield from p.err("pstree (PSmisc) 23.6\nCopyright (C) 1993-2022 Werner Almesberger and Craig Small\n\n"
                         "PSmisc comes with ABSOLUTELY NO WARRANTY.\nThis is free software, and you are welcome to "
                         "redistribute it under\nthe terms of the GNU General Public License.\nFor more information "
                         "about these matters, see the files named COPYING.\n")  # fmt: skip
        return 0
    rows = {row.pid: row for row in p.processes()}
    starts = [1]
    if operands:
        if operands[0].isdecimal():
            starts = [int(operands[0][:9])] if int(operands[0][:9]) in rows else []
        else:
            fields = account(p, operands[0])
            if fields is None:
                yield from p.err(f"No such user name: {operands[0]}\n")
                return 1
            mine = {pid for pid, row in rows.items() if row.uid == int(fields[2])}
            starts = [pid for pid in sorted(mine) if rows[pid].ppid not in mine]
    if given & {"s", "show-parents"} and starts:
        yield from p.out(_parents(p, rows, starts[0], given))
        return 0
    if not starts:
        yield from p.err("No processes found.\n")
        return 1
    ascii_only = bool(given & {"A", "ascii"}) or (not in_utf8(p) and not given & {"U", "unicode"})
    width = 10_000 if given & {"l", "long"} or not p.is_tty(1) else p.window()[0]
    for pid in starts:
        yield from p.tick(len(rows) // 4)
        tree = _tree(p, rows, pid, given, names(p), _DEPTH)
        for line in _arguments(tree, "") if given & {"a", "arguments"} else _draw(tree, ascii_only):
            yield from p.out((line if len(line) <= width else line[: width - 1] + "+") + "\n")
    return 0


def _label(
    p: Process, row: ProcessInfo, parent: ProcessInfo | None, given: set[str], users: dict[int, str]
) -> str:
    notes = [str(row.pid)] if given & {"p", "show-pids"} else []
    if given & {"g", "show-pgids"}:
        notes.append(str(row.session or row.pid))
    if given & {"u", "uid-changes"} and parent is not None and parent.uid != row.uid:
        notes.append(users.get(row.uid, str(row.uid)))
    words = " ".join(row.argv[1:]) if given & {"a", "arguments"} else ""
    label = row.comm + (f",{notes[0]}" if words is not None and given & {"a", "arguments"} and notes else "")
    if given & {"a", "arguments"}:
        return f"{label} {words}".rstrip()
    return row.comm + (f"({','.join(notes)})" if notes else "")


def _tree(
    p: Process, rows: dict[int, ProcessInfo], pid: int, given: set[str], users: dict[int, str], depth: int
) -> _Node:
    row = rows[pid]
    node = _Node(_label(p, row, rows.get(row.ppid), given, users), pid=pid)
    numbered = bool(given & {"p", "show-pids", "c", "compact-not"})
    children = [
        _tree(p, rows, each, given, users, depth - 1)
        for each in sorted(rows)
        if rows[each].ppid == pid and each != pid and depth
    ]
    if not given & {"n", "numeric-sort"}:
        children.sort(key=lambda child: (child.label.partition("(")[0], child.pid))
    if not given & {"T", "hide-threads"}:
        more = threads(row) - 1
        for number in range(more if numbered else min(more, 1)):
            name = f"{{{row.comm}}}" + (f"({pid + number + 2})" if given & {"p", "show-pids"} else "")
            children.append(_Node(name, times=1 if numbered else more))
    for child in children:
        twin = next((other for other in node.children if other.shape() == child.shape()), None)
        if twin is not None and not numbered and child.pid:
            twin.times += 1
        else:
            node.children.append(child)
    return node


def _draw(node: _Node, ascii_only: bool) -> list[str]:
    """The lines of a tree; the first child stands behind its parent."""
    one, first, more, last, bar = (
        ("---", "-+-", "|-", "`-", "| ") if ascii_only else ("───", "─┬─", "├─", "└─", "│ ")
    )
    label = node.label if node.times == 1 else f"{node.times}*[{node.label}"
    close = "]" if node.times > 1 else ""
    if not node.children:
        return [label + close]
    out: list[str] = []
    for number, child in enumerate(node.children):
        lines = _draw(child, ascii_only)
        final = number == len(node.children) - 1
        if number == 0:
            head = label + (one if final else first)
        else:
            head = " " * (len(label) + 1) + (last if final else more)
        out.append(head + lines[0])
        rest = " " * (len(label) + 1) + ("  " if final else bar)
        out += [rest + line for line in lines[1:]]
    if close:
        out[-1] += close
    return out


def _arguments(node: _Node, lead: str) -> list[str]:
    label = node.label if node.times == 1 else f"{node.times}*[{node.label}]"
    out = [label]
    for number, child in enumerate(node.children):
        final = number == len(node.children) - 1
        lines = _arguments(child, lead)
        out.append(("  `-" if final else "  |-") + lines[0])
        out += [("    " if final else "  | ") + line for line in lines[1:]]
    return out


def _parents(p: Process, rows: dict[int, ProcessInfo], pid: int, given: set[str]) -> str:
    chain: list[str] = []
    while pid in rows and len(chain) < _DEPTH:
        chain.append(_label(p, rows[pid], rows.get(rows[pid].ppid), given, {}))
        pid = rows[pid].ppid
    return ("---" if not in_utf8(p) else "───").join(reversed(chain)) + "\n"
