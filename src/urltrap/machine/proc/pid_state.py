"""/proc/PID, continued: what the scheduler, the namespaces and the memory of a process look like (proc(5)).

The files are those of a Linux 6.1 with Debian's options; a device's kernel has no sched and no schedstat.
"""

from __future__ import annotations

from collections.abc import Callable

from urltrap.machine.api import ProcessInfo
from urltrap.machine.fs.mounts import ProcessView
from urltrap.machine.proc import figures

Maker = Callable[[ProcessView, ProcessInfo], bytes]

NAMESPACES = {
    "cgroup": 4026531835, "ipc": 4026531839, "mnt": 4026531841, "net": 4026531840, "pid": 4026531836,
    "pid_for_children": 4026531836, "time": 4026531834, "time_for_children": 4026531834, "user": 4026531837,
    "uts": 4026531838,
}  # fmt: skip
"""Links in ns/ and the inodes of the first namespaces, which a kernel numbers from PROC_DYNAMIC_FIRST (4026531834)."""


def namespace(name: str) -> str:
    """What a link in ns/ points to."""
    return f"{name.removesuffix('_for_children')}:[{NAMESPACES[name]}]"


def _switches(view: ProcessView, row: ProcessInfo) -> tuple[int, int]:
    """Context switches so far: those that a process asked for, and the others."""
    asked = int(row.cpu_seconds * 900 + (view.now() - row.started) / 40) + row.pid % 97 + 2
    return asked, asked // 50 + row.pid % 7


def _sched(view: ProcessView, row: ProcessInfo) -> bytes:
    from urltrap.machine.proc.pids import text, threads

    asked, forced = _switches(view, row)
    ran = row.cpu_seconds * 1000 + 1.25
    up = (view.now() - view.boot_time) * 1000
    nice = -20 if "<" in row.state else 5 if "N" in row.state else 0
    load = int(figures.noise(view.persona, f"load {row.pid}", 0) * 30)
    rows: list[tuple[str, str]] = [
        ("se.exec_start", f"{up - row.pid % 13:.6f}"), ("se.vruntime", f"{ran * 0.37 + 11:.6f}"),
        ("se.sum_exec_runtime", f"{ran:.6f}"), ("se.nr_migrations", str(asked // 19)),
        ("nr_switches", str(asked + forced)), ("nr_voluntary_switches", str(asked)),
        ("nr_involuntary_switches", str(forced)), ("se.load.weight", "1048576"),
        ("se.avg.load_sum", str(load * 40)), ("se.avg.runnable_sum", str(load * 41_000)),
        ("se.avg.util_sum", str(load * 40_960)), ("se.avg.load_avg", str(load)), ("se.avg.runnable_avg", str(load)),
        ("se.avg.util_avg", str(load)), ("se.avg.last_update_time", str(int(up * 1_000_000) // 1024 * 1024)),
        ("se.avg.util_est.ewma", str(load + 8)), ("se.avg.util_est.enqueued", str(load)), ("policy", "0"),
        ("prio", str(120 + nice)), ("clock-delta", str(60 + row.pid % 40)), ("mm->numa_scan_seq", "0"),
        ("numa_pages_migrated", "0"), ("numa_preferred_nid", "-1"), ("total_numa_faults", "0"),
    ]  # fmt: skip
    lines = [f"{name:<45}:{value:>21}" for name, value in rows]
    head = text(row.comm) + f" ({row.pid}, #threads: {threads(row)})\n{'-' * 67}\n".encode()
    tail = (
        "current_node=0, numa_group_id=0\n"
        "numa_faults node=0 task_private=0 task_shared=0 group_private=0 group_shared=0\n"
    )
    return head + ("\n".join(lines) + "\n" + tail).encode()


def _schedstat(view: ProcessView, row: ProcessInfo) -> bytes:
    asked, _ = _switches(view, row)
    ran = int(row.cpu_seconds * 1e9) + 1_250_000
    return f"{ran} {ran // 23} {asked}\n".encode()


def _whole_range(view: ProcessView, row: ProcessInfo) -> bytes:
    """The map of the first user namespace: every id is itself."""
    return f"{0:>10} {0:>10} {4294967295:>10}\n".encode()


def _smaps_rollup(view: ProcessView, row: ProcessInfo) -> bytes:
    if not row.vsz_kb:
        return b""
    anonymous, private = row.rss_kb // 4, row.rss_kb // 3
    values = {
        "Rss": row.rss_kb, "Pss": row.rss_kb // 2, "Pss_Dirty": anonymous, "Pss_Anon": anonymous,
        "Pss_File": row.rss_kb // 2 - anonymous, "Pss_Shmem": 0, "Shared_Clean": row.rss_kb - private,
        "Shared_Dirty": 0, "Private_Clean": private - anonymous, "Private_Dirty": anonymous,
        "Referenced": row.rss_kb, "Anonymous": anonymous, "LazyFree": 0, "AnonHugePages": 0, "ShmemPmdMapped": 0,
        "FilePmdMapped": 0, "Shared_Hugetlb": 0, "Private_Hugetlb": 0, "Swap": 0, "SwapPss": 0, "Locked": 0,
    }  # fmt: skip
    stack = 0x7FFC_00000000 + int(figures.noise(view.persona, f"stack {row.pid}", 0) * 0xFFFFF) * 4096
    base = 0x55_0000000000 + int(figures.noise(view.persona, f"base {row.pid}", 0) * 0xFFFFFFF) * 4096
    head = f"{base:08x}-{stack + 0x21000:08x} ---p 00000000 00:00 0".ljust(73) + "[rollup]\n"
    return (head + "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in values.items())).encode()


def _mountstats(view: ProcessView, row: ProcessInfo) -> bytes:
    return "".join(
        f"device {each.source} mounted on {each.point} with fstype {each.fstype}\n" for each in view.mounts
    ).encode()


FILES: dict[str, Maker] = {
    "autogroup": lambda view, row: f"/autogroup-{row.session % 97 + 1} nice 0\n".encode(),
    "coredump_filter": lambda view, row: b"00000033\n",
    "cpuset": lambda view, row: b"/\n",
    "gid_map": _whole_range,
    "mountstats": _mountstats,
    "personality": lambda view, row: b"00000000\n",
    "projid_map": _whole_range,
    "sched": _sched,
    "schedstat": _schedstat,
    "setgroups": lambda view, row: b"allow\n",
    "smaps_rollup": _smaps_rollup,
    "syscall": lambda view, row: (
        b"running\n" if row.state.startswith("R") else b"0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n"
    ),
    "timens_offsets": lambda view, row: b"monotonic           0         0\nboottime            0         0\n",
    "timerslack_ns": lambda view, row: b"50000\n",
    "uid_map": _whole_range,
}
PRIVATE = frozenset({"mountstats", "personality", "syscall"})
"""Only the owner and root may read these."""
ONLY_SERVERS = frozenset(
    {"autogroup", "cpuset", "projid_map", "sched", "schedstat", "setgroups", "timens_offsets"}
)
"""What the small kernel of a device is built without."""
