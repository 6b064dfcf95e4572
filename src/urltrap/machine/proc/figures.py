"""Figures that move: load, memory in use, processor time, traffic. Drawn from the persona and the clock alone, so that
two programs that look at the same moment see the same."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urltrap.machine.fs.mounts import ProcessView
from urltrap.machine.netstate import netstate

if TYPE_CHECKING:
    from urltrap.machine.persona import Persona

PAGE_KB = 4
_HUGE_KB = 2048
HERTZ = 100


def noise(persona: Persona, name: str, bucket: int) -> float:
    """A number in [0, 1) that stays the same for one bucket of time."""
    text = f"{persona.fingerprint}/{name}/{bucket}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / 2**48


def smooth(persona: Persona, name: str, now: float, seconds: float) -> float:
    """A number in [0, 1) that moves smoothly: interpolated between draws `seconds` apart."""
    place = now / seconds
    bucket = int(place)
    part = place - bucket
    return noise(persona, name, bucket) * (1 - part) + noise(persona, name, bucket + 1) * part


def uptime(view: ProcessView) -> float:
    """Seconds since the start."""
    return max(0.01, view.now() - view.boot_time)


def idle_time(view: ProcessView) -> float:
    """Idle seconds of all processors together, as /proc/uptime's second figure."""
    busy = 0.004 + 0.02 * noise(view.persona, "busy", 0)
    return uptime(view) * view.persona.cpu.count * (1 - busy)


def load_averages(view: ProcessView) -> tuple[float, float, float]:
    """Averages over 1, 5 and 15 minutes of a machine that has little to do."""
    persona, now = view.persona, view.now()
    top = 0.05 + 0.2 * noise(persona, "load", 0)
    # The kernel looks every five seconds: what comes and goes within a command is not seen, what goes on adds up.
    ages = [
        now - row.started for row in view.processes() if row.state.startswith("R") and now - row.started > 5
    ]
    one, five, fifteen = (
        sum(1 - math.exp(-age / seconds) for age in ages[:64]) for seconds in (60.0, 300.0, 900.0)
    )
    one += smooth(persona, "load1", now, 60) ** 3 * top * 2
    five += smooth(persona, "load5", now, 300) ** 2 * top
    fifteen += smooth(persona, "load15", now, 900) * top * 0.7
    return round(one, 2), round(five, 2), round(fifteen, 2)


