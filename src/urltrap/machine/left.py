"""What goes on running when the client that started it has gone: rows of the process table that nothing steps any more.

A session is stepped no longer than its client stays (and a little), while a real machine runs on; whoever comes back
finds the miner or the service that he left, until it is killed or the machine starts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from urltrap.machine.api import ProcessInfo

LEFT_MAX = 32
_WORDS_MAX = 40


def leave(left: dict[int, ProcessInfo], rows: Iterable[ProcessInfo]) -> None:
    """Add rows as they are when they are left alone: sleeping, without terminal, children of init where their parent
    ended. The oldest are forgotten."""
    staying = list(rows)
    numbers = {row.pid for row in staying} | set(left)
    for row in staying:
        left[row.pid] = ProcessInfo(
            row.pid, row.ppid if row.ppid in numbers else 1, row.argv[:_WORDS_MAX], row.comm, row.uid, "S" +
            row.state[1:].replace("+", ""), row.started, "?", row.exe, row.cwd, row.session, {}, row.cpu_seconds,
            row.rss_kb, row.vsz_kb, row.listening,
        )  # fmt: skip
    while len(left) > LEFT_MAX:
        del left[next(iter(left))]


def dump_left(left: Mapping[int, ProcessInfo]) -> list[list[Any]]:
    """As JSON can hold it."""
    return [
        [row.pid, row.ppid, row.argv, row.comm, row.uid, row.state, row.started, row.exe, row.cwd, row.session,
         row.cpu_seconds, row.rss_kb, row.vsz_kb, [list(each) for each in row.listening]]
        for row in left.values()
    ]  # fmt: skip


def load_left(data: Iterable[list[Any]]) -> dict[int, ProcessInfo]:
    """The inverse of `dump_left`; TypeError, ValueError or IndexError where it is damaged."""
    found = {}
    for row in data:
        argv = [str(word) for word in row[2]]
        found[int(row[0])] = ProcessInfo(
            int(row[0]), int(row[1]), argv, str(row[3]), int(row[4]), str(row[5]), float(row[6]), "?", str(row[7]),
            str(row[8]), int(row[9]), {}, float(row[10]), int(row[11]), int(row[12]),
            tuple(_place(each) for each in row[13]) if len(row) > 13 else (),
        )  # fmt: skip
    return found


def _place(row: list[Any]) -> tuple[str, str, int, int, int]:
    return str(row[0]), str(row[1]), int(row[2]), int(row[3]), int(row[4])
