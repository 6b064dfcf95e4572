"""The columns of ps and what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from urltrap.machine.api import Process, ProcessInfo
from urltrap.machine.programs._zone import local


@dataclass(frozen=True, slots=True)
class Column:
    """A column of -o: title, width (0: the rest of the line), whether it stands right, and what it shows."""

    title: str
    width: int
    right: bool
    show: Callable[[Process, ProcessInfo, dict[int, str]], str]


def is_thread(row: ProcessInfo) -> bool:
    """True for a thread of the kernel."""
    return row.pid == 2 or row.ppid == 2


def command(row: ProcessInfo) -> str:
    """The command line as ps shows it: threads and zombies in brackets."""
    if row.state.startswith("Z"):
        return f"[{row.comm}] <defunct>"
    if is_thread(row) or not row.argv:
        return f"[{row.comm}]"
    return "".join(char if char.isprintable() else "?" for char in " ".join(row.argv))


def stat(row: ProcessInfo) -> str:
    """State with its marks: session leader, foreground, raised priority."""
    if len(row.state) > 1 or is_thread(row):
        return row.state
    marks = "s" if row.session == row.pid else ""
    if row.tty != "?" and (row.state == "R" or not marks):
        marks += "+"
    return row.state + marks


def cpu_share(p: Process, row: ProcessInfo) -> float:
    """Processor time over life time, in per cent."""
    return min(99.9, row.cpu_seconds * 100 / max(1.0, p.now() - row.started))


def _user(row: ProcessInfo, users: dict[int, str], width: int = 8) -> str:
    name = users.get(row.uid, str(row.uid))
    return name if len(name) <= width else f"{name[: width - 1]}+"


def _long_time(row: ProcessInfo) -> str:
    seconds = int(row.cpu_seconds)
    days, seconds = divmod(seconds, 86_400)
    text = f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    return f"{days}-{text}" if days else text


def _short_time(row: ProcessInfo) -> str:
    return f"{int(row.cpu_seconds) // 60}:{int(row.cpu_seconds) % 60:02d}"


def _start(p: Process, row: ProcessInfo) -> str:
    began, now = local(p, row.started).clock, local(p, p.now()).clock
    if began.year != now.year:
        return f"{began.year}"
    return f"{began:%H:%M}" if began.date() == now.date() else f"{began:%b%d}"


def _full_start(p: Process, row: ProcessInfo) -> str:
    began = local(p, row.started).clock
    return f"{began:%a %b} {began.day:2d} {began:%H:%M:%S %Y}"


def _elapsed(p: Process, row: ProcessInfo) -> str:
    seconds = int(max(0.0, p.now() - row.started))
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    text = f"{seconds // 60:02d}:{seconds % 60:02d}"
    return f"{days}-{hours:02d}:{text}" if days else f"{hours:02d}:{text}" if hours else text


def _nice(row: ProcessInfo) -> int:
    return (
        -20
        if "<" in row.state
        else 19
        if "N" in row.state and row.comm == "khugepaged"
        else 5
        if "N" in row.state
        else 0
    )


def _memory(p: Process, row: ProcessInfo) -> float:
    return int(row.rss_kb * 1000 / p.persona.memory.total_kb) / 10


def _tty(row: ProcessInfo) -> str:
    return row.tty or "?"


COLUMNS: dict[str, Column] = {
    "pid": Column("PID", 7, True, lambda p, r, u: str(r.pid)),
    "ppid": Column("PPID", 7, True, lambda p, r, u: str(r.ppid)),
    "pgid": Column("PGID", 7, True, lambda p, r, u: str(0 if is_thread(r) else r.session)),
    "sid": Column("SID", 7, True, lambda p, r, u: str(0 if is_thread(r) else r.session)),
    "tid": Column("TID", 7, True, lambda p, r, u: str(r.pid)),
    "user": Column("USER", 8, False, lambda p, r, u: _user(r, u)),
    "group": Column("GROUP", 8, False, lambda p, r, u: _user(r, u)),
    "uid": Column("UID", 5, True, lambda p, r, u: str(r.uid)),
    "gid": Column("GID", 5, True, lambda p, r, u: str(r.uid)),
    "pcpu": Column("%CPU", 4, True, lambda p, r, u: f"{cpu_share(p, r):.1f}"),
    "pmem": Column("%MEM", 4, True, lambda p, r, u: f"{_memory(p, r):.1f}"),
    "vsz": Column("VSZ", 6, True, lambda p, r, u: str(r.vsz_kb)),
    "rss": Column("RSS", 5, True, lambda p, r, u: str(r.rss_kb)),
    "sz": Column("SZ", 5, True, lambda p, r, u: str(r.vsz_kb // 4)),
    "tty": Column("TT", 8, False, lambda p, r, u: _tty(r)),
    "tty8": Column("TTY", 8, False, lambda p, r, u: _tty(r)),
    "stat": Column("STAT", 4, False, lambda p, r, u: stat(r)),
    "s": Column("S", 1, False, lambda p, r, u: r.state[0]),
    "start": Column("START", 5, False, lambda p, r, u: _start(p, r)),
    "stime": Column("STIME", 5, False, lambda p, r, u: _start(p, r)),
    "lstart": Column("STARTED", 24, True, lambda p, r, u: _full_start(p, r)),
    "etime": Column("ELAPSED", 11, True, lambda p, r, u: _elapsed(p, r)),
    "etimes": Column("ELAPSED", 7, True, lambda p, r, u: str(int(max(0.0, p.now() - r.started)))),
    "time": Column("TIME", 8, True, lambda p, r, u: _long_time(r)),
    "bsdtime": Column("TIME", 6, True, lambda p, r, u: _short_time(r)),
    "ni": Column("NI", 3, True, lambda p, r, u: str(_nice(r))),
    "pri": Column("PRI", 3, True, lambda p, r, u: str(19 - _nice(r))),
    "c": Column("C", 2, True, lambda p, r, u: str(int(cpu_share(p, r)))),
    "psr": Column("PSR", 3, True, lambda p, r, u: str(r.pid % p.persona.cpu.count)),
    "nlwp": Column("NLWP", 4, True, lambda p, r, u: "1"),
    "wchan": Column("WCHAN", 6, False, lambda p, r, u: "-"),
    "comm": Column(
        "COMMAND", 15, False, lambda p, r, u: r.comm + (" <defunct>" if r.state.startswith("Z") else "")
    ),
    "cmd": Column("CMD", 0, False, lambda p, r, u: command(r)),
    "args": Column("COMMAND", 0, False, lambda p, r, u: command(r)),
    "f": Column("F", 1, True, lambda p, r, u: "1" if is_thread(r) else "4"),
    "addr": Column("ADDR", 4, False, lambda p, r, u: "-"),
    "upri": Column("PRI", 3, True, lambda p, r, u: str(80 + _nice(r))),
    "lcmd": Column("CMD", 15, False, lambda p, r, u: r.comm),
}
ALIASES = {
    "%cpu": "pcpu", "%mem": "pmem", "vsize": "vsz", "rssize": "rss", "tname": "tty8", "tt": "tty", "state": "s",
    "start_time": "stime",
    "command": "args", "ucmd": "comm", "ucomm": "comm", "euser": "user", "ruser": "user", "uname": "user",
    "euid": "uid", "ruid": "uid",
    "pgrp": "pgid", "sess": "sid", "session": "sid", "nice": "ni", "cputime": "time", "lwp": "tid", "spid": "tid",
    "rgroup": "group",
    "egroup": "group", "thcount": "nlwp", "sched": "c", "cls": "s",
}  # fmt: skip
FORMATS = {
    "default": "pid tty8 time lcmd", "bsd": "pid tty8 stat bsdtime args",
    "u": "user pid pcpu pmem vsz rss tty8 stat start bsdtime args",
    "F": "user:UID pid ppid c sz rss psr stime tty8 time cmd", "f": "user:UID pid ppid c stime tty8 time cmd",
    "l": "f s uid pid ppid c upri ni addr sz wchan tty8 time lcmd", "j": "pid pgid sid tty8 time lcmd",
    "bsdl": "f uid pid ppid upri:PRI ni vsz rss wchan stat tty8 bsdtime args",
    "bsdj": "ppid pid pgid sid tty8 stat uid bsdtime args",
}  # fmt: skip
