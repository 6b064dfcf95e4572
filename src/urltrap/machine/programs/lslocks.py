"""lslocks: the locks that services hold."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs.registry import program

_HEADS = ("COMMAND", "PID", "TYPE", "SIZE", "MODE", "M", "START", "END", "PATH")
_LEFT = frozenset(("COMMAND", "MODE"))


@program("lslocks")
def lslocks(p: Process) -> Run:
    """List them: cron's on its file of the process number, where it runs (lslocks(8) of util-linux)."""
    alive = {row.pid: row for row in p.processes()}
    rows = [
        (
            "cron",
            str(each.pid),
            "FLOCK",
            f"{len(str(each.pid)) + 1}B",
            "WRITE",
            "0",
            "0",
            "0",
            "/run/crond.pid",
        )
        for each in p.persona.residents
        if each.comm == "cron" and each.pid in alive
    ]
    table = [_HEADS, *rows] if "-n" not in p.argv and "--noheadings" not in p.argv else rows
    widths = [max(len(row[number]) for row in table) for number in range(len(_HEADS) - 1)] if table else []
    for row in table:
        cells = [
            f"{cell:<{width}}" if head in _LEFT else f"{cell:>{width}}"
            for head, cell, width in zip(_HEADS, row, widths, strict=False)
        ]
        yield from p.out(" ".join([*cells, row[-1]]) + "\n")
    return 0
