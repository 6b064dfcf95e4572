"""ps: the process table, in the formats that people and scripts ask for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from urltrap.machine.api import Process, ProcessInfo, Run
from urltrap.machine.programs._ps_columns import (
    ALIASES,
    COLUMNS,
    FORMATS,
    Column,
    command,
    cpu_share,
    )  # fmt: skip
from urltrap.machine.programs._system import is_device, names
from urltrap.machine.programs.registry import program

_USAGE = """
Usage:
 ps [options]

 Try 'ps --help <simple|list|output|threads|misc|all>'
  or 'ps --help <s|l|o|t|m|a>'
 for additional help text.

For more details see ps(1).
"""


@dataclass(slots=True)
class _Wish:
    every: bool = False
    terminals: bool = False
    detached: bool = False
    style: str = ""
    bsd: bool = False
    columns: list[str] | None = None
    pids: set[int] | None = None
    parents: set[int] | None = None
    users: set[str] | None = None
    comms: set[str] | None = None
    ttys: set[str] | None = None
    sort: str = ""
    heads: bool = True
    forest: bool = False
    indented: bool = False
    wide: bool = False


class _Wrong(Exception):
    pass


@program("ps")
def ps(p: Process) -> Run:
    """List processes."""
    if is_device(p):
        return (yield from _busybox(p))
    wish = _Wish()
    try:
        words = list(p.argv[1:])
        while words:
            word = words.pop(0)
            if word == "--help" or word.startswith("--help="):
                yield from p.out(_USAGE)
                return 0
            if word in ("-V", "--version", "V"):
                yield from p.out(
                    f"ps from procps-ng {'4.0.4' if p.persona.kind == 'debian-13' else '4.0.2'}\n"
                )
                return 0
            _word(word, words, wish)
    except _Wrong as error:
        yield from p.err(f"error: {error}\n{_USAGE}")
        return 1
    return (yield from _print(p, wish))


def _numbers(text: str) -> set[int]:
    parts = text.replace(",", " ").split()
    if not parts or not all(part.isdigit() for part in parts):
        raise _Wrong("process ID list syntax error")
    return {int(part) for part in parts}


def _value(rest: str, words: list[str], what: str) -> str:
    if rest:
        return rest
    if not words:
        raise _Wrong(what)
    return words.pop(0)


def _word(word: str, words: list[str], wish: _Wish) -> None:
    if word.startswith("--"):
        _long(word, words, wish)
        return
    unix = word.startswith("-")
    letters = word[1:] if unix else word
    if not unix and letters.replace(",", "").isdigit():
        wish.pids = (wish.pids or set()) | _numbers(letters)
        return
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in "oO" or letter in "pq" or (unix and letter in "uUCtGgs") or letter in "kUt":
            _listed(letter, _value(letters, words, "list of process IDs must follow -p"), wish, unix)
            return
        if not _flag(letter, wish, unix):
            raise _Wrong("unsupported SysV option" if unix else "unsupported option (BSD syntax)")


def _listed(letter: str, value: str, wish: _Wish, unix: bool) -> None:
    if letter in "oO":
        wish.columns = (wish.columns or []) + value.replace(",", " ").split()
    elif letter in "pq":
        wish.pids = (wish.pids or set()) | _numbers(value)
    elif letter in "uU":
        wish.users = (wish.users or set()) | set(value.replace(",", " ").split())
    elif letter == "C":
        wish.comms = (wish.comms or set()) | set(value.replace(",", " ").split())
    elif letter == "t":
        wish.ttys = (wish.ttys or set()) | {
            name.removeprefix("/dev/") for name in value.replace(",", " ").split()
        }
    elif letter == "k":
        wish.sort = value


def _flag(letter: str, wish: _Wish, unix: bool) -> bool:
    if letter == "w":
        wish.wide = True
    elif unix:
        if letter in "eA":
            wish.every = True
        elif letter in "ad":
            wish.terminals = True
        elif letter in "fFlj":
            wish.style = letter
        elif letter == "H":
            wish.forest = wish.indented = True
        elif letter not in "yMLTmNcZ":
            return letter == "x" and _flag("x", wish, False)
    elif letter == "a":
        wish.terminals = wish.bsd = True
    elif letter == "x":
        wish.detached = wish.bsd = True
    elif letter in "ulj":
        wish.style, wish.bsd = {"u": "u", "l": "bsdl", "j": "bsdj"}[letter], True
    elif letter == "f":
        wish.forest = wish.bsd = True
    elif letter == "r":
        wish.bsd = True
    elif letter == "h":
        wish.heads = False
    elif letter == "e" or letter in "cSnLHmTgAv":
        wish.bsd = True
        wish.every = wish.every or letter == "A"
    else:
        return False
    return True


def _long(word: str, words: list[str], wish: _Wish) -> None:
    name, has, value = word[2:].partition("=")
    if (
        name
        in (
            "sort",
            "format",
            "pid",
            "ppid",
            "user",
            "User",
            "quick-pid",
            "tty",
            "cols",
            "columns",
            "width",
            "rows",
        )
        and not has
    ):
        if not words:
            raise _Wrong(
                "list of process IDs must follow --pid" if name == "pid" else "unknown gnu long option"
            )
        value = words.pop(0)
    if name == "sort":
        wish.sort = value
    elif name == "format":
        _listed("o", value, wish, True)
    elif name in ("pid", "quick-pid"):
        wish.pids = _numbers(value)
    elif name == "ppid":
        wish.parents = _numbers(value)
    elif name in ("user", "User"):
        _listed("u", value, wish, True)
    elif name == "tty":
        _listed("t", value, wish, True)
    elif name in ("no-headers", "no-heading", "no-headings", "noheader", "noheaders", "noheading"):
        wish.heads = False
    elif name == "forest":
        wish.forest = True
    elif name not in ("headers", "cols", "columns", "width", "rows", "cumulative", "context", "deselect"):
        raise _Wrong("unknown gnu long option")


def _select(p: Process, wish: _Wish, users: dict[int, str]) -> list[ProcessInfo]:
    rows = p.processes()
    listed = (wish.pids, wish.parents, wish.users, wish.comms, wish.ttys)
    if any(each is not None for each in listed):
        return [
            row
            for row in rows
            if row.pid in (wish.pids or ())
            or row.ppid in (wish.parents or ())
            or users.get(row.uid) in (wish.users or ())
            or str(row.uid) in (wish.users or ())
            or row.comm in {name[:15] for name in wish.comms or ()}
            or row.tty in (wish.ttys or ())
        ]
    if wish.every or (wish.terminals and wish.detached):
        return rows
    own_tty = next((row.tty for row in rows if row.pid == p.pid), "?")
    if wish.bsd:
        if wish.terminals:
            return [row for row in rows if row.tty != "?"]
        mine = [row for row in rows if row.uid == p.uid]
        return (
            mine if wish.detached else [row for row in mine if row.tty == own_tty and own_tty != "?"] or mine
        )
    if wish.terminals:
        return [row for row in rows if row.tty != "?" and row.session != row.pid]
    return [row for row in rows if row.uid == p.uid and row.tty == own_tty]


def _order(p: Process, rows: list[ProcessInfo], sort: str) -> list[ProcessInfo]:
    keys: dict[str, Callable[[ProcessInfo], Any]] = {
        "pid": lambda r: r.pid, "ppid": lambda r: r.ppid, "pcpu": lambda r: cpu_share(p, r), "pmem": lambda r: r.rss_kb,
        "rss": lambda r: r.rss_kb, "vsz": lambda r: r.vsz_kb, "time": lambda r: r.cpu_seconds,
        "start": lambda r: r.started,
        "comm": lambda r: r.comm, "user": lambda r: r.uid, "args": lambda r: command(r), "etime": lambda r: -r.started,
        "lstart": lambda r: r.started, "stime": lambda r: r.started, "uid": lambda r: r.uid, "tty": lambda r: r.tty,
    }  # fmt: skip
    for part in reversed([each for each in sort.split(",") if each]):
        name = part.lstrip("+-")
        key = keys.get(ALIASES.get(name, name))
        if key is None:
            raise _Wrong("unknown sort specifier")
        rows = sorted(rows, key=key, reverse=part.startswith("-"))
    return rows


def _columns(wish: _Wish) -> list[Column]:
    spec = wish.columns or FORMATS[wish.style or ("bsd" if wish.bsd else "default")].split(" ")
    out = []
    for each in spec:
        name, equals, title = each.partition("=")
        name, _, own = name.partition(":")
        column = COLUMNS.get(ALIASES.get(name.lower(), name.lower()))
        if column is None:
            raise _Wrong(f'unknown user-defined format specifier "{name}"')
        if equals:
            column = Column(title, column.width, column.right, column.show)
        elif own.isdigit():
            column = Column(column.title, int(own), column.right, column.show)
        elif own:
            column = Column(own, column.width, column.right, column.show)
        out.append(column)
    return out


def _print(p: Process, wish: _Wish) -> Run:
    users = names(p)
    try:
        columns = _columns(wish)
        rows = _order(p, _select(p, wish, users), wish.sort)
    except _Wrong as error:
        yield from p.err(f"error: {error}\n{_USAGE}")
        return 1
    branches = _forest(rows, not wish.indented) if wish.forest else {}
    if wish.forest:
        order = list(branches)
        rows = sorted(rows, key=lambda row: order.index(row.pid))
    width = p.window()[0] if p.is_tty(1) and not wish.wide else 0
    if wish.heads and any(column.title for column in columns):
        yield from _line(p, columns, [column.title for column in columns], width)
    for row in rows:
        cells = [column.show(p, row, users) for column in columns]
        if wish.forest:
            cells[-1] = branches.get(row.pid, "") + cells[-1]
        yield from _line(p, columns, cells, width)
    return 0 if rows else 1


def _line(
    p: Process, columns: Sequence[Column], cells: Sequence[str], width: int
) -> Generator[Any, Any, None]:
    parts = []
    for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        if number == len(columns) - 1 and not column.right:
            parts.append(cell)
        elif column.right:
            parts.append(f"{cell:>{column.width}}")
        else:
            parts.append(f"{cell:<{column.width or 27}}")
    line = " ".join(parts)
    yield from p.out((line[:width] if width else line) + "\n")


def _forest(rows: Sequence[ProcessInfo], lines: bool) -> dict[int, str]:
    """What stands before each command, in the order in which procps shows its trees: the last of them first, and init's
    children as far left as itself where branches are drawn (`lines`; -H only indents)."""
    known = {row.pid for row in rows}
    children: dict[int, list[ProcessInfo]] = {}
    for row in sorted(rows, key=lambda row: (row.ppid, row.pid)):
        children.setdefault(row.ppid if row.ppid in known and row.ppid != row.pid else -1, []).append(row)
    out: dict[int, str] = {}
    stack = [(row, "", "") for row in children.get(-1, [])]
    while stack:
        row, before, below = stack.pop()
        out[row.pid] = before
        mine = children.get(row.pid, [])
        for number, child in reversed(list(enumerate(mine))):
            if not lines:
                stack.append((child, f"{below}  ", f"{below}  "))
            elif row.pid == 1:
                stack.append((child, below, below))
            else:
                last = number == len(mine) - 1
                stack.append((child, f"{below} \\_ ", f"{below}{'    ' if last else ' |  '}"))
    return out


def _busybox(p: Process) -> Run:
    users = names(p)
    width = p.window()[0] if p.is_tty(1) and "w" not in "".join(p.argv[1:]) else 0
    yield from p.out("  PID USER       VSZ STAT COMMAND\n")
    for row in p.processes():
        nice = "<" if "<" in row.state else "N" if "N" in row.state else " "
        state = f"{row.state[0]}{'W' if not row.vsz_kb else ' '}{nice} "
        line = f"{row.pid:>5} {users.get(row.uid, str(row.uid)):<8.8} {row.vsz_kb:>5} {state}{command(row)}"
        yield from p.out((line[:width] if width else line) + "\n")
    return 0
