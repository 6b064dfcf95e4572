"""The files of /proc that speak of the whole machine (processor and network tables are in `cpu` and `network`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from urltrap.machine.fs.mounts import ProcessView
from urltrap.machine.persona import MountPoint
from urltrap.machine.proc import cpu, figures, lesser
from urltrap.machine.proc.flash import mtd
from urltrap.machine.proc.interrupts import interrupts

_HUGE_KB = 2048
Maker = Callable[[ProcessView], bytes]


def _meminfo(view: ProcessView) -> bytes:
    rows = [f"{name + ':':<15} {value:>8} kB\n" for name, value in figures.memory(view).items()]
    if not view.persona.is_server:
        return "".join(rows).encode()
    huge = figures.huge_pages(view)
    counts = {"HugePages_Total": huge, "HugePages_Free": huge, "HugePages_Rsvd": 0, "HugePages_Surp": 0}
    rows += [f"{name + ':':<15} {count:>8}\n" for name, count in counts.items()]
    total = view.persona.memory.total_kb
    small = (120_000 + total // 40) // 1024 * 1024 + 1000
    rows += [f"{'Hugepagesize:':<15} {2048:>8} kB\n", f"{'Hugetlb:':<15} {huge * _HUGE_KB:>8} kB\n",
    f"{'DirectMap4k:':<15} {small:>8} kB\n",
             f"{'DirectMap2M:':<15} {(total - small) // 2048 * 2048 + 2048:>8} kB\n"]  # fmt: skip
    return "".join(rows).encode()


def _uptime(view: ProcessView) -> bytes:
    return f"{figures.uptime(view):.2f} {figures.idle_time(view):.2f}\n".encode()


def _loadavg(view: ProcessView) -> bytes:
    rows = view.processes()
    running = max(1, sum(1 for row in rows if row.state.startswith("R")))
    one, five, fifteen = figures.load_averages(view)
    threads = len(rows) + 12
    return f"{one:.2f} {five:.2f} {fifteen:.2f} {running}/{threads} {figures.forks(view)}\n".encode()


def mount_line(mount: MountPoint) -> str:
    """A line of /proc/mounts, without its newline."""
    return f"{mount.source} {mount.point} {mount.fstype} {mount.options} 0 0"


def mounts(view: ProcessView) -> bytes:
    """/proc/self/mounts."""
    return "".join(mount_line(mount) + "\n" for mount in view.mounts).encode()


def _partitions(view: ProcessView) -> bytes:
    out = ["major minor  #blocks  name\n\n"]
    for disk in view.persona.disks:
        out.append(f"{disk.major:4d} {disk.minor:8d} {disk.size_kb:10d} {disk.name}\n")
        for part in disk.partitions:
            if part.name != disk.name:
                out.append(f"{disk.major:4d} {part.minor:8d} {part.size_kb:10d} {part.name}\n")
    if view.persona.kind in ("debian-12", "debian-13"):
        out.append("  11        0    1048575 sr0\n")
    return "".join(out).encode()


def _diskstats(view: ProcessView) -> bytes:
    persona, up = view.persona, figures.uptime(view)
    out = []
    for disk in persona.disks:
        names = [
            (disk.name, disk.minor),
            *((p.name, p.minor) for p in disk.partitions if p.name != disk.name),
        ]
        for number, (name, minor) in enumerate(names):
            share = 1.0 if number == 0 else 0.98 if number == 1 else 0.01
            reads = int((9000 + up * 0.02) * share)
            writes = int(up * 0.35 * share)
            out.append(
                f"{disk.major:4d} {minor:7d} {name} {reads} {reads // 4} {reads * 41} {reads // 3} "
                f"{writes} {writes // 2} "
                f"{writes * 21} {writes * 2} 0 {writes} {writes * 2 + reads // 3} "
                f"0 0 0 0 {writes // 9} {writes // 11}\n"
            )
    return "".join(out).encode()


def _swaps(view: ProcessView) -> bytes:
    out = ["Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"]
    for each in figures.swap_areas(view):
        kind = each.kind if each.kind == "partition" else f"{each.kind}\t"
        size, used = (f"{value}\t" + "\t" * (value < _WIDE) for value in (each.size_kb, each.used_kb))
        out.append(f"{each.path:<39} {kind}\t{size}{used}{each.priority}\n")
    return "".join(out).encode()


_WIDE = 10_000_000
_NODEV = ("sysfs", "tmpfs", "bdev", "proc", "cgroup", "cgroup2", "cpuset", "devtmpfs", "configfs", "debugfs", "tracefs",
          "securityfs", "sockfs", "bpf", "pipefs", "ramfs", "hugetlbfs", "devpts", "mqueue", "pstore")  # fmt: skip


def _filesystems(view: ProcessView) -> bytes:
    if view.persona.is_server:
        tail = "\text3\n\text2\n\text4\nnodev\tautofs\n\tfuseblk\nnodev\tfuse\nnodev\tfusectl\n"
        return ("".join(f"nodev\t{name}\n" for name in _NODEV) + tail).encode()
    names = (
        "sysfs",
        "rootfs",
        "tmpfs",
        "bdev",
        "proc",
        "cgroup2",
        "debugfs",
        "sockfs",
        "bpf",
        "pipefs",
        "ramfs",
        "devpts",
    )
    return (
        "".join(f"nodev\t{name}\n" for name in names) + "\tsquashfs\nnodev\tjffs2\nnodev\toverlay\n"
    ).encode()


def _modules(view: ProcessView) -> bytes:
    out = []
    address = 0xFFFFFFFFC0300000 if view.persona.is_server else 0x86C00000
    for name, size, users in view.persona.kernel.modules:
        count, _, by = users.partition(" ")
        shown = "0x0000000000000000" if view.uid else f"0x{address:016x}"
        out.append(f"{name} {size} {count} {by + ',' if by else '-'} Live {shown}\n")
        address += (size + 0xFFF) // 0x1000 * 0x1000
    return "".join(out).encode()


def _devices(view: ProcessView) -> bytes:
    if not view.persona.is_server:
        return (
            b"Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n 89 i2c\n"
            b" 90 mtd\n108 ppp\n128 ptm\n136 pts\n153 spi\n180 usb\n189 usb_device\n253 watchdog\n254 gpiochip\n\n"
            b"Block devices:\n 31 mtdblock\n259 blkext\n"
        )
    disk = view.persona.disks[0]
    block = {"sd": "sd", "vd": "virtblk", "mt": "mtdblock"}[disk.name[:2]]
    return (
        "Character devices:\n  1 mem\n  4 /dev/vc/0\n  4 tty\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
        "  5 ttyprintk\n  7 vcs\n 10 misc\n"
        " 13 input\n 21 sg\n 29 fb\n128 ptm\n136 pts\n180 usb\n189 usb_device\n226 drm\n"
        "247 hidraw\n248 bsg\n249 watchdog\n250 rtc\n251 dax\n252 dimmctl\n253 ndctl\n254 gpiochip\n\nBlock devices:\n"
        f"  7 loop\n{disk.major:3d} {block}\n 11 sr\n259 blkext\n"
    ).encode()


def _misc(view: ProcessView) -> bytes:
    if not view.persona.is_server:
        return b"130 watchdog\n 59 cpu_dma_latency\n 60 ubi_ctrl\n229 fuse\n183 hw_random\n"
    return (
        b"228 hpet\n231 snapshot\n183 hw_random\n229 fuse\n235 autofs\n 63 vga_arbiter\n126 cpu_dma_latency\n"
    )


def _iomem(view: ProcessView) -> bytes:
    top = view.persona.memory.total_kb * 1024 + 40_000_000
    low = min(top, 0xBFFDBFFF)
    rows = [(0, 0xFFF, "Reserved"), (0x1000, 0x9FBFF, "System RAM"), (0x9FC00, 0x9FFFF, "Reserved"),
            (0xF0000, 0xFFFFF, "Reserved"), (0x100000, low, "System RAM"), (0xFEC00000, 0xFEC003FF, "IOAPIC 0"),
            (0xFEE00000, 0xFEE00FFF, "Local APIC")]  # fmt: skip
    if top > low:
        rows.append((0x100000000, top + 0x40000000, "System RAM"))
    shown = [(0, 0, name) if view.uid else (start, end, name) for start, end, name in rows]
    return "".join(f"{start:08x}-{end:08x} : {name}\n" for start, end, name in shown).encode()


def _consoles(view: ProcessView) -> bytes:
    persona = view.persona
    if persona.is_server:
        serial = (
            "ttyS0                -W- (EC p a)    4:64\n" if "ttyS0" in persona.kernel.command_line else ""
        )
        return f"tty0                 -WU (EC  p  )    4:1\n{serial}".encode()
    name = "ttyS0" if persona.kernel.machine == "mips" else "ttyMSM0"
    return f"{name:<20} -W- (EC p a)  {'  4:64' if name == 'ttyS0' else '238:0'}\n".encode()


def _vmstat(view: ProcessView) -> bytes:
    memory = figures.memory(view)
    up = int(figures.uptime(view))
    rows = {
        "nr_free_pages": memory["MemFree"] // 4, "nr_zone_inactive_anon": memory["Inactive(anon)"] // 4,
        "nr_zone_active_anon": memory["Active(anon)"] // 4, "nr_zone_inactive_file": memory["Inactive(file)"] // 4,
        "nr_zone_active_file": memory["Active(file)"] // 4, "nr_dirty": memory["Dirty"] // 4,
        "nr_mapped": memory["Mapped"] // 4,
        "pgpgin": 400_000 + up, "pgpgout": up * 9, "pswpin": 0, "pswpout": memory["SwapCached"] // 4,
        "pgfault": up * 310,
        "pgmajfault": 2_000 + up // 900,
    }  # fmt: skip
    return "".join(f"{name} {value}\n" for name, value in rows.items()).encode()


DEVICE_FILES: dict[str, Maker] = {"mtd": mtd}
"""Files that only boards with a flash chip have."""
SERVER_FILES: dict[str, Maker] = {
    "dma": lambda view: b" 4: cascade\n",
    "mdstat": lambda view: b"Personalities : \nunused devices: <none>\n",
    "iomem": _iomem,
}
"""Files that only PCs have."""
FILES: dict[str, Maker] = {
    "cpuinfo": cpu.cpuinfo,
    "meminfo": _meminfo,
    "version": lambda view: f"{view.persona.kernel.banner}\n".encode(),
    "uptime": _uptime,
    "loadavg": _loadavg,
    "partitions": _partitions,
    "filesystems": _filesystems,
    "modules": _modules,
    "cmdline": lambda view: f"{view.persona.kernel.command_line}\n".encode(),
    "stat": cpu.stat,
    "diskstats": _diskstats,
    "swaps": _swaps,
    "devices": _devices,
    "interrupts": interrupts,
    "misc": _misc,
    "vmstat": _vmstat,
    "consoles": _consoles,
    "kallsyms": lambda view: b"",
    "kmsg": lambda view: b"",
    "locks": lambda view: b"",
    "cgroups": lambda view: (
        b"#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t58\t1\ncpu\t0\t58\t1\nmemory\t0\t58\t1\npids\t0\t58\t1\n"
    ),
}


def files(view: ProcessView) -> dict[str, Maker]:
    """The files at the top of /proc on this machine, by name."""
    more = SERVER_FILES | lesser.SERVER_FILES if view.persona.is_server else DEVICE_FILES
    return FILES | lesser.FILES | more


def _hostname(view: ProcessView) -> bytes:
    # A process knows the name as it is now; whoever only looks sees the configured one.
    return f"{getattr(view, 'hostname', view.persona.hostname)}\n".encode()


def _uuid(view: ProcessView) -> bytes:
    draw = hashlib.blake2b(f"{view.persona.fingerprint}{view.now()}{view.pid}".encode(), digest_size=16)
    raw = bytearray(draw.digest())
    raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}\n".encode()


def _fixed(text: str) -> Maker:
    return lambda view: f"{text}\n".encode()


def _limits(view: ProcessView, share: int) -> bytes:
    """The three marks of the memory for TCP or UDP, in pages (net/ipv4/tcp.c, udp.c)."""
    limit = view.persona.memory.total_kb * 97 // 400 // share
    return f"{limit * 3 // 4}\t{limit}\t{limit * 3 // 2}\n".encode()


def _threads_half(view: ProcessView) -> bytes:
    return f"{view.persona.memory.total_kb // 264}\n".encode()


def _processors(view: ProcessView) -> str:
    last = view.persona.cpu.count - 1
    return f"0-{last}" if last else "0"


SYSCTL: dict[str, Maker] = {
    "kernel/hostname": _hostname,
    "kernel/domainname": _fixed("(none)"),
    "kernel/ostype": _fixed("Linux"),
    "kernel/osrelease": lambda view: f"{view.persona.kernel.release}\n".encode(),
    "kernel/version": lambda view: f"{view.persona.kernel.version}\n".encode(),
    "kernel/arch": lambda view: f"{view.persona.kernel.machine}\n".encode(),
    "kernel/random/boot_id": lambda view: f"{view.persona.boot_id}\n".encode(),
    "kernel/random/uuid": _uuid,
    "kernel/random/entropy_avail": _fixed("256"),
    "kernel/random/poolsize": _fixed("256"),
    "kernel/pid_max": lambda view: b"4194304\n" if view.persona.is_server else b"32768\n",
    "kernel/core_pattern": _fixed("core"),
    "kernel/core_uses_pid": _fixed("0"),
    "kernel/threads-max": lambda view: f"{view.persona.memory.total_kb // 132}\n".encode(),
    "kernel/randomize_va_space": _fixed("2"),
    "kernel/kptr_restrict": _fixed("0"),
    "kernel/dmesg_restrict": _fixed("1"),
    "kernel/perf_event_paranoid": _fixed("3"),
    "kernel/yama/ptrace_scope": _fixed("0"),
    "kernel/unprivileged_bpf_disabled": _fixed("2"),
    "kernel/printk": _fixed("4\t4\t1\t7"),
    "kernel/panic": lambda view: b"0\n" if view.persona.is_server else b"3\n",
    "kernel/sysrq": _fixed("438"),
    "kernel/tainted": _fixed("0"),
    "kernel/ngroups_max": _fixed("65536"),
    "kernel/shmmax": _fixed("18446744073692774399"),
    "kernel/msgmax": _fixed("8192"),
    "kernel/nmi_watchdog": _fixed("0"),
    "kernel/watchdog": _fixed("1"),
    "kernel/cap_last_cap": _fixed("40"),
    "fs/file-max": _fixed("9223372036854775807"),
    "fs/file-nr": _fixed("1088\t0\t9223372036854775807"),
    "fs/nr_open": _fixed("1048576"),
    "fs/inotify/max_user_watches": lambda view: f"{view.persona.memory.total_kb // 128}\n".encode(),
    "fs/suid_dumpable": _fixed("0"),
    "fs/pipe-max-size": _fixed("1048576"),
    "vm/swappiness": _fixed("60"),
    "vm/overcommit_memory": _fixed("0"),
    "vm/overcommit_ratio": _fixed("50"),
    "vm/nr_hugepages": _fixed("0"),
    "vm/max_map_count": _fixed("65530"),
    "vm/drop_caches": _fixed("0"),
    "vm/dirty_ratio": _fixed("20"),
    "net/ipv4/tcp_mem": lambda view: _limits(view, 16),
    "net/ipv4/udp_mem": lambda view: _limits(view, 8),
    "fs/epoll/max_user_watches": lambda view: f"{view.persona.memory.total_kb * 1024 // 4600}\n".encode(),
    "fs/fanotify/max_user_marks": lambda view: f"{view.persona.memory.total_kb // 117}\n".encode(),
    "user/max_fanotify_marks": lambda view: f"{view.persona.memory.total_kb // 117}\n".encode(),
    "user/max_inotify_watches": lambda view: f"{view.persona.memory.total_kb // 128}\n".encode(),
    **{
        f"user/max_{kind}_namespaces": _threads_half
        for kind in ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
    },
    "vm/user_reserve_kbytes": lambda view: (
        f"{min(131_072, view.persona.memory.total_kb * 3 // 100)}\n".encode()
    ),
    "kernel/watchdog_cpumask": lambda view: f"{_processors(view)}\n".encode(),
    "kernel/pty/nr": lambda view: f"{sum(1 for each in view.connections if each.tty)}\n".encode(),
    "kernel/ns_last_pid": lambda view: f"{max(row.pid for row in view.processes())}\n".encode(),
    "kernel/bootloader_type": lambda view: b"114\n",
    "fs/inode-nr": lambda view: f"{view.persona.root.inodes_used + 1_900}\t210\n".encode(),
    "fs/inode-state": lambda view: f"{view.persona.root.inodes_used + 1_900}\t210\t0\t0\t0\t0\t0\n".encode(),
    "fs/dentry-state": lambda view: (
        f"{view.persona.root.inodes_used + 9_700}\t{view.persona.root.inodes_used}"
        f"\t45\t0\t{view.persona.root.inodes_used // 9}\t0\n".encode()
    ),
    "vm/min_free_kbytes": lambda view: f"{int((view.persona.memory.total_kb * 16) ** 0.5)}\n".encode(),
    "net/core/somaxconn": _fixed("4096"),
    "net/core/rmem_max": _fixed("212992"),
    "net/core/wmem_max": _fixed("212992"),
    "net/core/default_qdisc": lambda view: b"pfifo_fast\n" if view.persona.is_server else b"fq_codel\n",
    "net/ipv4/ip_forward": lambda view: b"0\n" if view.persona.is_server else b"1\n",
    "net/ipv4/tcp_syncookies": _fixed("1"),
    "net/ipv4/tcp_congestion_control": _fixed("cubic"),
    "net/ipv4/ip_local_port_range": _fixed("32768\t60999"),
    "net/ipv4/tcp_max_syn_backlog": _fixed("512"),
    "net/ipv4/tcp_fin_timeout": _fixed("60"),
    "net/ipv4/tcp_keepalive_time": _fixed("7200"),
    "net/ipv4/icmp_echo_ignore_all": _fixed("0"),
    "net/ipv4/conf/all/rp_filter": _fixed("0"),
    "net/ipv4/conf/all/forwarding": lambda view: b"0\n" if view.persona.is_server else b"1\n",
    "net/ipv6/conf/all/disable_ipv6": _fixed("0"),
    "net/ipv6/conf/default/disable_ipv6": _fixed("0"),
    "net/ipv6/conf/all/forwarding": _fixed("0"),
}
"""/proc/sys, by path below it."""
