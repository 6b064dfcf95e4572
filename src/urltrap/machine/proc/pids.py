"""/proc/PID: one process as the kernel tells of it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from urltrap.machine.api import S_IFDIR, S_IFLNK, S_IFREG, ProcessInfo
from urltrap.machine.errors import SysError
from urltrap.machine.fs.mounts import GeneratedNode, ProcessView
from urltrap.machine.proc import figures, pid_state
from urltrap.machine.proc.sockets import session_number
from urltrap.machine.proc.system import mounts

_FILE, _DIR, _LINK = S_IFREG | 0o444, S_IFDIR | 0o555, S_IFLNK | 0o777
_STATE_WORDS = {
    "R": "running",
    "S": "sleeping",
    "D": "disk sleep",
    "T": "stopped",
    "Z": "zombie",
    "I": "idle",
    "X": "dead",
}

Maker = Callable[[ProcessView, ProcessInfo], bytes]


def text(value: str) -> bytes:
    """Names and arguments as the bytes that they were."""
    return value.encode("utf-8", "surrogateescape")


def is_thread(row: ProcessInfo) -> bool:
    """True for a thread of the kernel."""
    return row.pid == 2 or row.ppid == 2


def threads(row: ProcessInfo) -> int:
    """How many threads a process has: ps marks those of several with an l."""
    return 1 if "l" not in row.state else 3 if row.comm == "polkitd" else 2


def _cmdline(view: ProcessView, row: ProcessInfo) -> bytes:
    if is_thread(row) or row.state.startswith("Z"):
        return b""
    return b"".join(text(word) + b"\0" for word in row.argv)


def _start_ticks(view: ProcessView, row: ProcessInfo) -> int:
    return max(0, int((row.started - view.boot_time) * figures.HERTZ))


def _stat(view: ProcessView, row: ProcessInfo) -> bytes:
    ticks = int(row.cpu_seconds * figures.HERTZ)
    nice = -20 if "<" in row.state else 5 if "N" in row.state else 0
    session = row.session if not is_thread(row) else 0
    tty = 0
    if row.tty.startswith("pts/"):
        tty = 34816 + int(row.tty[4:])
    elif row.tty.startswith("tty") and row.tty[3:].isdigit():
        tty = 1024 + int(row.tty[3:])
    flags = 69238880 if is_thread(row) else 4194304
    base = 94_000_000_000_000 + int(figures.noise(view.persona, f"base {row.pid}", 0) * 400_000) * 4096
    space = (0, 0, 0) if is_thread(row) else (base, base + 901_121, 140_720_000_000_000 + row.pid * 4096)
    fields = [
        row.state[0], row.ppid, session, session, tty, -1 if not tty else session, flags, row.rss_kb // 3, 0, 0, 0,
        ticks * 6 // 10, ticks * 4 // 10, 0, 0, 20 + nice, nice, 1, 0, _start_ticks(view, row), row.vsz_kb * 1024,
        row.rss_kb // 4, 18446744073709551615, *space, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, row.pid % view.persona.cpu.count,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    return f"{row.pid} (".encode() + text(row.comm) + (") " + " ".join(map(str, fields)) + "\n").encode()


def _status(view: ProcessView, row: ProcessInfo) -> bytes:
    state = row.state[0]
    lines = [
        f"Umask:\t{'0000' if is_thread(row) or row.pid == 1 else '0022'}",
        f"State:\t{state} ({_STATE_WORDS.get(state, 'sleeping')})", f"Tgid:\t{row.pid}", "Ngid:\t0", f"Pid:\t{row.pid}",
        f"PPid:\t{row.ppid}", "TracerPid:\t0", "Uid:" + f"\t{row.uid}" * 4, "Gid:" + f"\t{row.uid}" * 4,
        f"FDSize:\t{64 if is_thread(row) else 256}", f"Groups:\t{row.uid if row.pid > view.persona.first_pid else ''} ",
        f"NStgid:\t{row.pid}", f"NSpid:\t{row.pid}", f"NSpgid:\t{0 if is_thread(row) else row.session}",
        f"NSsid:\t{0 if is_thread(row) else row.session}",
    ]  # fmt: skip
    if not is_thread(row):
        lines += [
            f"VmPeak:\t{row.vsz_kb + 64:>8} kB", f"VmSize:\t{row.vsz_kb:>8} kB", "VmLck:\t       0 kB",
            "VmPin:\t       0 kB",
            f"VmHWM:\t{row.rss_kb:>8} kB", f"VmRSS:\t{row.rss_kb:>8} kB", f"RssAnon:\t{row.rss_kb // 4:>8} kB",
            f"RssFile:\t{row.rss_kb - row.rss_kb // 4:>8} kB", "RssShmem:\t       0 kB",
            f"VmData:\t{row.rss_kb // 4 + 200:>8} kB",
            "VmStk:\t     132 kB", "VmExe:\t     884 kB", "VmLib:\t    1788 kB",
            f"VmPTE:\t{40 + row.vsz_kb // 400:>8} kB",
            "VmSwap:\t       0 kB", "HugetlbPages:\t       0 kB", "CoreDumping:\t0", "THP_enabled:\t1",
        ]  # fmt: skip
    full = "000001ffffffffff"
    caps = full if row.uid == 0 else "0" * 16
    count = view.persona.cpu.count
    lines += [
        f"Threads:\t{threads(row)}",
        f"SigQ:\t0/{view.persona.memory.total_kb // 264}", *(f"{name}:\t{'0' * 16}" for name in
        ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh")), f"CapPrm:\t{caps}", f"CapEff:\t{caps}",
        f"CapBnd:\t{full}", f"CapAmb:\t{'0' * 16}", "NoNewPrivs:\t0", "Seccomp:\t0", "Seccomp_filters:\t0",
        "Speculation_Store_Bypass:\tthread vulnerable", "SpeculationIndirectBranch:\tconditional enabled",
        f"Cpus_allowed:\t{(1 << count) - 1:x}", f"Cpus_allowed_list:\t{f'0-{count - 1}' if count > 1 else '0'}",
        "Mems_allowed:\t00000000,00000001", "Mems_allowed_list:\t0", f"voluntary_ctxt_switches:\t{row.pid % 97 + 2}",
        f"nonvoluntary_ctxt_switches:\t{row.pid % 7}",
    ]  # fmt: skip
    return b"Name:\t" + text(row.comm) + b"\n" + ("\n".join(lines) + "\n").encode()


def _statm(view: ProcessView, row: ProcessInfo) -> bytes:
    resident = row.rss_kb // 4
    return f"{row.vsz_kb // 4} {resident} {resident * 3 // 4} 221 0 {resident // 3} 0\n".encode()


def _limits(view: ProcessView, row: ProcessInfo) -> bytes:
    tasks = str(view.persona.memory.total_kb // 264)
    locked = str(min(8_388_608, view.persona.memory.total_kb * 128))
    files = "1024" if view.persona.is_server or row.pid > 300 else "4096"
    rows = (
        ("Max cpu time", "unlimited", "unlimited", "seconds"), ("Max file size", "unlimited", "unlimited", "bytes"),
        ("Max data size", "unlimited", "unlimited", "bytes"), ("Max stack size", "8388608", "unlimited", "bytes"),
        ("Max core file size", "0", "unlimited", "bytes"), ("Max resident set", "unlimited", "unlimited", "bytes"),
        ("Max processes", tasks, tasks, "processes"), ("Max open files", files, "1048576", "files"),
        ("Max locked memory", locked, locked, "bytes"), ("Max address space", "unlimited", "unlimited", "bytes"),
        ("Max file locks", "unlimited", "unlimited", "locks"), ("Max pending signals", tasks, tasks, "signals"),
        ("Max msgqueue size", "819200", "819200", "bytes"), ("Max nice priority", "0", "0", ""),
        ("Max realtime priority", "0", "0", ""), ("Max realtime timeout", "unlimited", "unlimited", "us"),
    )  # fmt: skip
    head = f"{'Limit':<26}{'Soft Limit':<21}{'Hard Limit':<21}{'Units':<10}\n"
    return (head + "".join(f"{a:<26}{b:<21}{c:<21}{d:<10}\n" for a, b, c, d in rows)).encode()


def _cgroup(view: ProcessView, row: ProcessInfo) -> bytes:
    if not view.persona.is_server or is_thread(row):
        return b"0::/\n"
    if row.pid == 1:
        return b"0::/init.scope\n"
    for each in view.persona.residents:
        if each.pid == row.pid:
            return f"0::/system.slice/{each.unit}\n".encode()
    position = max(0, sum(1 for each in view.connections if each.since <= row.started) - 1)
    number = session_number(view.persona, position)
    return f"0::/user.slice/user-{row.uid}.slice/session-{number}.scope\n".encode()


def _maps(view: ProcessView, row: ProcessInfo) -> bytes:
    if is_thread(row) or not row.exe:
        return b""
    base = 0x55_0000000000 + int(figures.noise(view.persona, f"base {row.pid}", 0) * 0xFFFFFFF) * 4096
    library = 0x7F_0000000000 + int(figures.noise(view.persona, f"lib {row.pid}", 0) * 0xFFFFFFF) * 4096
    stack = 0x7FFC_00000000 + int(figures.noise(view.persona, f"stack {row.pid}", 0) * 0xFFFFF) * 4096
    root = view.persona.disks[0]
    device = f"{root.major:02x}:{root.partitions[0].minor:02x}" if root.partitions else "00:00"
    rows = [
        (base, 0x6000, "r--p", 0, row.exe), (base + 0x6000, 0x20000, "r-xp", 0x6000, row.exe),
        (base + 0x26000, 0xA000, "r--p", 0x26000, row.exe), (base + 0x31000, 0x1000, "rw-p", 0x30000, row.exe),
        (base + 0xA00000, 0x21000, "rw-p", 0, "[heap]"), (library, 0x26000, "r--p", 0,
        "/usr/lib/x86_64-linux-gnu/libc.so.6"),
        (library + 0x26000, 0x155000, "r-xp", 0x26000, "/usr/lib/x86_64-linux-gnu/libc.so.6"),
        (library + 0x200000, 0x25000, "r-xp", 0x1000, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
        (stack, 0x21000, "rw-p", 0, "[stack]"), (stack + 0x60000, 0x4000, "r--p", 0, "[vvar]"),
        (stack + 0x64000, 0x2000, "r-xp", 0, "[vdso]"),
    ]  # fmt: skip
    if not view.persona.is_server:
        rows = [(0x400000, 0x50000, "r-xp", 0, row.exe), (0x460000, 0x1000, "rw-p", 0x50000, row.exe),
                (0x461000, 0x2000, "rwxp", 0, "[heap]"), (0x7FA00000, 0x21000, "rwxp", 0, "[stack]")]  # fmt: skip
    out = []
    for start, size, mode, offset, name in rows:
        inside = name.startswith("/")
        place = f"{start:08x}-{start + size:08x} {mode} {offset:08x} {device if inside else '00:00'} "
        out.append(f"{place}{len(name) * 997 + 131072 if inside else 0:<10}".ljust(73) + f"{name}\n")
    return "".join(out).encode("utf-8", "surrogateescape")


def _mountinfo(view: ProcessView, row: ProcessInfo) -> bytes:
    out = []
    root = view.persona.disks[0]
    for number, mount in enumerate(view.mounts):
        own = f"{root.major}:1" if mount.source.startswith("/dev/") else f"0:{19 + number}"
        flags = [word for word in mount.options.split(",") if word in ("rw", "ro", "nosuid", "nodev", "noexec",
        "relatime",
                                                                       "noatime")]  # fmt: skip
        rest = [word for word in mount.options.split(",") if word not in flags]
        parent = 1 if mount.point == "/" else 26
        ident = 26 if mount.point == "/" else 27 + number
        out.append(
            f"{ident} {parent} {own} / {mount.point} {','.join(flags)} shared:{number + 1} - {mount.fstype} "
            f"{mount.source} {','.join([flags[0] if flags else 'rw', *rest])}\n"
        )
    return "".join(out).encode()


def _io(view: ProcessView, row: ProcessInfo) -> bytes:
    base = row.rss_kb * 7
    return (
        f"rchar: {base * 40}\nwchar: {base}\nsyscr: {base // 90}\nsyscw: {base // 400}\n"
        f"read_bytes: {row.rss_kb // 4 * 4096}\n"
        "write_bytes: 0\ncancelled_write_bytes: 0\n"
    ).encode()


FILES: dict[str, Maker] = {
    "cgroup": _cgroup,
    "cmdline": _cmdline,
    "comm": lambda view, row: text(row.comm) + b"\n",
    "environ": lambda view, row: b"".join(
        text(f"{name}={value}") + b"\0" for name, value in row.environ.items()
    ),
    "io": _io,
    "limits": _limits,
    "loginuid": lambda view, row: (
        b"4294967295" if row.pid < view.persona.first_pid else f"{row.uid}".encode()
    ),
    "maps": _maps,
    "mountinfo": _mountinfo,
    "mounts": lambda view, row: mounts(view),
    "oom_adj": lambda view, row: b"0\n",
    "oom_score": lambda view, row: (
        f"{666 + row.rss_kb * 1000 // (view.persona.memory.total_kb * 2)}\n".encode()
    ),
    "oom_score_adj": lambda view, row: b"-1000\n" if row.comm == "sshd" and row.ppid == 1 else b"0\n",
    "sessionid": lambda view, row: b"4294967295",
    "stat": _stat,
    "statm": _statm,
    "status": _status,
    "wchan": lambda view, row: b"0",
    **pid_state.FILES,
}
PRIVATE = frozenset({"environ", "maps", "io"}) | pid_state.PRIVATE
"""Only the owner and root may read these."""

LINKS: Mapping[str, Callable[[ProcessInfo], str]] = {
    "cwd": lambda row: row.cwd or "/",
    "exe": lambda row: row.exe,
    "root": lambda row: "/",
}
NAMES = ("task", "fd", "fdinfo", "net", "ns", *sorted(FILES), *sorted(LINKS))


def process_node(row: ProcessInfo, parts: tuple[str, ...], view: ProcessView) -> GeneratedNode | None:
    """The node at `parts` below /proc/PID; SysError EACCES where the viewer may not follow."""
    mine = view.uid in (0, row.uid)
    if not parts:
        return GeneratedNode(_DIR, uid=row.uid, gid=row.uid, mtime=row.started, nlink=9)
    name = parts[0]
    if name in pid_state.ONLY_SERVERS and not view.persona.is_server:
        return None
    if len(parts) == 1 and name in FILES:
        maker = FILES[name]
        mode = S_IFREG | (0o400 if name in PRIVATE else 0o444)
        return GeneratedNode(mode, lambda: maker(view, row), uid=row.uid, gid=row.uid)
    if len(parts) == 1 and name in LINKS:
        if not mine:
            raise SysError(errno.EACCES, name)
        target = LINKS[name](row)
        if not target or (is_thread(row) and name == "exe"):
            raise SysError(errno.ENOENT, name)
        return GeneratedNode(_LINK, target=target, uid=row.uid, gid=row.uid)
    if name == "task":
        return _task(row, parts[1:], view)
    if name in ("fd", "fdinfo"):
        return _descriptor(row, parts[1:], view, mine)
    if name == "ns":
        return _namespaces(row, parts[1:], mine)
    return None


def _task(row: ProcessInfo, parts: tuple[str, ...], view: ProcessView) -> GeneratedNode | None:
    if not parts:
        return GeneratedNode(_DIR, uid=row.uid, gid=row.uid)
    if parts[0] == str(row.pid) and (len(parts) < 2 or parts[1] != "task"):
        return process_node(row, parts[1:], view)
    return None


def _namespaces(row: ProcessInfo, parts: tuple[str, ...], mine: bool) -> GeneratedNode | None:
    if not parts:
        return GeneratedNode(S_IFDIR | 0o511, uid=row.uid, gid=row.uid, nlink=2)
    if len(parts) > 1 or parts[0] not in pid_state.NAMESPACES:
        return None
    if not mine:
        raise SysError(errno.EACCES, parts[0])
    return GeneratedNode(_LINK, target=pid_state.namespace(parts[0]), uid=row.uid, gid=row.uid)


def _descriptor(
    row: ProcessInfo, parts: tuple[str, ...], view: ProcessView, mine: bool
) -> GeneratedNode | None:
    if not parts:
        return GeneratedNode(S_IFDIR | 0o500, uid=row.uid, gid=row.uid, nlink=2)
    if not mine:
        raise SysError(errno.EACCES, parts[0])
    known = descriptors(row, view)
    number = int(parts[0]) if parts[0].isdigit() and len(parts[0]) < 7 else -1
    target = known.get(number)
    if (
        target is None
        and row.pid == view.pid
        and number >= 0
        and all(each in known for each in range(number))
    ):
        return GeneratedNode(S_IFLNK | 0o500, target=f"/proc/{row.pid}/fd", uid=row.uid, gid=row.uid, size=64)
    if target is None or len(parts) > 1:
        return None
    own = int(parts[0]) if row.pid == view.pid else None
    return GeneratedNode(S_IFLNK | 0o700, target=target, uid=row.uid, gid=row.uid, size=64, fd=own)


def descriptors(row: ProcessInfo, view: ProcessView) -> Mapping[int, str]:
    """Open descriptors; a resident's are those that a service of systemd has."""
    found = view.descriptors(row.pid)
    if found or is_thread(row) or row.pid >= view.persona.first_pid:
        return found
    sockets = {each.fd: f"socket:[{each.inode}]" for each in view.persona.listeners if each.pid == row.pid}
    return {0: "/dev/null", 1: "/dev/null", 2: "/dev/null"} | sockets


def process_names(row: ProcessInfo, parts: tuple[str, ...], view: ProcessView) -> list[str]:
    """Names in a directory below /proc/PID."""
    if parts and parts[0] == "task" and len(parts) == 1:
        return [str(row.pid)]
    if parts and parts[0] == "task":
        return [name for name in process_names(row, parts[2:], view) if name not in ("task", "net")]
    if parts and parts[0] in ("fd", "fdinfo"):
        if view.uid not in (0, row.uid):
            raise SysError(errno.EACCES)
        numbers = set(descriptors(row, view))
        if row.pid == view.pid:  # who lists his own descriptors has the directory open, too
            numbers.add(next(number for number in range(len(numbers) + 1) if number not in numbers))
        return [str(number) for number in sorted(numbers)]
    if parts == ("ns",):
        return list(pid_state.NAMESPACES)
    missing = frozenset() if view.persona.is_server else pid_state.ONLY_SERVERS
    return [] if parts else [name for name in NAMES if name not in missing]
