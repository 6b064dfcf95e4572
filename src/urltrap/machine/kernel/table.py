"""The process table as ps and /proc show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from urltrap.machine.api import ProcessInfo

if TYPE_CHECKING:
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.kernel.process import KernelProcess
    from urltrap.machine.persona.model import Resident


def table(kernel: Kernel) -> list[ProcessInfo]:
    """All processes, by pid."""
    rows = {row.pid: row for row in resident_rows(kernel)}
    rows.update(kernel.rows)
    for process in kernel.processes.values():
        rows[process.pid] = _row(process)
    return [rows[pid] for pid in sorted(rows)]


def row_of(kernel: Kernel, pid: int) -> ProcessInfo | None:
    """One process; None where there is none of this number."""
    process = kernel.processes.get(pid)
    if process is not None:
        return _row(process)
    if pid in kernel.rows:
        return kernel.rows[pid]
    if pid in kernel.gone:
        return None
    return next((_resident(kernel, each) for each in kernel.persona.residents if each.pid == pid), None)


def resident_rows(kernel: Kernel) -> Sequence[ProcessInfo]:
    """What runs since the start, without what was killed."""
    return [_resident(kernel, each) for each in kernel.persona.residents if each.pid not in kernel.gone]


def _resident(kernel: Kernel, each: Resident) -> ProcessInfo:
    return ProcessInfo(
        each.pid, each.ppid, list(each.argv), each.comm, each.uid, each.state, kernel.boot_time + each.after,
        each.tty, each.exe, "/", each.pid, {}, each.cpu, each.rss_kb, each.vsz_kb,
    )  # fmt: skip


def _row(process: KernelProcess) -> ProcessInfo:
    size = 2_200 + 64 * (len(process.env) + len(process.argv)) + process.held // 1024
    return ProcessInfo(
        process.pid, process.ppid, process.argv, process.comm, process.uid,
        "R" if process is process.kernel.current else process.state, process.started,
        process.terminal.name if process.terminal is not None else "?", process.exe, process.cwd, process.session,
        process.env, process.cpu_steps * 2e-6, size, size * 2 + 1_000,
    )  # fmt: skip