def memory(view: ProcessView) -> Mapping[str, int]:
    """The lines of /proc/meminfo with their values in kB, in order."""
    persona = view.persona
    base = persona.memory
    now = view.now()
    growth = int(base.total_kb * 0.012 * smooth(persona, "memory", now, 900)) // 4 * 4
    cached = base.cached_kb + int(base.cached_kb * 0.02 * smooth(persona, "cached", now, 3600)) // 4 * 4
    live = sum(row.rss_kb for row in view.processes() if row.pid >= persona.first_pid) // 3 // 4 * 4
    kept = huge_pages(view) * _HUGE_KB
    free = max(base.free_kb - growth - live - kept - (cached - base.cached_kb), base.total_kb // 40 // 4 * 4)
    anonymous = (
        max(base.total_kb - free - base.buffers_kb - cached - base.slab_kb - 40_000, 8_000) * 6 // 10 // 4 * 4
    )
    reclaimable = base.slab_kb * 6 // 10 // 4 * 4
    available = min(
        free + (base.buffers_kb + cached - base.shared_kb) * 9 // 10 + reclaimable // 2, base.total_kb
    )
    active_file = (cached - base.shared_kb) * 4 // 10 // 4 * 4
    inactive_file = cached + base.buffers_kb - base.shared_kb - active_file
    active_anon = base.shared_kb // 4 * 4 + anonymous // 50 // 4 * 4
    inactive_anon = anonymous
    pages = max(1400, anonymous // 60 // 4 * 4)
    areas = swap_areas(view)
    swap, swap_used = sum(each.size_kb for each in areas), sum(each.used_kb for each in areas)
    commit = (base.total_kb // 2 + swap) // 4 * 4
    values = {
        "MemTotal": base.total_kb, "MemFree": free, "MemAvailable": available // 4 * 4, "Buffers": base.buffers_kb,
        "Cached": cached, "SwapCached": swap_used // 12 // 4 * 4, "Active": active_anon + active_file,
        "Inactive": inactive_anon + inactive_file, "Active(anon)": active_anon, "Inactive(anon)": inactive_anon,
        "Active(file)": active_file, "Inactive(file)": inactive_file, "Unevictable": 0, "Mlocked": 0,
        "SwapTotal": swap, "SwapFree": swap - swap_used, "Zswap": 0, "Zswapped": 0,
        "Dirty": int(smooth(persona, "dirty", now, 30) * 120) * 4, "Writeback": 0, "AnonPages": anonymous,
        "Mapped": 48_000 + anonymous // 5 // 4 * 4, "Shmem": base.shared_kb, "KReclaimable": reclaimable,
        "Slab": base.slab_kb, "SReclaimable": reclaimable, "SUnreclaim": base.slab_kb - reclaimable,
        "KernelStack": (len(view.processes()) * 17) // 4 * 4 + 480, "PageTables": pages, "SecPageTables": 0,
        "NFS_Unstable": 0, "Bounce": 0,
        "WritebackTmp": 0, "CommitLimit": commit, "Committed_AS": (anonymous * 3 // 2 + 160_000) // 4 * 4,
        "VmallocTotal": 34_359_738_367, "VmallocUsed": 15_000 + base.total_kb // 900, "VmallocChunk": 0,
        "Percpu": 520 * persona.cpu.count, "HardwareCorrupted": 0, "AnonHugePages": 0, "ShmemHugePages": 0,
        "ShmemPmdMapped": 0, "FileHugePages": 0, "FilePmdMapped": 0,
    }  # fmt: skip
    if not persona.is_server:
        for name in ("Zswap", "Zswapped", "SecPageTables", "HardwareCorrupted", "AnonHugePages", "ShmemHugePages",
                     "ShmemPmdMapped", "FileHugePages", "FilePmdMapped"):  # fmt: skip
            del values[name]
        values["VmallocTotal"] = 1_040_376
        values["Mapped"] = 5_000 + anonymous // 5 // 4 * 4
    return values


def huge_pages(view: ProcessView) -> int:
    """How many pages of 2 MiB were asked for and could be had (vm.nr_hugepages): never more than is free."""
    text = view.settings.get("vm/nr_hugepages", "0").strip()
    wanted = int(text[:9]) if text.isdecimal() else 0
    return min(wanted, view.persona.memory.free_kb * 8 // 10 // _HUGE_KB)


@dataclass(frozen=True, slots=True)
class SwapArea:
    """A line of /proc/swaps; sizes in KiB."""

    path: str
    kind: str
    size_kb: int
    used_kb: int
    priority: int


def swap_areas(view: ProcessView) -> list[SwapArea]:
    """The persona's partition, and what root switched on and off since the start."""
    memory = view.persona.memory
    found = [
        SwapArea(f"/dev/{part.name}", "partition", memory.swap_kb, memory.swap_used_kb, -2)
        for disk in view.persona.disks
        for part in disk.partitions
        if part.fstype == "swap" and memory.swap_kb
    ]
    for what, path, kind, size, priority in view.swaps:
        found = [each for each in found if each.path != path]
        if what == "on":
            found.append(SwapArea(path, kind, int(size), 0, int(priority)))
    return found


def cpu_times(view: ProcessView) -> tuple[int, int, int, int, int, int, int, int]:
    """Jiffies of all processors: user, nice, system, idle, iowait, irq, softirq, steal."""
    total = int(uptime(view) * HERTZ) * view.persona.cpu.count
    idle = int(idle_time(view) * HERTZ)
    busy = max(0, total - idle)
    user, system, nice = busy * 46 // 100, busy * 35 // 100, busy // 50
    wait, softirq = busy * 6 // 100, busy * 4 // 100
    return user, nice, system, idle, wait, 0, softirq, max(0, busy - user - system - nice - wait - softirq)


def traffic(view: ProcessView) -> Mapping[str, tuple[int, int, int, int]]:
    """By interface: bytes and packets received, bytes and packets sent; they grow with the clock."""
    persona, boot, now = view.persona, view.boot_time, view.now()
    return {
        each.name: (
            int(persona.grown(each.rx_bytes, boot, now)),
            int(persona.grown(each.rx_packets, boot, now)),
            int(persona.grown(each.tx_bytes, boot, now)),
            int(persona.grown(each.tx_packets, boot, now)),
        )
        for each in (link.interface for link in netstate(view).links)
    }


def forks(view: ProcessView) -> int:
    """How many processes were started since the boot."""
    return max((row.pid for row in view.processes()), default=1)
