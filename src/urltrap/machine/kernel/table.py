"""The process table as ps and /proc show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from urltrap.machine.api import ProcessInfo
from urltrap.machine.kernel.streams import ListenSocket

if TYPE_CHECKING:
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.kernel.process import KernelProcess
    from urltrap.machine.persona.model import Resident


def table(kernel: Kernel) -> list[ProcessInfo]:
    """All processes, by pid."""
    rows = {row.pid: row for row in resident_rows(kernel)}
    rows.update(kernel.tree.overlay.left)
    rows.update(kernel.rows)
    for process in kernel.processes.values():
        rows[process.pid] = row_of_process(process)
    return [rows[pid] for pid in sorted(rows)]


def row_of(kernel: Kernel, pid: int) -> ProcessInfo | None:
    """One process; None where there is none of this number."""
    process = kernel.processes.get(pid)
    if process is not None:
        return row_of_process(process)
    if pid in kernel.rows:
        return kernel.rows[pid]
    if pid in kernel.tree.overlay.left:
        return kernel.tree.overlay.left[pid]
    if pid in kernel.gone:
        return None
    return next((_resident(kernel, each) for each in kernel.persona.residents if each.pid == pid), None)


def resident_rows(kernel: Kernel) -> Sequence[ProcessInfo]:
    """What runs since the start, without what was killed."""
    return [_resident(kernel, each) for each in kernel.persona.residents if each.pid not in kernel.gone]


def _resident(kernel: Kernel, each: Resident) -> ProcessInfo:
    return ProcessInfo(
        each.pid, each.ppid, list(each.argv), each.comm, each.uid, each.state, kernel.boot_time + each.after,
        each.tty, each.exe, "/", each.pid, {}, kernel.persona.grown(each.cpu, kernel.boot_time, kernel.clock),
        each.rss_kb, each.vsz_kb,
    )  # fmt: skip


def row_of_process(process: KernelProcess) -> ProcessInfo:
    """One of the processes that run."""
    virtual, resident = memory_of(process.comm, process.kernel.persona.is_server)
    held = process.held // 1024
    return ProcessInfo(
        process.pid, process.ppid, process.argv, process.comm, process.uid,
        "R" if process is process.kernel.current else process.state, process.started,
        process.terminal.name if process.terminal is not None else "?", process.exe, process.cwd, process.session,
        process.env, process.cpu_steps * 2e-6, resident + held, virtual + held,
        tuple((file.protocol, file.address, file.port, fd, file.inode) for fd, file in process.fds.items()
              if isinstance(file, ListenSocket)),
    )  # fmt: skip


_MEMORY: Mapping[str, tuple[int, int]] = {
    "bash": (7_208, 3_976), "sh": (2_588, 1_524), "dash": (2_588, 1_524), "ps": (11_092, 4_464), "top": (11_640, 5_012),
    "sleep": (5_464, 1_828), "grep": (6_340, 2_236), "systemctl": (18_556, 4_196), "journalctl": (24_928, 8_720),
    "curl": (96_404, 11_180), "wget": (15_936, 5_404), "python3": (17_292, 9_724), "perl": (9_908, 5_612),
    "sudo": (9_692, 4_872), "su": (8_184, 4_060), "vi": (9_208, 5_096), "nano": (7_392, 4_212), "ssh": (14_732, 8_316),
    "screen": (7_960, 3_328), "awk": (6_196, 3_104), "mawk": (6_196, 3_104), "find": (7_544, 3_020),
    "apt": (75_512, 46_380), "apt-get": (71_204, 42_716), "lsof": (8_516, 3_876), "ss": (8_948, 2_764),
    "busybox": (2_740, 1_640), "tail": (5_548, 1_884), "sort": (6_056, 2_300), "ping": (7_188, 2_140),
}  # fmt: skip
"""Virtual and resident memory in KiB of programs that need more than others (Debian 12, amd64)."""
_DEVICE = (1_304, 860)


def memory_of(comm: str, server: bool) -> tuple[int, int]:
    """Virtual and resident memory of a program in KiB. All of BusyBox's applets are one file, so they differ by what
    they keep alone; small programs of a server differ by what they are linked with."""
    draw = sum(ord(char) * (place + 3) for place, char in enumerate(comm))
    if not server:
        return _DEVICE[0] + draw % 4 * 4, _DEVICE[1] + draw % 20 * 4
    found = _MEMORY.get(comm)
    return found if found is not None else (5_392 + draw % 48 * 24, 1_652 + draw % 37 * 20)
